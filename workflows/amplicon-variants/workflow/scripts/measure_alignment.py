"""Write the alignment statistics of one sample and its depth along the reference."""

from pathlib import Path

import pysam
from amplicon_variants.depth import with_fragments_counted_once

ONCE = "-s"  # count a base that both mates of a pair cover once


def main(job):
    bam = job.input.bam
    Path(job.output.flagstat).write_text(pysam.flagstat(bam))
    Path(job.output.stats).write_text(pysam.stats("--ref-seq", job.input.reference, bam))
    limits = ["-q", str(job.params.min_base_quality), "-Q", str(job.params.min_mapping_quality)]
    pysam.depth("-a", ONCE, *limits, "-o", job.output.depth, bam, catch_stdout=False)
    pysam.depth(ONCE, "-o", job.output.covered, bam, catch_stdout=False)
    table = with_fragments_counted_once(pysam.coverage(bam), job.output.covered)
    Path(job.output.coverage).write_text(table)
    Path(job.log[0]).write_text(f"Used samtools {pysam.version.__samtools_version__}.\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
