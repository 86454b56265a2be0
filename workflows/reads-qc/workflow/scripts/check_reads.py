"""Check the FASTQ files of one sample completely before they are used."""

import json

from short_reads.checking import ReadsProblem, count_reads
from short_reads.jobs import fail


def main(job):
    with open(job.log[0], "w", encoding="utf-8") as log:
        try:
            counts = count_reads(list(job.input.reads))
        except ReadsProblem as problem:
            fail(f"Sample {job.wildcards.sample}: {problem}", log)
        with open(job.output[0], "w", encoding="utf-8") as output:
            json.dump(counts, output)
        log.write(f"{counts['reads']:,} reads or read pairs, {counts['bases']:,} nucleotides\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
