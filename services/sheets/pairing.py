"""Pairs FASTQ files by their names, as sequencers and archives write them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from services.errors import Message
from services.models import Model
from services.sheets.checking import short_name
from services.sheets.model import Issue

FASTQ = re.compile(r"\.(fastq|fq)(\.(gz|bz2|xz|zst))?$", re.IGNORECASE)
PAIRED = ("sample", "fastq_1", "fastq_2")  # the columns of a row, as nf-core has them
USUAL_NAMES = ("a_R1.fastq.gz", "a_R1.fastq", "a_R1.fq.gz", "a_R1.fq")
#: The mate at the end of a name: _R1, _R1_001 (Illumina), _1 and .1 (archives), -R1, _read1
MATE = re.compile(r"(?P<mark>[._-](?:R|read)?)(?P<mate>[12])(?P<rest>_[0-9]{3})?$", re.IGNORECASE)
LANE = re.compile(r"_(?P<lane>L[0-9]{3})(?=_|$)")
NUMBER = re.compile(r"_S[0-9]+$")  # position on Illumina's sample sheet

NOT_FASTQ = Message(
    "wrong_kind_of_file",
    "{file} was left out: it is not a FASTQ file.",
    hint="The name of a FASTQ file should end in .fastq.gz.",
)
SAME_MATE = Message("not_unique", "{file} was left out: {other} is the same mate of the sample.")
NO_FIRST_MATE = Message(
    "missing",
    "{file} was left out: the file with the first reads is missing.",
    hint="Add the file with the first reads.",
)
NO_SECOND_MATE = Message(
    "missing",
    "{file} was added as single reads: there is no file with the second reads.",
    hint="If there are second reads, add their file.",
)


class Pairs(Model):
    """Samples with their paired files, and the issues of the other files."""

    records: list[dict[str, Any]] = Field(
        description="sample, fastq_1, for pairs fastq_2, and lane where the names have lanes"
    )
    issues: list[Issue]


def pair(names: Iterable[str]) -> Pairs:
    """Pair the names of FASTQ files; a file without a mark of its mate has single reads.

    Each lane of a sample is a row of its own. Left out with an issue: files that are not FASTQ,
    second mates without a first, repeated names. First mates without a second are kept as single
    reads, with a warning.
    """
    samples: dict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
    issues: list[Issue] = []
    for name in sorted(names):
        key = _split(name)
        if key is None:
            issues.append(Issue.of(NOT_FASTQ(file=name)))
        elif key[3] in samples[key[:3]]:
            other = samples[key[:3]][key[3]]
            issues.append(Issue.of(SAME_MATE(file=name, other=other)))
        else:
            samples[key[:3]][key[3]] = name
    records = []
    for (sample, lane, _), mates in sorted(samples.items()):
        if "1" not in mates and "2" in mates:
            issues.append(Issue.of(NO_FIRST_MATE(file=mates["2"])))
            continue
        first = mates.get("1") or mates[""]
        record = {"sample": sample, "fastq_1": first}
        if "2" in mates:
            record["fastq_2"] = mates["2"]
        elif "1" in mates:
            issues.append(Issue.of(NO_SECOND_MATE(file=mates["1"]), severity="warning"))
        records.append(record | ({"lane": lane} if lane else {}))
    return Pairs(records=records, issues=issues)


def takes_fastq(column: Mapping[str, Any]) -> bool:
    """Return whether a column of files accepts FASTQ files, by its pattern for names."""
    pattern = column.get("pattern")
    return not pattern or any(re.search(pattern, name) for name in USUAL_NAMES)


def _split(name: str) -> tuple[str, str, str, str] | None:
    """Return sample, lane, style of the mark, and mate ("1", "2", "") of the name of a file.

    None when the file is not FASTQ by its name.
    """
    stem, count = FASTQ.subn("", short_name(name))
    if not count:
        return None
    mark = MATE.search(stem)
    mate = mark["mate"] if mark else ""
    style = f"{mark['mark'].lower()}{mark['rest'] or ''}" if mark else ""
    stem = stem[: mark.start()] if mark else stem
    lane = LANE.search(stem)
    stem = stem[: lane.start()] + stem[lane.end() :] if lane else stem
    return NUMBER.sub("", stem) or stem, lane["lane"] if lane else "", style, mate
