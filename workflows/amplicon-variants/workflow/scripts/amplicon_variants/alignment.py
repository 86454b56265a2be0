"""Hits of minimap2 as SAM records.

The rules are those of the SAM specification and of minimap2's own SAM output: the first primary hit
of a read is its alignment; further primary hits are supplementary (0x800), the rest secondary
(0x100). Supplementary alignments are clipped softly, so each of them holds the whole read.
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
class Placed:
    """Where one read of a pair lies: what its mate's record has to say about it."""

    hit: Hit | None

    @property
    def reverse(self) -> bool:
        return self.hit is not None and self.hit.strand < 0


class Writer:
    """Turns reads with their hits into the records of one sample."""

    def __init__(self, header: pysam.AlignmentHeader, group: str, max_insert: int) -> None:
        self._header = header
        self._group = group
        self._max_insert = max_insert

    def single(self, read: Read, hits: Sequence[Hit]) -> Iterator[pysam.AlignedSegment]:
        return self._records(read, hits, 0, None, 0)

    def pair(
        self, reads: tuple[Read, Read], hits: tuple[Sequence[Hit], Sequence[Hit]]
    ) -> Iterator[pysam.AlignedSegment]:
        placed = [Placed(representative(found)) for found in hits]
        length = template_length(placed[0].hit, placed[1].hit)
        proper = is_proper(placed[0].hit, placed[1].hit, self._max_insert)
        for index, side in enumerate((FIRST, SECOND)):
            mate = placed[1 - index]
            flag = PAIRED | side | (PROPER if proper else 0)
            flag |= (MATE_UNMAPPED if mate.hit is None else 0) | (
                MATE_REVERSE if mate.reverse else 0
            )
            signed = length if index == 0 else -length
            yield from self._records(reads[index], hits[index], flag, mate, signed)

    def _records(
        self, read: Read, hits: Sequence[Hit], flag: int, mate: Placed | None, length: int
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
                    record.set_tag("SA", "".join(other_place(read, other) for other in others))
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

    def _unmapped(self, read: Read, flag: int, mate: Placed | None) -> pysam.AlignedSegment:
        """Placed where its mate lies, so that both come together in a sorted file."""
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
        if not flag & SECONDARY:  # as minimap2 does: their sequence is that of the primary one
            qualities = pysam.qualitystring_to_array(read.qualities)
            forward = hit.strand > 0
            record.query_sequence = read.sequence if forward else mappy.revcomp(read.sequence)
            record.query_qualities = qualities if forward else qualities[::-1]
        record.set_tag("NM", hit.NM)
        record.set_tag("MD", hit.MD)
        return record

    def _point_to(self, record: pysam.AlignedSegment, mate: Placed, own: Hit | None) -> None:
        there = mate.hit or own
        if there:
            record.next_reference_id = self._header.get_tid(there.ctg)
            record.next_reference_start = there.r_st


def representative(hits: Sequence[Hit]) -> Hit | None:
    """The hit that stands for the read: minimap2 gives the best first."""
    return next((hit for hit in hits if hit.is_primary), hits[0] if hits else None)


def clipped(hit: Hit, length: int) -> list[tuple[int, int]]:
    """The CIGAR of a hit with the ends of the read that do not align, as (operation, length)."""
    before, after = hit.q_st, length - hit.q_en
    if hit.strand < 0:
        before, after = after, before
    body = [(operation, count) for count, operation in hit.cigar]
    left = [(SOFT_CLIP, before)] if before else []
    right = [(SOFT_CLIP, after)] if after else []
    return left + body + right


def other_place(read: Read, hit: Hit) -> str:
    """One entry of the SA tag."""
    cigar = "".join(
        f"{count}{OPERATIONS[code]}" for code, count in clipped(hit, len(read.sequence))
    )
    strand = "+" if hit.strand > 0 else "-"
    return f"{hit.ctg},{hit.r_st + 1},{strand},{cigar},{hit.mapq},{hit.NM};"


def template_length(first: Hit | None, second: Hit | None) -> int:
    """TLEN of the first read: outer distance, negative when it is the rightmost; 0 if unknown."""
    if first is None or second is None or first.ctg != second.ctg:
        return 0
    length = max(first.r_en, second.r_en) - min(first.r_st, second.r_st)
    return length if first.r_st <= second.r_st else -length


def is_proper(first: Hit | None, second: Hit | None, max_insert: int) -> bool:
    """Both reads face each other on one sequence, not too far apart."""
    if first is None or second is None or first.ctg != second.ctg or first.strand == second.strand:
        return False
    forward, reverse = (first, second) if first.strand > 0 else (second, first)
    outer = reverse.r_en - forward.r_st
    return forward.r_st <= reverse.r_st and 0 < outer <= max_insert
