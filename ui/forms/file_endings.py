"""The file name endings that the pattern of a file field accepts, for messages to people."""

from __future__ import annotations

import re

#: Patterns such as `\.(fa|fasta)(\.b?gz)?$`: endings, then perhaps an optional second ending.
ENDINGS = re.compile(r"\\\.(\w+|\([\w|]+\))(\(\\\.(b\?)?(\w+)\)\?)?\$")
#: One letter in either case: `[fF]`.
EITHER_CASE = re.compile(r"\[(\w)(\w)\]")


def endings(pattern: str | None) -> str:
    """Return the accepted endings, for example ".fa, .fasta (also with .gz)".

    Empty if there is no pattern or if it is not a plain list of endings.
    """
    plain = EITHER_CASE.sub(_lower, pattern or "")
    if not (match := ENDINGS.fullmatch(plain)):
        return ""
    names = ", ".join(f".{name}" for name in match[1].strip("()").split("|"))
    if not match[4]:
        return names
    packed = f".{match[4]} or .b{match[4]}" if match[3] else f".{match[4]}"
    return f"{names} (also with {packed})"


def _lower(match: re.Match[str]) -> str:
    return match[1].lower() if match[1].lower() == match[2].lower() else match[0]
