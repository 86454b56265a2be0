"""Write the HTML report."""

from datetime import UTC, datetime
from pathlib import Path

from ms_report.page import build_page
from ms_report.reading import read_inputs


def main(job):
    page = build_page(
        *read_inputs(job.input),
        title=job.params.title,
        settings=dict(job.params.settings),
        made=datetime.now(UTC),
    )
    Path(job.output.report).write_text(page, encoding="utf-8")
    Path(job.log[0]).write_text(f"Wrote a report of {len(page):,} characters.\n", encoding="utf-8")


if "snakemake" in globals():
    main(globals()["snakemake"])
