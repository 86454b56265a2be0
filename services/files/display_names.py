"""Names of files as text for pages, URLs and JSON, whatever their bytes on disk are."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
#: Categories of Unicode: surrogates (bytes that are not UTF-8), control characters, line ends
NOT_DISPLAYED = {"Cs", "Cc", "Zl", "Zp"}


def display_name(path: str) -> str:
    """Return a name or path with � for each byte that is not UTF-8 and each control character."""
    if path.isprintable():
        return path
    return "".join(
        REPLACEMENT if unicodedata.category(char) in NOT_DISPLAYED else char for char in path
    )


def display_names(paths: Iterable[str]) -> dict[str, str]:
    """Return {display name: path} in the order of `paths`.

    Paths with the same display name get a number, in the order of their names; a path that needs no
    replacement keeps its name.
    """
    ordered = list(dict.fromkeys(paths))
    names = {path: path for path in ordered if display_name(path) == path}
    taken = set(names)
    for path in sorted(path for path in ordered if path not in names):
        names[path] = _unused(display_name(path), taken)
        taken.add(names[path])
    return {names[path]: path for path in ordered}


def _unused(name: str, taken: set[str]) -> str:
    """Return `name`, with a number before its ending if it is in `taken`."""
    folder, slash, last = name.rpartition("/")
    stem, dot, ending = last.partition(".") if not last.startswith(".") else (last, "", "")
    number, unused = 1, name
    while unused in taken:
        number += 1
        unused = f"{folder}{slash}{stem} ({number}){dot}{ending}"
    return unused
