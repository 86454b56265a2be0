"""Which run belongs to which row: told by file names, as people write them in tables."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence

# What instruments and converters add to the name of a run.
ENDING = re.compile(r"(\.(gz|mzml|mzxml|raw|wiff2?|d|lcd|tdf))+$")


def run_name(written: str) -> str:
    """A file name without what does not tell runs apart: folders, case, width and endings."""
    last = re.split(r"[/\\]", written.strip().rstrip("/\\"))[-1]
    return ENDING.sub("", unicodedata.normalize("NFKC", last).casefold().strip())


def match(files: Sequence[str | None], runs: Mapping[str, str]) -> list[str | None]:
    """The run that each file name of the table means; None where there is none.

    `runs` gives each run's key its file name. A name that means several runs, as in two folders,
    means none of them.
    """
    known = defaultdict(list)
    for key, name in runs.items():
        known[run_name(name)].append(key)
    found = [known.get(run_name(file), []) if file else [] for file in files]
    return [keys[0] if len(keys) == 1 else None for keys in found]
