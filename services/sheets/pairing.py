"""FASTQ files paired by their names, as sequencers and archives write them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field

from services.models import Model
from services.sheets.checking import short_name
from services.sheets.model import Issue

FASTQ = re.compile(r"\.(fastq|fq)(\.(gz|bz2|xz|zst))?$", re.IGNORECASE)
PAIRED = ("sample", "fastq_1", "fastq_2")  # the columns of a row, as nf-core has them
USUAL = ("a_R1.fastq.gz", "a_R1.fastq", "a_R1.fq.gz", "a_R1.fq")
#: The mate at the end of a name: _R1, _R1_001 (Illumina), _1 and .1 (archives), -R1, _read1
MATE = re.compile(r"(?P<mark>[._-](?:R|read)?)(?P<mate>[12])(?P<rest>_[0-9]{3})?$", re.IGNORECASE)
LANE = re.compile(r"_(?P<lane>L[0-9]{3})(?=_|$)")
NUMBER = re.compile(r"_S[0-9]+$")  # the place on Illumina's sheet


class Pairs(Model):
    """Samples as files were paired, and what was left over."""

    records: list[dict[str, Any]] = Field(
        description="sample, fastq_1, of pairs fastq_2, and lane where the names have lanes"
    )
    issues: list[Issue]


def pair(names: Iterable[str]) -> Pairs:
    """Pair the names of FASTQ files; a file without a mark of its mate is single.

    Lanes of a sample are rows of their own, one below the other. Left over are files that are no
    FASTQ, second mates without a first, names given twice; first mates without a second are told
    and kept as single.
    """
    found: dict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
    issues: list[Issue] = []
    for name in sorted(names):
        key = _split(name)
        if key is None:
            issues.append(_left(name, "is no FASTQ file", "Its name should end in .fastq.gz"))
        elif key[3] in found[key[:3]]:
            issues.append(_left(name, f"is as good a mate as {found[key[:3]][key[3]]}"))
        else:
            found[key[:3]][key[3]] = name
    records = []
    for (sample, lane, _), mates in sorted(found.items()):
        if "1" not in mates and "2" in mates:
            issues.append(_left(mates["2"], "has no first mate", "Add the file of the first reads"))
            continue
        first = mates.get("1") or mates[""]
        record = {"sample": sample, "fastq_1": first}
        if "2" in mates:
            record["fastq_2"] = mates["2"]
        elif "1" in mates:
            issues.append(_alone(mates["1"]))
        records.append(record | ({"lane": lane} if lane else {}))
    return Pairs(records=records, issues=issues)


def takes_fastq(column: Mapping[str, Any]) -> bool:
    """Whether a column of files takes FASTQ files, by the pattern of their names."""
    pattern = column.get("pattern")
    return not pattern or any(re.search(pattern, name) for name in USUAL)


def _split(name: str) -> tuple[str, str, str, str] | None:
    """Sample, lane, how mates are marked, and mate ("1", "2", "") of a file's name."""
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


def _left(name: str, why: str, hint: str = "") -> Issue:
    return Issue(message=f"{name} {why}; it was left out.", hint=hint and f"{hint}.")


def _alone(name: str) -> Issue:
    return Issue(
        message=f"{name} has no partner; it was taken as single reads.",
        hint="Add the file of the second reads if there is one.",
        severity="warning",
    )
