"""Quality metrics of a run.

Metrics that are in the quality-control vocabulary of HUPO-PSI (mzQC) follow its definitions. Jumps
and falls of the MS1 signal are defined as in QuaMeter (Ma et al., 2012).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from ms_report.figures import counted as with_noun
from ms_report.mzml import Recording, Scan

JUMP_RATIO = 10  # of the totals of consecutive MS1 spectra
LONG_GAP_S = 30.0  # gaps between spectra are noted if longer than this and
LONG_GAP_RATIO = 20  # times the median interval


def metrics(recording: Recording, name: str, size: int) -> dict[str, Any]:
    """Return all metrics of a run. `size` is in bytes; times are in s, injection times in ms."""
    scans = recording.scans
    survey = survey_of(scans)
    apex = max(survey, key=lambda scan: scan.base)
    figures = {
        "file": name,
        "bytes": size,
        "instrument": recording.instrument,
        "started": recording.started,
        "spectra": len(scans),
        "levels": {str(level): count for level, count in counted(s.level for s in scans)},
        "empty_spectra": sum(not scan.peaks for scan in scans),
        "chromatograms": recording.chromatograms,
        "modes": _by_level(scans, lambda some: _common(s.mode for s in some)),
        "polarity": _common(scan.polarity for scan in scans),
        "first_s": min(scan.time for scan in scans),
        "last_s": max(scan.time for scan in scans),
        "mz_range": _by_level(scans, _range),
        "median_peaks": _by_level(scans, lambda some: median(s.peaks for s in some)),
        "survey_level": survey[0].level,
        "total_ion_current": sum(scan.total for scan in survey),
        "base_peak": {"intensity": apex.base, "mz": apex.base_mz, "time_s": apex.time},
        "charges": _charges(scans),
        "precursor_range": _extent([s.precursor for s in scans if s.precursor]),
        "injection_ms": _injection(scans),
        "tic_quartiles_s": _quartiles(survey),
        **_intervals(scans),
        **_stability(survey),
    }
    return {**figures, "notes": notes(figures)}


def survey_of(scans: Sequence[Scan]) -> list[Scan]:
    """Return the spectra for chromatograms: those of the lowest MS level, usually MS1."""
    lowest = min(scan.level for scan in scans)
    return [scan for scan in scans if scan.level == lowest]


def counted(values: Iterable[Any]) -> list[tuple[Any, int]]:
    return sorted(Counter(values).items())


def notes(figures: dict[str, Any]) -> list[str]:
    """Return notes on unusual metrics of a run."""
    sentences = []
    if "1" not in figures["levels"]:
        sentences.append("The run has no MS1 spectra. The chromatogram shows the MS2 spectra.")
    if "2" not in figures["levels"]:
        sentences.append("The run has no MS2 spectra, so no peptides can be identified.")
    if figures["empty_spectra"]:
        sentences.append(
            f"{with_noun(figures['empty_spectra'], 'spectrum has', 'spectra have')} no peaks."
        )
    if figures["modes"].get("2") == "profile":
        sentences.append(
            "The MS2 spectra are profile data; identification requires centroided spectra."
        )
    gap, usual = figures["longest_gap_s"], figures["interval_s"]
    if gap is not None and usual is not None and gap > max(LONG_GAP_S, LONG_GAP_RATIO * usual):
        sentences.append(
            f"No spectra were recorded for {gap:.0f} s, from {figures['gap_from_s'] / 60:.2f} min."
        )
    changes = figures["jumps"] + figures["falls"]
    if changes and figures["survey_level"] == 1:
        sentences.append(
            f"The MS1 signal changed at least {JUMP_RATIO}-fold between consecutive spectra "
            f"{with_noun(changes, 'time', 'times')}. Check the stability of the spray."
        )
    if unknown := figures["charges"].get("unknown"):
        sentences.append(f"{with_noun(unknown, 'precursor has', 'precursors have')} no charge.")
    return sentences


def _by_level(scans: Sequence[Scan], figure) -> dict[str, Any]:
    levels = sorted({scan.level for scan in scans})
    return {str(level): figure([s for s in scans if s.level == level]) for level in levels}


def _common(values: Iterable[str]) -> str:
    """Return the value that all have, ignoring `unknown`, or `mixed`."""
    known = set(values) - {"unknown"}
    if len(known) > 1:
        return "mixed"
    return known.pop() if known else "unknown"


def _extent(values: Sequence[float]) -> list[float] | None:
    return [min(values), max(values)] if values else None


def _range(scans: Sequence[Scan]) -> list[float] | None:
    """Return the lowest and highest observed m/z."""
    return _extent([end for s in scans for end in (s.low, s.high) if end is not None])


def _charges(scans: Sequence[Scan]) -> dict[str, int]:
    fragmented = [scan.charge for scan in scans if scan.precursor is not None]
    known = {str(charge): count for charge, count in counted(c for c in fragmented if c)}
    unknown = fragmented.count(0)
    return {**known, "unknown": unknown} if unknown else known


def _injection(scans: Sequence[Scan]) -> dict[str, dict[str, float]]:
    """Return the ion injection times by MS level, if the file has them."""
    by_level = {}
    for level in sorted({scan.level for scan in scans}):
        times = [s.injection for s in scans if s.level == level and s.injection is not None]
        if times:
            by_level[str(level)] = {"median": median(times), "longest": max(times)}
    return by_level


def _intervals(scans: Sequence[Scan]) -> dict[str, float | None]:
    """Return times between spectra and between MS1 spectra (cycles), and MS2 spectra per cycle."""
    times = sorted(scan.time for scan in scans)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    longest = max(range(len(gaps)), key=gaps.__getitem__) if gaps else None
    surveys = sorted(scan.time for scan in scans if scan.level == 1)
    cycles = [later - earlier for earlier, later in pairwise(surveys)]
    second = sum(scan.level == 2 for scan in scans)
    return {
        "interval_s": median(gaps) if gaps else None,
        "longest_gap_s": gaps[longest] if longest is not None else None,
        "gap_from_s": times[longest] if longest is not None else None,
        "cycle_s": median(cycles) if cycles else None,
        "ms2_per_ms1": second / len(surveys) if surveys else None,
    }


def _stability(survey: Sequence[Scan]) -> dict[str, int]:
    """Count how often the signal rises or falls at least JUMP_RATIO-fold between spectra."""
    totals = [scan.total for scan in sorted(survey, key=lambda s: s.time) if scan.total > 0]
    pairs = list(pairwise(totals))
    return {
        "jumps": sum(later >= JUMP_RATIO * earlier for earlier, later in pairs),
        "falls": sum(earlier >= JUMP_RATIO * later for earlier, later in pairs),
    }


def _quartiles(survey: Sequence[Scan]) -> list[float]:
    """Return the times at which 25, 50 and 75% of the ion current were recorded."""
    ordered = sorted(survey, key=lambda scan: scan.time)
    total, reached, marks = sum(scan.total for scan in ordered), 0.0, []
    for scan in ordered:
        reached += scan.total
        while len(marks) < 3 and total and reached >= total * (len(marks) + 1) / 4:
            marks.append(scan.time)
    return marks


def chromatogram(survey: Sequence[Scan], points: int) -> list[list[float]]:
    """Return at most `points` points: minutes, total, base peak and its m/z.

    Each point is the highest of its time interval, so that no peak is lost.
    """
    ordered = sorted(survey, key=lambda scan: scan.time)
    width = max(1, -(-len(ordered) // points))
    chosen = []
    for start in range(0, len(ordered), width):
        interval = ordered[start : start + width]
        best = max(interval, key=lambda scan: scan.total)
        base = max(interval, key=lambda scan: scan.base)
        chosen.append([best.time / 60, best.total, base.base, base.base_mz or 0.0])
    return chosen
