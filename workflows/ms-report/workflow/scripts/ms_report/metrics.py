"""Quality metrics of a run.

Metrics that are in the quality-control vocabulary of HUPO-PSI (mzQC) follow its definitions. Jumps
and falls of the MS1 signal are defined as in QuaMeter (Ma et al., 2012).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from ms_report.figures import counted as with_noun
from ms_report.mzml import Recording, Scan

JUMP_RATIO = 10  # of the totals of consecutive MS1 spectra
LONG_GAP_S = 30.0  # gaps between spectra are noted if longer than this and
UNKNOWN_LEVEL = "unknown"
LONG_GAP_RATIO = 20  # times the median interval


def metrics(recording: Recording, name: str, size: int, problem: str = "") -> dict[str, Any]:
    """Return all metrics of a run. `size` is in bytes; times are in s, injection times in ms.

    `problem` is the reason why a run could not be measured; its recording is empty.
    """
    scans = recording.scans
    survey = survey_of(scans)
    apex = max(survey, key=lambda scan: scan.base, default=None)
    times = [scan.time for scan in scans if scan.time is not None]
    figures = {
        "file": name,
        "bytes": size,
        "instrument": recording.instrument,
        "started": recording.started,
        "spectra": len(scans),
        "light_spectra": recording.light_spectra,
        "levels": {level_name(level): n for level, n in counted(s.level for s in scans)},
        "empty_spectra": sum(not scan.peaks for scan in scans),
        "chromatograms": recording.chromatograms,
        "modes": _by_level(scans, lambda some: _common(s.mode for s in some)),
        "polarity": _common(scan.polarity for scan in scans),
        "first_s": min(times, default=None),
        "last_s": max(times, default=None),
        "without_time": len(scans) - len(times),
        "not_finite": recording.not_finite,
        "inferred_levels": recording.inferred_levels,
        "mz_range": _by_level(scans, _range),
        "median_peaks": _by_level(scans, lambda some: median(s.peaks for s in some)),
        "survey_level": survey[0].level if survey else None,
        "total_ion_current": sum(scan.total for scan in survey) if survey else None,
        "base_peak": {
            "intensity": apex.base if apex else None,
            "mz": apex.base_mz if apex else None,
            "time_s": apex.time if apex else None,
        },
        "charges": _charges(scans),
        "precursor_range": _extent([s.precursor for s in scans if s.precursor]),
        "injection_ms": _injection(scans),
        "tic_quartiles_s": _quartiles(survey),
        **_intervals(scans),
        **_stability(survey),
    }
    return {**figures, "problem": problem, "notes": [problem] if problem else notes(figures)}


def survey_of(scans: Sequence[Scan]) -> list[Scan]:
    """Return the spectra for chromatograms: those of the lowest known MS level, usually MS1."""
    lowest = min((scan.level for scan in scans if scan.level), default=0)
    return [scan for scan in scans if scan.level == lowest]


def level_name(level: int) -> str:
    return str(level) if level else UNKNOWN_LEVEL


def by_time(scans: Sequence[Scan]) -> list[Scan]:
    """Return the spectra by time; in file order if any has no time."""
    if any(scan.time is None for scan in scans):
        return list(scans)
    return sorted(scans, key=lambda scan: scan.time or 0.0)


def counted(values: Iterable[Any]) -> list[tuple[Any, int]]:
    return sorted(Counter(values).items())


def notes(figures: dict[str, Any]) -> list[str]:
    """Return notes on unusual metrics of a run."""
    sentences = []
    sentences += [*input_notes(figures)]
    if "1" not in figures["levels"]:
        shown = figures["survey_level"]
        of_level = f"MS{shown} spectra" if shown else "spectra without an MS level"
        sentences.append(f"The run has no MS1 spectra. The chromatogram shows the {of_level}.")
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


def input_notes(figures: dict[str, Any]) -> Iterator[str]:
    """Yield notes on values that the file lacks, or that are not those of mass spectra."""
    if light := figures["light_spectra"]:
        counts = with_noun(light, "UV or PDA spectrum is", "UV or PDA spectra are")
        yield f"{counts} not included in any figure."
    if inferred := figures["inferred_levels"]:
        counts = with_noun(inferred, "spectrum has", "spectra have")
        yield (
            f"{counts} no MS level in the file; it was inferred from the type and the precursor. "
            "Identification skips such spectra."
        )
    if figures["without_time"]:
        counts = with_noun(figures["without_time"], "spectrum has", "spectra have")
        yield f"{counts} no scan time and cannot be placed in the chromatogram."
    if figures["not_finite"]:
        counts = with_noun(figures["not_finite"], "spectrum has", "spectra have")
        yield f"{counts} values that are not finite numbers (NaN, infinity); these were left out."


def _by_level(scans: Sequence[Scan], figure) -> dict[str, Any]:
    levels = sorted({scan.level for scan in scans})
    return {level_name(level): figure([s for s in scans if s.level == level]) for level in levels}


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
            by_level[level_name(level)] = {"median": median(times), "longest": max(times)}
    return by_level


def _intervals(scans: Sequence[Scan]) -> dict[str, float | None]:
    """Return times between spectra and between MS1 spectra (cycles), and MS2 spectra per cycle."""
    times = sorted(scan.time for scan in scans if scan.time is not None)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    longest = max(range(len(gaps)), key=gaps.__getitem__) if gaps else None
    surveys = sorted(s.time for s in scans if s.level == 1 and s.time is not None)
    first = sum(scan.level == 1 for scan in scans)
    cycles = [later - earlier for earlier, later in pairwise(surveys)]
    second = sum(scan.level == 2 for scan in scans)
    return {
        "interval_s": median(gaps) if gaps else None,
        "longest_gap_s": gaps[longest] if longest is not None else None,
        "gap_from_s": times[longest] if longest is not None else None,
        "cycle_s": median(cycles) if cycles else None,
        "ms2_per_ms1": second / first if first else None,
    }


def _stability(survey: Sequence[Scan]) -> dict[str, int]:
    """Count how often the signal rises or falls at least JUMP_RATIO-fold between spectra."""
    totals = [scan.total for scan in by_time(survey) if scan.total > 0]
    pairs = list(pairwise(totals))
    return {
        "jumps": sum(later >= JUMP_RATIO * earlier for earlier, later in pairs),
        "falls": sum(earlier >= JUMP_RATIO * later for earlier, later in pairs),
    }


def _quartiles(survey: Sequence[Scan]) -> list[float]:
    """Return the times at which 25, 50 and 75% of the ion current were recorded."""
    ordered = by_time([scan for scan in survey if scan.time is not None])
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
    ordered = by_time([scan for scan in survey if scan.time is not None])
    width = max(1, -(-len(ordered) // points))
    chosen = []
    for start in range(0, len(ordered), width):
        interval = ordered[start : start + width]
        best = max(interval, key=lambda scan: scan.total)
        base = max(interval, key=lambda scan: scan.base)
        chosen.append([best.time / 60, best.total, base.base, base.base_mz or 0.0])
    return chosen
