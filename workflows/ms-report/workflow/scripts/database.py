"""Checks the protein database and unpacks it."""

from ms_report.ending import Unfit, fail
from ms_report.proteins import prepare


def main(job):
    with open(job.log[0], "w", encoding="utf-8") as log:
        try:
            count = prepare(job.input.fasta, job.params.name, job.output.fasta)
        except Unfit as problem:
            fail(problem, log)
        log.write(f"{job.params.name}: {count} proteins\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
