"""Regular expressions that mean the same in Python and in JavaScript (ECMA-262, flag `u`).

JSON Schema defines `pattern` by ECMA-262. A submission checks patterns with Python.
"""

from __future__ import annotations

import re

#: Escapes that both know. Python also allows others, which JavaScript refuses.
ESCAPE = re.compile(
    r"\\(?:[\^$\\.*+?()\[\]{}|/dDwWsSbBfnrtv]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[1-9])"
)
GROUP = re.compile(r"\((?:\?(?::|=|!|<=|<!))?(?!\?)")
QUANTIFIER = re.compile(r"[*+?]\??(?![*+?])|\{[0-9]+(?:,[0-9]*)?\}\??(?![*+?])")
CLASS = re.compile(r"\[\^?(?:[^\]\[\\]|\\.)+\]")
IN_CLASS_ESCAPE = re.compile(
    r"\\(?:[\^$\\.*+?()\[\]{}|/\-dDwWsSbfnrtv]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})"
)
PLAIN = re.compile(r"[^\\()\[\]{}*+?]")


def is_portable(pattern: str) -> bool:
    """Return whether JavaScript accepts a pattern that Python accepts.

    False for some that it would accept as well.
    """
    position = 0
    while position < len(pattern):
        if part := CLASS.match(pattern, position):
            inner = IN_CLASS_ESCAPE.sub("", part[0])
            if "\\" in inner or "--" in inner or "&&" in inner:
                return False
        else:
            part = next(
                (
                    found
                    for kind in (ESCAPE, GROUP, QUANTIFIER, PLAIN)
                    if (found := kind.match(pattern, position))
                ),
                None,
            )
            if part is None and pattern[position] != ")":
                return False
        position = part.end() if part else position + 1
    return True
