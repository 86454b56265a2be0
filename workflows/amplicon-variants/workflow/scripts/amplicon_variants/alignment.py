"""Hits of minimap2 as SAM records.

They follow the SAM specification and the SAM output of minimap2: the first primary hit of a read is
its primary alignment, further primary hits are supplementary (0x800), all others secondary (0x100).
Supplementary alignments are soft-clipped, so each contains the whole read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import mappy
import pysam

PAIRED, PROPER, UNMAPPED, MATE_UNMAPPED = 0x1, 0x2, 0x4, 0x8
REVERSE, MATE_REVERSE, FIRST, SECOND = 0x10, 0x20, 0x40, 0x80
SECONDARY, SUPPLEMENTARY = 0x100, 0x800
SOFT_CLIP = 4  # CIGAR operation
OPERATIONS = "MIDNSHP=XB"


class Read(Protocol):
    """A record of dnaio."""

    id: str
    sequence: str
    qualities: str


class Hit(Protocol):
    """A hit of mappy."""

    ctg: str
    r_st: int
    r_en: int
    strand: int
    q_st: int
    q_en: int
    mapq: int
    NM: int
    MD: str
    is_primary: bool
    cigar: list[list[int]]


@dataclass(frozen=True, slots=True)
class Placement:
    """Alignment of one read of a pair, as the record of its mate refers to it."""

    hit: Hit | None

    @property
    def reverse(self) -> bool:
        return self.hit is not None and self.hit.strand < 0


class Writer:
    """Converts reads and their hits to the SAM records of one sample."""

    def __init__(self, header: pysam.AlignmentHeader, group: str, max_insert: int) -> None:
        self._header = header
        self._group = group
        self._max_insert = max_insert

    def single(self, read: Read, hits: Sequence[Hit]) -> Iterator[pysam.AlignedSegment]:
        return self._records(read, hits, 0, None, 0)

    def pair(
        self, reads: tuple[Read, Read], hits: tuple[Sequence[Hit], Sequence[Hit]]
    ) -> Iterator[pysam.AlignedSegment]:
        placements = [Placement(representative(side)) for side in hits]
        length = template_length(placements[0].hit, placements[1].hit)
        proper = is_proper(placements[0].hit, placements[1].hit, self._max_insert)
        for index, side in enumerate((FIRST, SECOND)):
            mate = placements[1 - index]
            flag = PAIRED | side | (PROPER if proper else 0)
            flag |= (MATE_UNMAPPED if mate.hit is None else 0) | (
                MATE_REVERSE if mate.reverse else 0
            )
            signed = length if index == 0 else -length
            yield from self._records(reads[index], hits[index], flag, mate, signed)

    def _records(
        self, read: Read, hits: Sequence[Hit], flag: int, mate: Placement | None, length: int
    ) -> Iterator[pysam.AlignedSegment]:
        if not hits:
            yield self._unmapped(read, flag, mate)
            return
        chosen = representative(hits)
        for hit in hits:
            kind = 0 if hit is chosen else SUPPLEMENTARY if hit.is_primary else SECONDARY
            record = self._aligned(read, hit, flag | kind)
            if kind != SECONDARY:
                others = [other for other in hits if other.is_primary and other is not hit]
                if others:
                    record.set_tag("SA", "".join(sa_entry(read, other) for other in others))
            if mate:
                self._point_to(record, mate, hit)
                record.template_length = length if kind == 0 else 0
            yield record

    def _blank(self, read: Read, flag: int) -> pysam.AlignedSegment:
        record = pysam.AlignedSegment(self._header)
        record.query_name = read.id
        record.flag = flag
        record.set_tag("RG", self._group)
        return record

    def _unmapped(self, read: Read, flag: int, mate: Placement | None) -> pysam.AlignedSegment:
        """Return an unmapped record, at the position of its mate to be sorted next to it."""
        record = self._blank(read, flag | UNMAPPED)
        record.query_sequence = read.sequence
        record.query_qualities = pysam.qualitystring_to_array(read.qualities)
        if mate and mate.hit:
            record.reference_id = self._header.get_tid(mate.hit.ctg)
            record.reference_start = mate.hit.r_st
            self._point_to(record, mate, None)
        return record

    def _aligned(self, read: Read, hit: Hit, flag: int) -> pysam.AlignedSegment:
        record = self._blank(read, flag | (REVERSE if hit.strand < 0 else 0))
        record.reference_id = self._header.get_tid(hit.ctg)
        record.reference_start = hit.r_st
        record.mapping_quality = hit.mapq
        record.cigartuples = clipped(hit, len(read.sequence))
        if not flag & SECONDARY:  # as in minimap2, secondary records have no sequence
            qualities = pysam.qualitystring_to_array(read.qualities)
            forward = hit.strand > 0
            record.query_sequence = read.sequence if forward else mappy.revcomp(read.sequence)
            record.query_qualities = qualities if forward else qualities[::-1]
        record.set_tag("NM", hit.NM)
        record.set_tag("MD", hit.MD)
        return record

    def _point_to(self, record: pysam.AlignedSegment, mate: Placement, own: Hit | None) -> None:
        there = mate.hit or own
        if there:
            record.next_reference_id = self._header.get_tid(there.ctg)
            record.next_reference_start = there.r_st


def representative(hits: Sequence[Hit]) -> Hit | None:
    """Return the hit that represents the read. minimap2 returns the best hit first."""
    return next((hit for hit in hits if hit.is_primary), hits[0] if hits else None)


def clipped(hit: Hit, length: int) -> list[tuple[int, int]]:
    """Return the CIGAR of a hit as (operation, length), with unaligned ends soft-clipped."""
    before, after = hit.q_st, length - hit.q_en
    if hit.strand < 0:
        before, after = after, before
    body = [(operation, count) for count, operation in hit.cigar]
    left = [(SOFT_CLIP, before)] if before else []
    right = [(SOFT_CLIP, after)] if after else []
    return left + body + right


def sa_entry(read: Read, hit: Hit) -> str:
    """Return one entry of the SA tag."""
    cigar = "".join(
        f"{count}{OPERATIONS[code]}" for code, count in clipped(hit, len(read.sequence))
    )
    strand = "+" if hit.strand > 0 else "-"
    return f"{hit.ctg},{hit.r_st + 1},{strand},{cigar},{hit.mapq},{hit.NM};"


def template_length(first: Hit | None, second: Hit | None) -> int:
    """Return TLEN of the first read: the outer distance, negative if it is the rightmost read.

    It is 0 unless both reads are aligned to the same sequence.
    """
    if first is None or second is None or first.ctg != second.ctg:
        return 0
    length = max(first.r_en, second.r_en) - min(first.r_st, second.r_st)
    return length if first.r_st <= second.r_st else -length


def is_proper(first: Hit | None, second: Hit | None, max_insert: int) -> bool:
    """Return whether both reads face each other on one sequence, at most `max_insert` nt apart."""
    if first is None or second is None or first.ctg != second.ctg or first.strand == second.strand:
        return False
    forward, reverse = (first, second) if first.strand > 0 else (second, first)
    outer = reverse.r_en - forward.r_st
    return forward.r_st <= reverse.r_st and 0 < outer <= max_insert
