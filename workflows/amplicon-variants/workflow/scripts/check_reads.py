"""Check the FASTQ files of one sample completely and provide them for the other steps."""

import json

from short_reads.checking import prepare_reads


def main(job):
    with open(job.log[0], "w", encoding="utf-8") as log:
        checked = prepare_reads(list(job.input.reads), list(job.output.reads))
        with open(job.output.checked, "w", encoding="utf-8") as output:
            json.dump(checked, output)
        log.write(f"{checked['reads']:,} reads or read pairs, {checked['bases']:,} nucleotides\n")
        for note in filter(None, [checked["problem"], *checked["notes"]]):
            log.write(f"Sample {job.wildcards.sample}: {note}\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
