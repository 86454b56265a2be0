"""Matching of table rows to runs by file name."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence

# File endings of instruments and converters.
ENDING = re.compile(r"(\.(gz|mzml|mzxml|raw|wiff2?|d|lcd|tdf))+$")


def run_name(written: str) -> str:
    """Return a file name for comparison: without folders and endings, case and width folded."""
    last = re.split(r"[/\\]", written.strip().rstrip("/\\"))[-1]
    return ENDING.sub("", unicodedata.normalize("NFKC", last).casefold().strip())


def match(files: Sequence[str | None], runs: Mapping[str, str]) -> list[str | None]:
    """Return the key of the run that each file name matches; None for no run or several runs.

    `runs` has the file name of each run by its key.
    """
    known = defaultdict(list)
    for key, name in runs.items():
        known[run_name(name)].append(key)
    matches = [known.get(run_name(file), []) if file else [] for file in files]
    return [keys[0] if len(keys) == 1 else None for keys in matches]
