"""Read the database and convert it to the format of MMseqs2."""

from pathlib import Path
from tempfile import TemporaryDirectory

from sequence_search import mmseqs
from sequence_search.fasta import InputProblem
from sequence_search.prepare import read_database


def build(job, folder, log):
    sequences, cleaned = Path(job.output.sequences), folder / "database.fasta"
    binary, names = job.params.mmseqs, Path(job.output.names)
    release = mmseqs.version(binary)
    database = read_database(job.input[0], job.params.read_as, cleaned, names, release)
    mmseqs.run(mmseqs.createdb_command(binary, cleaned, sequences, database.type), log)
    database.write(job.output.about)
    log.write(f"Built {database}.\n")


def main(job):
    with open(job.log[0], "w", encoding="utf-8") as log, TemporaryDirectory(dir="work") as folder:
        try:
            build(job, Path(folder), log)
        except (InputProblem, mmseqs.SearchFailed) as problem:
            mmseqs.fail(problem, log)


if "snakemake" in globals():
    main(globals()["snakemake"])
