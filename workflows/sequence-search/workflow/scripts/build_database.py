"""Turns the database into the format of MMseqs2."""

from pathlib import Path

from sequence_search import mmseqs
from sequence_search.plan import Plan


def main(job):
    folder = Path(job.output[0])
    folder.mkdir(parents=True, exist_ok=True)
    kind = Plan.read(job.input.plan).database.type
    command = mmseqs.createdb_command(
        job.params.mmseqs, job.input.fasta, folder / "sequences", kind
    )
    with open(job.log[0], "w", encoding="utf-8") as log:
        try:
            mmseqs.run(command, log)
        except mmseqs.SearchFailed as problem:
            mmseqs.fail(problem, log)


if "snakemake" in globals():
    main(globals()["snakemake"])
