"""Matching of table rows to runs by file name."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

Comparison = Callable[[str], str]

# File endings of instruments and converters.
ENDING = re.compile(r"(\.(b?gz|mzml|mzxml|raw|wiff2?|d|lcd|tdf))+$")


def run_name(written: str) -> str:
    """Return a file name for comparison: without folders and endings, case and width folded."""
    return ENDING.sub("", _folded(written).casefold())


def _last_part(written: str) -> str:
    return re.split(r"[/\\]", written.strip().rstrip("/\\"))[-1]


def _composed(written: str) -> str:
    return unicodedata.normalize("NFC", _last_part(written))


def _folded(written: str) -> str:
    """Return a name with one width and without invisible letters (Unicode category Cf)."""
    text = unicodedata.normalize("NFKC", _last_part(written))
    return "".join(letter for letter in text if unicodedata.category(letter) != "Cf").strip()


def _without_ending(written: str) -> str:
    return re.sub(ENDING.pattern, "", _folded(written), flags=re.IGNORECASE)


def _in_lower_case(written: str) -> str:
    return _folded(written).casefold()


# From strict to tolerant; the first with which a name matches any run decides.
COMPARISONS = (_last_part, _composed, _folded, _without_ending, _in_lower_case, run_name)


def match(files: Sequence[str | None], runs: Mapping[str, str]) -> list[str | None]:
    """Return the key of the run that each file name matches; None for no run or several runs.

    A run with exactly this name is preferred to runs with similar names.

    `runs` has the file name of each run by its key.
    """
    tables = []
    for comparable in COMPARISONS:
        known = defaultdict(list)
        for key, name in runs.items():
            known[comparable(name)].append(key)
        tables.append((comparable, known))
    return [_match(file, tables) if file else None for file in files]


def _match(file: str, tables: Sequence[tuple[Comparison, Mapping[str, list[str]]]]) -> str | None:
    for comparable, known in tables:
        if keys := known.get(comparable(file)):
            return keys[0] if len(keys) == 1 else None
    return None
