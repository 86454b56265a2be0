"""Write the HTML report."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sequence_search.hits import read_results
from sequence_search.page import Limits, build_page
from sequence_search.plan import Plan


def main(job):
    plan = Plan.read(job.input.plan)
    read = partial(
        read_results,
        plan,
        list(job.input.hits),
        job.input.query_names,
        job.input.database_names,
    )
    params = job.params
    limits = Limits(params.max_hits, params.max_alignments, params.alignments_text)
    page = build_page(plan, read, limits, datetime.now(UTC))
    Path(job.output[0]).write_text(page, encoding="utf-8")
    Path(job.log[0]).write_text(f"Wrote a report of {len(page):,} characters.\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
