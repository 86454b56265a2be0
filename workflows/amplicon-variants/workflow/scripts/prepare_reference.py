"""Write the normalized reference and its samtools and minimap2 indexes."""

import mappy
import pysam
from amplicon_variants.reference import ReferenceProblem, write_reference
from short_reads.jobs import fail


def main(job):
    with open(job.log[0], "w", encoding="utf-8") as log:
        try:
            with open(job.output.fasta, "w", encoding="ascii") as target:
                lengths = write_reference(job.input[0], target)
        except ReferenceProblem as problem:
            fail(problem, log)
        pysam.faidx(job.output.fasta)
        mappy.Aligner(job.output.fasta, preset=job.params.preset, fn_idx_out=job.output.index)
        log.write(f"Wrote {len(lengths)} sequences, {sum(lengths.values()):,} nucleotides.\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
