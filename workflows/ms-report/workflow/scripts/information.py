"""Read the information table and match its rows to the runs."""

import json
import sys
from pathlib import Path

import yaml
from ms_report.ending import fail
from ms_report.information import ISSUE_COLUMNS, information
from ms_report.tables import write_table


def main(job):
    params = job.params
    sys.path.append(params.desk)  # Rundesk checks tables with the same code before a run
    from services.errors import RundeskError
    from services.sheets import read

    row_schema = yaml.safe_load(Path(params.row_schema).read_text(encoding="utf-8"))
    with open(job.log[0], "w", encoding="utf-8") as log:
        try:
            sheet = read(Path(job.input.table), row_schema)
        except RundeskError as problem:
            fail(f"{params.table_name} is not a valid table. {problem}", log)
        document = information(sheet.model_dump(), params.table_name, dict(params.run_names))
        for issue in document["issues"]:
            where = issue["cell"] or (f"row {issue['row']}" if issue["row"] else "table")
            log.write(f"{issue['severity']}: {where}: {issue['message']}\n")
        if params.stop_at_problems and not sheet.ok:
            errors = [issue for issue in document["issues"] if issue["severity"] == "error"]
            count = "1 error" if len(errors) == 1 else f"{len(errors)} errors, the first"
            where = f" in cell {errors[0]['cell']}" if errors[0]["cell"] else ""
            fail(f"{params.table_name} has {count}{where}: {errors[0]['message']}", log)
        text = json.dumps(document, ensure_ascii=False, indent=1)
        Path(job.output.information).write_text(text, encoding="utf-8")
        write_table(job.output.issues, ISSUE_COLUMNS, document["issues"])
        log.write(f"Read {len(document['rows'])} rows with {len(document['issues'])} issues.\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
