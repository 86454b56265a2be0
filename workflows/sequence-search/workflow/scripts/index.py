"""Build the k-mer index of a protein database that is large enough to benefit from it."""

from pathlib import Path
from tempfile import TemporaryDirectory

from sequence_search import mmseqs
from sequence_search.fasta import PROTEIN
from sequence_search.prepare import Database


def build(job, folder, log):
    about = Database.read(job.input.about)
    about.write(job.output.table_about)
    files = [Path(path) for path in job.output if path != job.output.table_about]
    if about.type != PROTEIN or about.letters < job.params.index_from:
        log.write(f"No index is built for {about.letters:,} {about.type} letters.\n")
        for path in files:
            path.touch()
        return
    target = mmseqs.link_database(folder / "target", job.input)
    command = mmseqs.index_command(
        job.params.mmseqs,
        target,
        folder / "tmp",
        sensitivity=job.params.sensitivity,
        masked=job.params.masked,
        threads=job.threads,
    )
    mmseqs.run(command, log)
    for path in files:
        (target.parent / path.name).rename(path)


def main(job):
    with open(job.log[0], "w", encoding="utf-8") as log, TemporaryDirectory(dir="work") as folder:
        try:
            build(job, Path(folder), log)
        except mmseqs.SearchFailed as problem:
            mmseqs.fail(problem, log)


if "snakemake" in globals():
    main(globals()["snakemake"])
