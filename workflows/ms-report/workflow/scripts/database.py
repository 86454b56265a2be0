"""Check the protein database and write it uncompressed."""

from ms_report.ending import InputProblem, fail
from ms_report.proteins import prepare


def main(job):
    with open(job.log[0], "w", encoding="utf-8") as log:
        try:
            count = prepare(job.input.fasta, job.params.name, job.output.fasta)
        except InputProblem as problem:
            fail(problem, log)
        log.write(f"{job.params.name} contains {count} proteins.\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
