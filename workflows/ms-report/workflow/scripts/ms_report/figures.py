"""Numbers as the report writes them."""

import math
from collections.abc import Sequence
from typing import Any

NONE = "–"
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
BARS = 15  # of a histogram


def grouped(number: float | None) -> str:
    """A whole number with its thousands apart."""
    return NONE if number is None else f"{number:,.0f}"


def decimal(number: float | None, digits: int = 2) -> str:
    return NONE if number is None else f"{number:,.{digits}f}"


def minutes(seconds: float | None, digits: int = 2) -> str:
    return decimal(None if seconds is None else seconds / 60, digits)


def duration(length: float) -> str:
    """Minutes in the unit that suits them."""
    if length < 120:
        return f"{length:.0f} min"
    return f"{length / 60:.1f} h" if length < 48 * 60 else f"{length / 1440:,.0f} days"


def power(number: float | None) -> str:
    """An intensity: 1.2 × 10⁷."""
    if number is None:
        return NONE
    if abs(number) < 10_000:
        return f"{number:,.4g}"
    exponent = math.floor(math.log10(abs(number)))
    return f"{number / 10**exponent:.2f} × 10{str(exponent).translate(SUPERSCRIPT)}"


def size(count: int) -> str:
    """A number of bytes."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"


def extent(ends: Sequence[float] | None, digits: int = 1) -> str:
    return NONE if ends is None else f"{ends[0]:,.{digits}f} to {ends[1]:,.{digits}f}"


def moment(written: str) -> str:
    return written.replace("T", " ") if written else NONE


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: 1 row, 2 rows."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def rounded(figure: float) -> float:
    """To six digits: what a picture can show."""
    return float(f"{figure:.6g}")


def histogram(values: Sequence[float]) -> dict[str, Any] | None:
    """Equal bars from the lowest to the highest value: heights in percent of the highest bar."""
    if not values:
        return None
    low, high = min(values), max(values)
    width = (high - low) / BARS or 1.0
    counts = [0] * BARS
    for value in values:
        counts[min(BARS - 1, int((value - low) / width))] += 1
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
