"""Search one part of the queries and write the alignments as a sorted table."""

from pathlib import Path
from tempfile import TemporaryDirectory

from sequence_search import mmseqs
from sequence_search.hits import sort_raw
from sequence_search.plan import Plan


def search(job, folder, log):
    """Search one part and return the table of MMseqs2, a file in `folder`."""
    binary, threads = job.params.mmseqs, job.threads
    plan = Plan.read(job.input.plan)
    queries, result, table = folder / "queries", folder / "result", folder / "raw.tsv"
    database = mmseqs.link_database(folder / "target", job.input)
    mmseqs.run(mmseqs.createdb_command(binary, job.input.queries, queries, plan.queries.type), log)
    mmseqs.run(
        mmseqs.search_command(binary, plan, queries, database, result, folder / "tmp", threads), log
    )
    mmseqs.run(mmseqs.convert_command(binary, plan, queries, database, result, table, threads), log)
    return table


def main(job):
    output = Path(job.output[0])
    with open(job.log[0], "w", encoding="utf-8") as log:
        if not Path(job.input.queries).stat().st_size:
            log.write("This part has no queries.\n")
            output.touch()
            return
        with TemporaryDirectory(dir="work", prefix="search-") as folder:
            try:
                table = search(job, Path(folder), log)
            except mmseqs.SearchFailed as problem:
                mmseqs.fail(problem, log)
            with table.open() as rows, output.open("w") as ranked:
                ranked.writelines(sort_raw(rows))


if "snakemake" in globals():
    main(globals()["snakemake"])
