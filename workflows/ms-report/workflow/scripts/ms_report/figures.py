"""Number formats of the report."""

import math
from collections.abc import Sequence
from typing import Any

NONE = "–"
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
HISTOGRAM_BARS = 15


def grouped(number: float | None) -> str:
    """Return a rounded number with thousands separators."""
    return NONE if number is None else f"{number:,.0f}"


def decimal(number: float | None, digits: int = 2) -> str:
    return NONE if number is None else f"{number:,.{digits}f}"


def minutes(seconds: float | None, digits: int = 2) -> str:
    return decimal(None if seconds is None else seconds / 60, digits)


def duration(length: float) -> str:
    """Return a length in minutes as minutes, hours or days."""
    if length < 120:
        return f"{length:.0f} min"
    return f"{length / 60:.1f} h" if length < 48 * 60 else f"{length / 1440:,.0f} days"


def power(number: float | None) -> str:
    """Return an intensity, such as 1.20 × 10⁷."""
    if number is None:
        return NONE
    if abs(number) < 10_000:
        return f"{number:,.4g}"
    exponent = math.floor(math.log10(abs(number)))
    return f"{number / 10**exponent:.2f} × 10{str(exponent).translate(SUPERSCRIPT)}"


def size(count: int) -> str:
    """Return a number of bytes with its unit."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"


def extent(ends: Sequence[float] | None, digits: int = 1) -> str:
    return NONE if ends is None else f"{ends[0]:,.{digits}f} to {ends[1]:,.{digits}f}"


def moment(written: str) -> str:
    return written.replace("T", " ") if written else NONE


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: 1 row, 2 rows."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def rounded(figure: float) -> float:
    """Round to six significant digits, enough for a figure."""
    return float(f"{figure:.6g}")


def histogram(values: Sequence[float]) -> dict[str, Any] | None:
    """Return a histogram of bars with equal width; heights are percentages of the highest bar."""
    if not values:
        return None
    low, high = min(values), max(values)
    width = (high - low) / HISTOGRAM_BARS or 1.0
    counts = [0] * HISTOGRAM_BARS
    for value in values:
        counts[min(HISTOGRAM_BARS - 1, int((value - low) / width))] += 1
    tallest = max(counts)
    bars = [{"count": count, "height": round(100 * count / tallest, 1)} for count in counts]
    return {"low": low, "high": high, "bars": bars}


FILTERS = {
    "grouped": grouped,
    "decimal": decimal,
    "minutes": minutes,
    "duration": duration,
    "power": power,
    "size": size,
    "extent": extent,
    "moment": moment,
    "counted": counted,
}
