"""Quality of a run in figures.

Where a figure has a name in the quality-control vocabulary of HUPO-PSI (mzQC), it means the same
here: jumps and falls of the MS1 signal are those of QuaMeter (Ma et al., 2012).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from ms_report.mzml import Recording, Scan

JUMP = 10  # ratio of two MS1 totals in a row that counts as a jump or a fall
LONG_GAP = 30.0  # s without a spectrum that the report points at, and at least
GAP_RATIO = 20  # times the median interval


def metrics(recording: Recording, name: str, size: int) -> dict[str, Any]:
    """All figures of a run. `size` in bytes; times in s, m/z in Th, injection times in ms."""
    scans = recording.scans
    survey = survey_of(scans)
    apex = max(survey, key=lambda scan: scan.base)
    found = {
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
    return {**found, "notes": notes(found)}


def survey_of(scans: Sequence[Scan]) -> list[Scan]:
    """The spectra that chromatograms are made of: the lowest level there is, usually MS1."""
    lowest = min(scan.level for scan in scans)
    return [scan for scan in scans if scan.level == lowest]


def counted(values: Iterable[Any]) -> list[tuple[Any, int]]:
    return sorted(Counter(values).items())


def notes(found: dict[str, Any]) -> list[str]:
    """What somebody should look at, in sentences."""
    told = []
    if "1" not in found["levels"]:
        told.append("There are no MS1 spectra; the chromatograms are those of the MS2 spectra.")
    if "2" not in found["levels"]:
        told.append("There are no MS2 spectra, so nothing can be identified in this run.")
    if found["empty_spectra"]:
        told.append(f"{found['empty_spectra']:,} spectra hold no peaks.")
    if found["modes"].get("2") == "profile":
        told.append("The MS2 spectra are profile data; identification expects centroided ones.")
    gap, usual = found["longest_gap_s"], found["interval_s"]
    if gap is not None and usual is not None and gap > max(LONG_GAP, GAP_RATIO * usual):
        told.append(
            f"No spectrum was recorded for {gap:.0f} s, from {found['gap_from_s'] / 60:.2f} min."
        )
    if found["jumps"] + found["falls"] and found["survey_level"] == 1:
        changes = found["jumps"] + found["falls"]
        told.append(
            f"The MS1 signal changed {JUMP}-fold between neighbours {changes:,} "
            f"time{'s' * (changes > 1)}: look at the stability of the spray."
        )
    if found["charges"].get("unknown"):
        told.append(f"{found['charges']['unknown']:,} precursors come without a charge.")
    return told


def _by_level(scans: Sequence[Scan], figure) -> dict[str, Any]:
    levels = sorted({scan.level for scan in scans})
    return {str(level): figure([s for s in scans if s.level == level]) for level in levels}


def _common(values: Iterable[str]) -> str:
    """What all have, or `mixed`; those that say nothing do not count."""
    kinds = set(values) - {"unknown"}
    if len(kinds) > 1:
        return "mixed"
    return kinds.pop() if kinds else "unknown"


def _extent(values: Sequence[float]) -> list[float] | None:
    return [min(values), max(values)] if values else None


def _range(scans: Sequence[Scan]) -> list[float] | None:
    """Lowest and highest m/z that was observed."""
    return _extent([end for s in scans for end in (s.low, s.high) if end is not None])


def _charges(scans: Sequence[Scan]) -> dict[str, int]:
    fragmented = [scan.charge for scan in scans if scan.precursor is not None]
    known = {str(charge): count for charge, count in counted(c for c in fragmented if c)}
    unknown = fragmented.count(0)
    return {**known, "unknown": unknown} if unknown else known


def _injection(scans: Sequence[Scan]) -> dict[str, dict[str, float]]:
    """Ion injection times by level, where the file has them."""
    found = {}
    for level in sorted({scan.level for scan in scans}):
        times = [s.injection for s in scans if s.level == level and s.injection is not None]
        if times:
            found[str(level)] = {"median": median(times), "longest": max(times)}
    return found


def _intervals(scans: Sequence[Scan]) -> dict[str, float | None]:
    """Time between spectra, between MS1 spectra (a cycle), and MS2 spectra in a cycle."""
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
    """How often the total of a spectrum is ten times, or a tenth of, that of the one before."""
    totals = [scan.total for scan in sorted(survey, key=lambda s: s.time) if scan.total > 0]
    pairs = list(pairwise(totals))
    return {
        "jumps": sum(later >= JUMP * earlier for earlier, later in pairs),
        "falls": sum(earlier >= JUMP * later for earlier, later in pairs),
    }


def _quartiles(survey: Sequence[Scan]) -> list[float]:
    """When a quarter, half and three quarters of the ion current had arrived."""
    ordered = sorted(survey, key=lambda scan: scan.time)
    total, reached, marks = sum(scan.total for scan in ordered), 0.0, []
    for scan in ordered:
        reached += scan.total
        while len(marks) < 3 and total and reached >= total * (len(marks) + 1) / 4:
            marks.append(scan.time)
    return marks


def chromatogram(survey: Sequence[Scan], points: int) -> list[list[float]]:
    """Minutes, total, base peak and its m/z: at most `points`, the highest of each stretch.

    Of a stretch the spectrum with the highest total stands for all, so that no peak gets lost.
    """
    ordered = sorted(survey, key=lambda scan: scan.time)
    width = max(1, -(-len(ordered) // points))
    shown = []
    for start in range(0, len(ordered), width):
        stretch = ordered[start : start + width]
        best = max(stretch, key=lambda scan: scan.total)
        base = max(stretch, key=lambda scan: scan.base)
        shown.append([best.time / 60, best.total, base.base, base.base_mz or 0.0])
    return shown
