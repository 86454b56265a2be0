"""Variants of all samples, as read from the VCF and as rows of a table."""

from collections.abc import Iterator
from dataclasses import dataclass

import pysam

COLUMNS = ["sequence", "position", "reference", "alternative", "type", "quality", "filter"]
COLUMNS += ["depth", "samples_with_it"]


@dataclass(frozen=True, slots=True)
class Call:
    """Genotype and reads of one sample at a variant."""

    genotype: str  # as in VCF; "./." if not called
    reference_reads: int
    other_reads: int

    @property
    def depth(self) -> int:
        return self.reference_reads + self.other_reads

    @property
    def fraction(self) -> float | None:
        """Fraction of reads with the variant; None without reads."""
        return self.other_reads / self.depth if self.depth else None

    @property
    def known(self) -> bool:
        return "." not in self.genotype

    @property
    def has_it(self) -> bool:
        return "1" in self.genotype


@dataclass(frozen=True, slots=True)
class Variant:
    sequence: str
    position: int  # 1-based
    reference: str
    alternative: str
    quality: float
    filters: tuple[str, ...]
    depth: int
    calls: dict[str, Call]

    @property
    def passed(self) -> bool:
        return self.filters in ((), ("PASS",))

    @property
    def type(self) -> str:
        if len(self.reference) == len(self.alternative):
            return "SNV" if len(self.reference) == 1 else "MNV"
        return "insertion" if len(self.alternative) > len(self.reference) else "deletion"

    @property
    def carriers(self) -> int:
        return sum(call.has_it for call in self.calls.values())


def read_variants(vcf: str) -> Iterator[Variant]:
    """Yield the variants of a VCF with one alternative allele per record, in file order."""
    with pysam.VariantFile(vcf) as file:
        for record in file:
            yield Variant(
                sequence=record.chrom,
                position=record.pos,
                reference=record.ref,
                alternative=record.alts[0],
                quality=round(record.qual or 0.0, 1),
                filters=tuple(record.filter.keys()),
                depth=record.info.get("DP", 0),
                calls={name: call_of(record.samples[name]) for name in record.samples},
            )


def call_of(sample: pysam.VariantRecordSample) -> Call:
    alleles = ["." if allele is None else str(allele) for allele in sample.get("GT", (None,))]
    reads = [count or 0 for count in sample.get("AD") or (0, 0)]
    return Call("/".join(alleles), reads[0], sum(reads[1:]))


def header(samples: list[str]) -> list[str]:
    parts = ("genotype", "reads", "percent")
    return [*COLUMNS, *(f"{sample}_{part}" for sample in samples for part in parts)]


def row(variant: Variant) -> list[str | int | float]:
    """Return the values for the columns of `header`; the percentage is empty without reads."""
    values: list[str | int | float] = [
        variant.sequence,
        variant.position,
        variant.reference,
        variant.alternative,
        variant.type,
        variant.quality,
        ";".join(variant.filters) or "PASS",
        variant.depth,
        variant.carriers,
    ]
    for call in variant.calls.values():
        share = "" if call.fraction is None else round(100 * call.fraction, 1)
        values += [call.genotype, f"{call.other_reads}/{call.depth}", share]
    return values
