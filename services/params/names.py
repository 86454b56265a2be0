"""How names of files, samples and columns compare, whatever program or keyboard wrote them.

Three forms of a name, from the most exact to the least:

- as it is written;
- `normal`: composed letters (NFC), without invisible characters, with single blanks. macOS writes
  the names of files decomposed (NFD), and chat programs and web pages add invisible characters.
- `folded`: also without differences of width and case.

Code that looks for a name takes the first form in which there is a match (`best_matches`), so that
an exact name always wins.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property

#: Default_Ignorable_Code_Point of Unicode (DerivedCoreProperties.txt) and annotation marks, without
#: the joiners and variation selectors that follow.
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
)
#: They shape letters of scripts such as Persian and Hindi, and emoji; elsewhere they are invisible.
JOINERS = re.compile(
    "(?<![\u0600-\u1cff\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])[\u200c\u200d]|[\u200c\u200d]$"
)
VARIATIONS = re.compile("[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def visible(text: str) -> str:
    """Return a text without invisible characters."""
    if text.isascii():
        return text
    return JOINERS.sub("", INVISIBLE.sub("", text))


def first_invisible(text: str) -> str:
    """Return the first invisible character as "U+200B"; "" where there is none."""
    if text.isascii():
        return ""
    match = INVISIBLE.search(text) or JOINERS.search(text)
    return f"U+{ord(match[0]):04X}" if match else ""


def normal(name: str) -> str:
    """Return a name with composed letters, without invisible characters, with single blanks."""
    return " ".join(unicodedata.normalize("NFC", visible(name)).split())


def folded(name: str) -> str:
    """Return the normal form of a name without differences of width and case.

    This is NFKC_Casefold of Unicode, with blanks collapsed.
    """
    text = VARIATIONS.sub("", re.sub("[\u200c\u200d]", "", normal(name)))
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(text.split())


class NameIndex:
    """Names to look for others in."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(dict.fromkeys(names))

    def best_matches(self, name: str) -> list[str]:
        """Return the names that are equal to a name in the most exact form that has any."""
        return (
            self._exact.get(name)
            or self._normal.get(normal(name))
            or self._folded.get(folded(name), [])
        )

    @cached_property
    def _exact(self) -> dict[str, list[str]]:
        return {name: [name] for name in self._names}

    @cached_property
    def _normal(self) -> dict[str, list[str]]:
        groups = defaultdict(list)
        for name in self._names:
            groups[normal(name)].append(name)
        return dict(groups)

    @cached_property
    def _folded(self) -> dict[str, list[str]]:
        groups = defaultdict(list)
        for name in self._names:
            groups[folded(name)].append(name)
        return dict(groups)


def best_matches(name: str, names: Iterable[str]) -> list[str]:
    """Return those of `names` that are equal to a name in the most exact form that has any."""
    return NameIndex(names).best_matches(name)
