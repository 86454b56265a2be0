"""Write the tables, the plain-text alignments and the summary."""

from contextlib import ExitStack

from sequence_search.hits import read_results
from sequence_search.plan import Plan
from sequence_search.tables import write_tables


def main(job):
    plan = Plan.read(job.input.plan)
    results = read_results(plan, job.input.hits, job.input.query_names, job.input.database_names)
    with ExitStack() as stack:
        files = {
            name: stack.enter_context(open(path, "w", encoding="utf-8"))
            for name, path in job.output.items()
        }
        counts = write_tables(plan, results, **files)
    with open(job.log[0], "w", encoding="utf-8") as log:
        with_hits = f"{counts.queries_with_hits} of {counts.queries}"
        log.write(f"Found {counts.hits} hits for {with_hits} queries.\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
