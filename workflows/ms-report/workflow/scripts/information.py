"""Reads the information table and matches its rows to the runs."""

import json
import sys
from pathlib import Path

import yaml
from ms_report.ending import fail
from ms_report.information import ISSUE_COLUMNS, information
from ms_report.tables import write_table


def main(job):
    params = job.params
    sys.path.append(params.desk)  # tables are read as the desk reads them before a run
    from services.errors import RundeskError
    from services.sheets import read

    row_schema = yaml.safe_load(Path(params.row_schema).read_text(encoding="utf-8"))
    with open(job.log[0], "w", encoding="utf-8") as log:
        try:
            sheet = read(Path(job.input.table), row_schema)
        except RundeskError as problem:
            fail(f"{params.table_name} cannot be read as a table. {problem}", log)
        found = information(sheet.model_dump(), params.table_name, dict(params.run_names))
        for issue in found["issues"]:
            where = issue["cell"] or (f"row {issue['row']}" if issue["row"] else "table")
            log.write(f"{issue['severity']}: {where}: {issue['message']}\n")
        if params.stop_at_problems and not sheet.ok:
            errors = [issue for issue in found["issues"] if issue["severity"] == "error"]
            first = f"{errors[0]['cell'] or 'the table'}: {errors[0]['message']}"
            fail(f"{params.table_name} has {len(errors)} problem(s). The first, {first}", log)
        text = json.dumps(found, ensure_ascii=False, indent=1)
        Path(job.output.information).write_text(text, encoding="utf-8")
        write_table(job.output.issues, ISSUE_COLUMNS, found["issues"])
        log.write(f"{len(found['rows'])} rows, {len(found['issues'])} issues\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
