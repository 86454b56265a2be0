"""The file name endings that the pattern of a file field accepts, for people and for browsers."""

from __future__ import annotations

from pathlib import PurePosixPath

from services.params.file_names import accepted_endings


def endings(pattern: str | None) -> str:
    """Return the accepted endings, for example ".fa, .fasta (also with .gz)".

    Empty if there is no pattern or if it is not a plain list of endings.
    """
    accepted = accepted_endings(pattern or "")
    double = [ending for ending in accepted if _last(ending) != ending]
    single = [ending for ending in accepted if ending not in double]
    seconds = sorted({_last(ending) for ending in double}, key=len)  # .gz before .bgz
    if seconds and set(double) == {first + second for first in single for second in seconds}:
        return f"{', '.join(single)} (also with {' or '.join(seconds)})"
    return ", ".join(accepted)


def chooser_filter(pattern: str | None) -> str:
    """Return the attribute `accept` of a file input, for example ".fa,.fasta,.gz".

    Browsers compare it with the last ending of a name only, in any case. Empty if all files or
    unlisted names are accepted.
    """
    return ",".join(dict.fromkeys(map(_last, accepted_endings(pattern or ""))))


def _last(ending: str) -> str:
    """Return the last part of an ending: ".fastq.gz" → ".gz"."""
    return PurePosixPath(f"name{ending}").suffix
