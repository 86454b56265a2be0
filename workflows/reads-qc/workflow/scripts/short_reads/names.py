"""Names of the two reads of a pair."""

import re

# The mate number or letter at the end of a name: /1, .1, _1, :1, -1, 1, _R1, /F. CASAVA writes
# more behind the number; its blank before the number is sometimes replaced by an underscore.
MATE = re.compile(
    r"(?P<stem>.+?)(?P<separator>[/._:-]?[Rr]?)(?P<mate>[123])(?::[YN]:\d+:\S*)?"
    r"|(?P<letter_stem>.+)(?P<letter_separator>[/._:-])(?P<letter>[FRfr])"
)


def common_name(first: str, second: str) -> str | None:
    """Return the name of a pair from the names of its reads; None if they are not mates."""
    if first == second:
        return first
    marks = MATE.fullmatch(first), MATE.fullmatch(second)
    if not marks[0] or not marks[1]:
        return None
    (stem, *mark), (other_stem, *other_mark) = (parts(match) for match in marks)
    return stem if (stem, mark[0]) == (other_stem, other_mark[0]) and mark != other_mark else None


def parts(match: re.Match[str]) -> tuple[str, str, str]:
    """Return the name without its mate, the separator and the mate."""
    if match["mate"]:
        return match["stem"], match["separator"], match["mate"]
    return match["letter_stem"], match["letter_separator"], match["letter"].upper()
