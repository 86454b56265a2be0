"""Write the metrics of all runs as a table, and a summary for programs."""

import json
from importlib.metadata import version
from pathlib import Path

from ms_report.overview import COLUMNS, overview, summary
from ms_report.reading import read_inputs
from ms_report.tables import write_table


def main(job):
    information, metrics, identification = read_inputs(job.input)
    write_table(
        job.output.metrics, COLUMNS, overview(information, metrics, identification or {"runs": {}})
    )
    document = summary(information, metrics, identification)
    document["versions"] = {"pyopenms": version("pyopenms")}
    text = json.dumps(document, ensure_ascii=False, indent=1)
    Path(job.output.summary).write_text(text, encoding="utf-8")
    Path(job.log[0]).write_text(f"Wrote the metrics of {len(metrics)} runs.\n", encoding="utf-8")


if "snakemake" in globals():
    main(globals()["snakemake"])
