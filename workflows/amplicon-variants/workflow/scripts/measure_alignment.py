"""Write the alignment statistics of one sample and its depth along the reference."""

from pathlib import Path

import pysam


def main(job):
    bam = job.input.bam
    Path(job.output.flagstat).write_text(pysam.flagstat(bam))
    Path(job.output.stats).write_text(pysam.stats("--ref-seq", job.input.reference, bam))
    Path(job.output.coverage).write_text(pysam.coverage(bam))
    limits = ["-q", str(job.params.min_base_quality), "-Q", str(job.params.min_mapping_quality)]
    pysam.depth("-a", *limits, "-o", job.output.depth, bam, catch_stdout=False)
    Path(job.log[0]).write_text(f"Used samtools {pysam.version.__samtools_version__}.\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
