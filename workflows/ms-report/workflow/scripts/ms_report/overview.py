"""The metrics of all runs in one table, and the summary."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

from ms_report.information import samples_of

Document = Mapping[str, Any]

COLUMNS = [
    *["run", "file", "sample_ids", "instrument", "started", "minutes_since_previous_start"],
    *["first_min", "last_min", "spectra", "ms1_spectra", "ms2_spectra", "other_spectra"],
    *["empty_spectra", "polarity", "ms1_mode", "ms2_mode"],
    *["ms1_mz_low", "ms1_mz_high", "ms2_mz_low", "ms2_mz_high", "precursor_low", "precursor_high"],
    *["ms1_median_peaks", "ms2_median_peaks", "total_ion_current", "base_peak_intensity"],
    *["base_peak_mz", "base_peak_min", "charge_1", "charge_2", "charge_3", "charge_4_and_more"],
    *["charge_unknown", "interval_s", "longest_gap_s", "cycle_s", "ms2_per_ms1"],
    *["ms1_injection_ms", "ms2_injection_ms", "signal_jumps", "signal_falls"],
    *["psms", "peptides", "identified_percent", "median_error_ppm", "fully_cleaved_percent"],
    *["uv_spectra", "problem"],
]


def overview(
    information: Document, metrics: Mapping[str, Document], identification: Document
) -> Iterator[dict[str, Any]]:
    """Yield the row of metrics.tsv for each run, in input order."""
    samples = samples_of(information["rows"])
    waits = since_previous(metrics)
    for run, figures in metrics.items():
        ids = [str(row["values"].get("sample_id", "")) for row in samples.get(run, [])]
        yield {
            "run": run,
            "file": figures["file"],
            "sample_ids": ";".join(ids),
            "minutes_since_previous_start": waits.get(run),
            **_acquisition(figures),
            **_signal(figures),
            **_identified(figures, identification["runs"].get(run)),
            "uv_spectra": figures["light_spectra"],
            "problem": _problem(figures, identification["runs"].get(run)),
        }


def _problem(figures: Document, matches: Document | None) -> str:
    return figures["problem"] or (matches or {}).get("problem", "")


def _minutes(seconds: float | None) -> float | None:
    return None if seconds is None else seconds / 60


def _acquisition(figures: Document) -> dict[str, Any]:
    levels, ranges, modes = figures["levels"], figures["mz_range"], figures["modes"]
    first, second, precursors = ranges.get("1"), ranges.get("2"), figures["precursor_range"]
    return {
        "instrument": figures["instrument"],
        "started": figures["started"],
        "first_min": _minutes(figures["first_s"]),
        "last_min": _minutes(figures["last_s"]),
        "spectra": figures["spectra"],
        "ms1_spectra": levels.get("1", 0),
        "ms2_spectra": levels.get("2", 0),
        "other_spectra": sum(n for level, n in levels.items() if level not in ("1", "2")),
        "empty_spectra": figures["empty_spectra"],
        "polarity": figures["polarity"],
        "ms1_mode": modes.get("1"),
        "ms2_mode": modes.get("2"),
        **_ends("ms1_mz", first),
        **_ends("ms2_mz", second),
        **_ends("precursor", precursors),
        "ms1_median_peaks": figures["median_peaks"].get("1"),
        "ms2_median_peaks": figures["median_peaks"].get("2"),
    }


def _ends(name: str, extent: list[float] | None) -> dict[str, float | None]:
    low, high = extent or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _signal(figures: Document) -> dict[str, Any]:
    charges, injection, base = figures["charges"], figures["injection_ms"], figures["base_peak"]
    fragmented = bool(charges)
    higher = sum(n for charge, n in charges.items() if charge.isdigit() and int(charge) > 3)
    return {
        "total_ion_current": figures["total_ion_current"],
        "base_peak_intensity": base["intensity"],
        "base_peak_mz": base["mz"],
        "base_peak_min": _minutes(base["time_s"]),
        **{f"charge_{z}": charges.get(str(z), 0) if fragmented else None for z in (1, 2, 3)},
        "charge_4_and_more": higher if fragmented else None,
        "charge_unknown": charges.get("unknown", 0) if fragmented else None,
        "interval_s": figures["interval_s"],
        "longest_gap_s": figures["longest_gap_s"],
        "cycle_s": figures["cycle_s"],
        "ms2_per_ms1": figures["ms2_per_ms1"],
        "ms1_injection_ms": injection.get("1", {}).get("median"),
        "ms2_injection_ms": injection.get("2", {}).get("median"),
        "signal_jumps": figures["jumps"],
        "signal_falls": figures["falls"],
    }


def _identified(figures: Document, matches: Document | None) -> dict[str, Any]:
    if matches is None:
        return {}
    spectra, whole = figures["levels"].get("2", 0), matches["fully_cleaved"]
    return {
        "psms": matches["psms"],
        "peptides": matches["peptides"],
        "identified_percent": 100 * matches["psms"] / spectra if spectra else None,
        "median_error_ppm": matches["median_error_ppm"],
        "fully_cleaved_percent": None if whole is None else 100 * whole,
    }


def since_previous(metrics: Mapping[str, Document]) -> dict[str, float]:
    """Return the minutes from the start of the previous run to that of each run, if known."""
    starts = sorted(
        (datetime.fromisoformat(figures["started"]).replace(tzinfo=None), run)
        for run, figures in metrics.items()
        if figures["started"]
    )
    pairs = pairwise(starts)
    return {run: (moment - before).total_seconds() / 60 for (before, _), (moment, run) in pairs}


def summary(
    information: Document, metrics: Mapping[str, Document], identification: Document | None
) -> dict[str, Any]:
    """Return the content of summary.json, without versions."""
    rows, issues = information["rows"], information["issues"]
    document: dict[str, Any] = {
        "samples": len(rows),
        "samples_with_data": sum(row["run"] is not None for row in rows),
        "runs": len(metrics),
        "errors": sum(issue["severity"] == "error" for issue in issues),
        "warnings": sum(issue["severity"] == "warning" for issue in issues),
        "spectra": {figures["file"]: figures["levels"] for figures in metrics.values()},
        "problems": {
            measured["file"]: measured["problem"]
            for measured in metrics.values()
            if measured["problem"]
        },
    }
    if identification:
        best = identification["proteins"][:1]
        document["identification"] = {
            "psms": identification["psms"],
            "peptides": identification["peptides"],
            "proteins": len(identification["proteins"]),
            "notes": identification["database_notes"],
            "top_protein": best[0]["accession"] if best else None,
        }
    return document
