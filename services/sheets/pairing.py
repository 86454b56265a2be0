"""Pairs FASTQ files by their names, as sequencers, companies, archives and trimmers write them.

The rules are those of bcl2fastq and BCL Convert (`A_S1_L001_R1_001`), of Novogene and BGI
(`A_1.clean`), MGI (`V350012345_L01_24_1`), SRA and ENA (`SRR1234567_1`), Trim Galore
(`A_R1_val_1`), Trimmomatic (`A_1P`, `A_1U`) and fastp (`A.R1.trimmed`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

from pydantic import Field

from services.errors import Message
from services.models import Model
from services.params.file_names import accepted_name
from services.params.names import normal
from services.sheets.checking import short_name
from services.sheets.model import Issue, RowSchema

FASTQ = re.compile(r"\.(fastq|fq)(\.(gz|bgz|bz2|xz|zst))?$", re.IGNORECASE)
MAX_FILES_NAMED = 5  # in a message
PAIRED = ("sample", "fastq_1", "fastq_2")  # the columns of a row, as nf-core has them
USUAL_NAMES = ("a_R1.fastq.gz", "a_R1.fastq", "a_R1.fq.gz", "a_R1.fq")

#: Words that programs append to the name of a file that they have processed.
PROCESSED = (
    r"(?:[._-](?:clean|cleaned|trim|trimmed|trimming|filtered|filt|fastp|cutadapt|adapter|noadapt|"
    r"qc|hq|good|pass|paired|pair|pe|dedup|deduped|deduplicated|nohost|hostfree|host_removed|"
    r"decontam|decontaminated|sorted|repaired|fixed|corrected|cor|merged|sub|subsampled|raw))*"
)
#: The mate at the end of a name: _R1, _R1_001 (Illumina), _1 and .1 (archives), -R1, _read1, _1P.
MATE = re.compile(
    r"(?P<sample>.+?)(?P<mark>[._-](?:R|read|reads|mate|pair|end)?_?)(?P<mate>[1-9][0-9]?)"
    rf"(?P<part>_[0-9]{{3}})?(?P<words>{PROCESSED})$",
    re.IGNORECASE,
)
#: Trim Galore names the mate twice.
VALIDATED = re.compile(
    r"(?P<sample>.+?)(?:[._-]R?[12](?P<part>_[0-9]{3})?)?_val_(?P<mate>[12])$", re.IGNORECASE
)
TRIMMOMATIC = re.compile(r"(?P<sample>.+?)[._-]R?(?P<mate>[12])(?P<kind>[PU])$")
#: Reads that lost their mates in trimming; they stand in files of their own.
UNPAIRED = re.compile(
    r"(?P<sample>.+?)(?:[._-]R?[12](?:_[0-9]{3})?)?"
    r"[._-](?:unpaired|unpair|orphans?|singletons?|singles)"
    r"(?:[._-]?R?[12])?$",
    re.IGNORECASE,
)
INDEX = re.compile(r"(?P<sample>.+?)[._-]I[12](?P<part>_[0-9]{3})?$")
#: Marks that also have other meanings; they count only where both mates are there.
LETTERS = re.compile(
    r"(?P<sample>.+?)(?P<mark>[._-])(?P<mate>F|R|fwd|rev|forward|reverse|left|right)"
    rf"(?P<words>{PROCESSED})$",
    re.IGNORECASE,
)
INNER = re.compile(
    r"(?P<sample>.+)(?P<mark>[._-](?:R|read))(?P<mate>[12])(?P<rest>[._-].+)$", re.IGNORECASE
)
MATES = (("1", "2"), ("f", "r"), ("fwd", "rev"), ("forward", "reverse"), ("left", "right"))

#: A lane of Illumina has three digits; those of MGI and Novogene follow the flow cell.
LANE = re.compile(r"_(?P<lane>L[0-9]{3}|(?<=[A-Z0-9]{9}_)L[0-9]{1,2})(?=_|$)")
NUMBER = re.compile(r"_S[0-9]+$")  # position on Illumina's sample sheet
ACCESSION = re.compile(r"[SED]RR[0-9]{5,}")  # a run of SRA, ENA or DDBJ

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
INDEX_READS = Message("ok", "{file} was left out: it contains index reads.")
THIRD_READS = Message(
    "ok",
    "{file} was left out: it is file {number} of {sample}, and a row has two files.",
    hint="If it contains the second mates, enter it in the table.",
)
WITHOUT_MATES = Message(
    "ok",
    "{file} was left out: it contains the reads of {sample} that have no mate.",
    hint="Add a row for it to analyze these reads as well.",
)
NUMBERED = Message(
    "ok",
    "{files} were added as samples of their own: their numbers go beyond 2.",
    hint="If some of them are mates, enter these in the table.",
)
LANES = Message(
    "ok",
    "The {count} lanes of {sample} were added as samples of their own: {names}.",
    hint="To analyze them as one sample, concatenate their files before you upload them.",
)
RENAMED = Message(
    "not_unique", "{file} was added as {name}, because {sample} is the name of another row."
)


class Pairs(Model):
    """Samples with their paired files, and the issues of the other files."""

    records: list[dict[str, Any]] = Field(
        description="Rows for the sample sheet: the name of the sample and its files"
    )
    issues: list[Issue]


@dataclass(frozen=True)
class _Name:
    """What the name of a file says."""

    file: str
    stem: str  # without folders and the suffix
    sample: str
    mate: int = 0  # 1 or 2; more for further reads; 0 without a mark
    mark: str = ""  # how the mate is written; mates of a pair have the same mark
    part: str = ""  # of a lane, such as "_001"
    kind: str = ""  # "index", "unpaired"

    @property
    def key(self) -> tuple[str, str, str]:
        """What the files of a pair have in common."""
        return self.sample, self.mark, self.part


def pair(names: Iterable[str], *, lane_column: bool = False) -> Pairs:
    """Pair the names of FASTQ files; a file without a mark of its mate has single reads.

    Each lane of a sample is a row. Without a column for lanes, the samples of several lanes are
    named after sample and lane, so that names are unique (docs/design/decisions/0030).

    Left out with an issue: files that are not FASTQ, index reads, reads without mates beside pairs,
    second mates without a first, repeated names. First mates without a second are kept as single
    reads, with a warning.
    """
    issues: list[Issue] = []
    files = list(_files(names, issues))
    pairs = _pairs(files, issues)
    rows = _without_leftovers(pairs, issues)
    return Pairs(records=list(_records(rows, issues, lane_column)), issues=issues)


def pair_rows(names: Iterable[str], row_schema: Mapping[str, Any]) -> Pairs:
    """Pair the names of FASTQ files for a sample sheet: the records have the columns of its rows.

    `records` is empty where no column accepts FASTQ files.
    """
    schema = RowSchema(row_schema)
    columns = pair_columns(schema)
    if not columns:
        return Pairs(records=[], issues=[])
    lanes = "lane" in columns and (columns["sample"],) not in schema.keys
    pairs = pair(names, lane_column=lanes)
    records = [
        {columns[name]: value for name, value in record.items() if name in columns}
        for record in pairs.records
    ]
    return Pairs(records=records, issues=pairs.issues)


def pair_columns(schema: RowSchema) -> dict[str, str]:
    """Return field of a pair → column; empty if no column accepts FASTQ files.

    Columns with the names that nf-core uses take precedence over the first suitable ones.
    """
    if {"sample", "fastq_1"} <= schema.properties.keys():
        return {name: name for name in (*PAIRED, "lane") if name in schema.properties}
    reads = [name for name in schema.files if takes_fastq(schema.properties[name])]
    labels = [name for name in schema.properties if name not in schema.files]
    if not reads or not labels:
        return {}
    return dict(zip(PAIRED, [labels[0], *reads[:2]], strict=False))


def takes_fastq(column: Mapping[str, Any]) -> bool:
    """Return whether a column of files accepts FASTQ files, by its pattern for names."""
    return any(accepted_name(name, column.get("pattern")) for name in USUAL_NAMES)


def _files(names: Iterable[str], issues: list[Issue]) -> Iterator[_Name]:
    """Yield what the names say; an issue takes the place of those that are not FASTQ."""
    stems: list[tuple[str, str]] = []
    for name in sorted(names):
        stem, matches = FASTQ.subn("", normal(short_name(name)))
        if matches and stem:
            stems.append((name, stem))
        else:
            issues.append(Issue.of(NOT_FASTQ(file=name)))
    known = {stem for _, stem in stems}
    numbered = _numbered(known)
    for name, stem in stems:
        yield _named(name, stem, known, numbered)


def _numbered(stems: Iterable[str]) -> dict[tuple[str, str, str], set[int]]:
    """Return the numbers that stand where mates do, by the rest of the name."""
    numbers: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    for stem in stems:
        if match := MATE.fullmatch(stem):
            numbers[_rest(match)].add(int(match["mate"]))
    return numbers


def _rest(match: re.Match[str]) -> tuple[str, str, str]:
    """Return all of a name with a mate except the mate."""
    mark = f"{match['mark']}{match['words']}".lower()
    return match["sample"], mark, match["part"] or ""


def _named(
    file: str,
    stem: str,
    stems: set[str],
    numbered: Mapping[tuple[str, str, str], set[int]],
) -> _Name:
    """Return what a name says, by the first rule that fits it."""
    if match := INDEX.fullmatch(stem):
        reads = [other for other in stems if other != stem and _same_reads(match, other)]
        if match["part"] or reads:
            return _Name(file, stem, match["sample"], part=match["part"] or "", kind="index")
    if match := VALIDATED.fullmatch(stem):
        return _Name(file, stem, match["sample"], int(match["mate"]), "_val_", match["part"] or "")
    if match := TRIMMOMATIC.fullmatch(stem):
        if match["kind"] == "U":
            return _Name(file, stem, match["sample"], kind="unpaired")
        return _Name(file, stem, match["sample"], int(match["mate"]), "P")
    if match := UNPAIRED.fullmatch(stem):
        return _Name(file, stem, match["sample"], kind="unpaired")
    if match := MATE.fullmatch(stem):
        numbers, mate = numbered[_rest(match)], int(match["mate"])
        sequencer = match["part"] or ACCESSION.fullmatch(match["sample"])
        if max(numbers) <= 2 or (sequencer and (mate <= 2 or 1 in numbers)):
            return _Name(file, stem, *_of_mate(match))
        return _Name(file, stem, stem, kind="numbered" if {1, 2} <= numbers else "")
    for pattern in (LETTERS, INNER):
        if (match := pattern.fullmatch(stem)) and (found := _with_partner(match, stem, stems)):
            return _Name(file, stem, *found)
    return _Name(file, stem, stem)


def _of_mate(match: re.Match[str]) -> tuple[str, int, str, str]:
    """Return sample, mate, mark and part."""
    sample, mark, part = _rest(match)
    return sample, int(match["mate"]), mark, part


def _same_reads(index: re.Match[str], stem: str) -> bool:
    match = MATE.fullmatch(stem)
    return match is not None and match["sample"] == index["sample"]


def _with_partner(
    match: re.Match[str], stem: str, stems: set[str]
) -> tuple[str, int, str, str] | None:
    """Return sample, mate, mark and part where the other mate is there as well."""
    words = match["mate"].lower()
    both = next(both for both in MATES if words in both)
    mate = both.index(words)
    other = both[1 - mate]
    start, end = match.span("mate")
    forms = {other, other.upper(), other.capitalize()}
    if not {f"{stem[:start]}{form}{stem[end:]}" for form in forms} & stems:
        return None
    groups = match.groupdict(default="")
    mark = f"{groups['mark']}{both[0]}{groups.get('words', '')}".lower()
    return f"{match['sample']}{groups.get('rest', '')}", mate + 1, mark, ""


@dataclass
class _Row:
    """The files of one row."""

    sample: str  # without its lane
    lane: str
    files: dict[int, _Name]  # by mate; 0: single reads

    @property
    def first(self) -> _Name:
        return self.files.get(1) or self.files[0]


def _pairs(files: Iterable[_Name], issues: list[Issue]) -> list[_Row]:
    """Return the files by their pairs, those that are left out with an issue excepted."""
    groups: dict[tuple[str, str, str, str], dict[int, _Name]] = defaultdict(dict)
    numbered: dict[str, list[str]] = defaultdict(list)
    for name in files:
        if name.kind == "index":
            issues.append(Issue.of(INDEX_READS(file=name.file), severity="warning"))
            continue
        if name.mate > 2:
            text = THIRD_READS(file=name.file, number=name.mate, sample=name.sample)
            issues.append(Issue.of(text, severity="warning"))
            continue
        if name.kind == "numbered":
            numbered[re.sub(r"[0-9]+", "", name.stem)].append(name.file)
        group = groups[(*name.key, name.kind and name.stem)]
        if name.mate in group:
            text = SAME_MATE(file=name.file, other=group[name.mate].file)
            issues.append(Issue.of(text))
        else:
            group[name.mate] = name
    for names in numbered.values():
        listed = ", ".join(names[:MAX_FILES_NAMED]) + (" …" if names[MAX_FILES_NAMED:] else "")
        text = NUMBERED(files=listed)
        issues.append(Issue.of(text, severity="warning"))
    rows = []
    numbers = _sheet_numbers(groups)
    for _, mates in sorted(groups.items()):
        if 1 not in mates and 2 in mates:
            issues.append(Issue.of(NO_FIRST_MATE(file=mates[2].file)))
            continue
        if 1 in mates and 2 not in mates:
            text = NO_SECOND_MATE(file=mates[1].file)
            issues.append(Issue.of(text, severity="warning"))
        sample, lane = _without_lane(mates.get(1) or mates[0], numbers)
        rows.append(_Row(sample, lane, mates))
    return rows


def _sheet_numbers(groups: Mapping[Any, Mapping[int, _Name]]) -> dict[str, set[str]]:
    """Return the positions on Illumina's sample sheet (S1) by the name of the sample."""
    numbers: dict[str, set[str]] = defaultdict(set)
    for mates in groups.values():
        for name in mates.values():
            sample, _ = _split_lane(name.sample)
            if match := NUMBER.search(sample):
                numbers[sample[: match.start()]].add(match[0])
    return numbers


def _split_lane(sample: str) -> tuple[str, str]:
    match = LANE.search(sample)
    if match is None:
        return sample, ""
    return sample[: match.start()] + sample[match.end() :] or sample, match["lane"]


def _without_lane(name: _Name, numbers: Mapping[str, set[str]]) -> tuple[str, str]:
    """Return sample and lane of a file, without its position on Illumina's sample sheet.

    The position stays where it is all that distinguishes samples, or where nothing says that it is
    one: sample_S1.fastq and sample_S2.fastq.
    """
    if name.kind:
        return name.sample, ""
    sample, lane = _split_lane(name.sample)
    match = NUMBER.search(sample)
    if match and match.start() and name.mate and len(numbers[sample[: match.start()]]) == 1:
        sample = sample[: match.start()]
    return sample, lane


def _without_leftovers(rows: list[_Row], issues: list[Issue]) -> list[_Row]:
    """Leave out files of reads without mates whose sample has pairs."""
    paired = {row.sample for row in rows if 2 in row.files}
    kept = []
    for row in rows:
        name = row.first
        archived = name.mate == 0 and ACCESSION.fullmatch(name.stem)
        if (name.kind == "unpaired" or archived) and row.sample in paired:
            text = WITHOUT_MATES(file=name.file, sample=row.sample)
            issues.append(Issue.of(text, severity="warning"))
            continue
        if name.kind == "unpaired":
            row.sample = name.stem
        kept.append(row)
    return kept


def _records(rows: list[_Row], issues: list[Issue], lane_column: bool) -> Iterator[dict[str, Any]]:
    """Yield the rows with names that are unique, apart from lanes in a column of their own."""
    samples: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        samples[row.sample].append(row)
    taken: set[tuple[str, str]] = set()  # names with the lanes of their column
    for sample, own in sorted(samples.items()):
        apart = len({row.lane for row in own}) > 1 and not lane_column
        names = []
        for row in sorted(own, key=lambda row: (row.lane, 2 not in row.files, row.first.file)):
            lane = row.lane if lane_column else ""
            wanted = f"{sample}_{row.lane}" if apart and row.lane else sample
            name = _free_name(wanted, row.first.stem, lane, taken)
            if name != wanted:
                text = RENAMED(file=row.first.file, name=name, sample=wanted)
                issues.append(Issue.of(text, severity="warning"))
            taken.add((name, lane))
            names.append(name)
            record = {"sample": name, "fastq_1": row.first.file}
            if 2 in row.files:
                record["fastq_2"] = row.files[2].file
            yield record | ({"lane": lane} if lane else {})
        if apart:
            text = LANES(sample=sample, count=len(names), names=", ".join(names))
            issues.append(Issue.of(text, severity="warning"))


def _free_name(wanted: str, stem: str, lane: str, taken: Collection[tuple[str, str]]) -> str:
    """Return the wanted name, or else that of the file, with a number where this is taken too."""
    numbered = (f"{stem}_{number}" for number in count(2))
    return next(name for name in chain((wanted, stem), numbered) if (name, lane) not in taken)
