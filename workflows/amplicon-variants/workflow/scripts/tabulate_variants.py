"""Write the variants of all samples as a table."""

import csv

import pysam
from amplicon_variants.variants import header, read_variants, row


def main(job):
    with pysam.VariantFile(job.input.vcf) as vcf:
        samples = list(vcf.header.samples)
    count = 0
    with open(job.output[0], "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(header(samples))
        for variant in read_variants(job.input.vcf):
            table.writerow(row(variant))
            count += 1
    with open(job.log[0], "w", encoding="utf-8") as log:
        log.write(f"Wrote {count:,} variants.\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
