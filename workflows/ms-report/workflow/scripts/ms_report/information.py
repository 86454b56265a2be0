"""The information table as data: rows with their runs, and issues with their cells."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from ms_report.matching import match, run_name

Record = dict[str, Any]

ISSUE_COLUMNS = ["row", "column", "cell", "severity", "message", "hint"]


def information(sheet: Mapping[str, Any], source: str, runs: Mapping[str, str]) -> Record:
    """Return the content of information.json.

    `sheet` is a `services.sheets.Sheet` as a dictionary, `source` the name of its file, `runs` the
    file name of each run by its key.
    """
    files = [record.get("file") for record in sheet["records"]]
    matched = match(files, runs)
    rows = [
        {"row": row, "values": record, "run": run}
        for row, record, run in zip(sheet["rows"], sheet["records"], matched, strict=True)
    ]
    issues = [{name: issue[name] for name in ISSUE_COLUMNS} for issue in sheet["issues"]]
    issues += _without_run(sheet, rows, runs)
    issues += _shared_runs(sheet, rows)
    issues += _without_row(rows, runs)
    issues.sort(key=lambda issue: issue["row"] or 10**9)
    return {
        "source": source,
        "metadata": sheet["metadata"],
        "columns": sheet["columns"],
        "rows": rows,
        "runs": dict(runs),
        "issues": issues,
    }


def _issue(
    message: str,
    hint: str = "",
    *,
    row: int | None = None,
    column: str = "",
    letter: str = "",
) -> Record:
    """Return a warning: a mismatch with the runs is not an error of the table."""
    cell = f"{letter}{row}" if letter and row else ""
    values = [row, column, cell, "warning", message, hint]
    return dict(zip(ISSUE_COLUMNS, values, strict=True))


def _file_column(sheet: Mapping[str, Any]) -> dict[str, str]:
    """Return header and letter of the column with the file names, or an empty dictionary."""
    for column in sheet["columns"]:
        if column["name"] == "file":
            return {"column": column["header"], "letter": column["letter"]}
    return {}


def _without_run(
    sheet: Mapping[str, Any], rows: list[Record], runs: Mapping[str, str]
) -> Iterator[Record]:
    """Yield warnings for rows whose file is not among the runs."""
    names = [run_name(name) for name in runs.values()]
    for row in rows:
        file = row["values"].get("file")
        if row["run"] or not file:
            continue
        if run_name(file) in names:
            message = f"{file} matches several runs."
            hint = "Rename the files so that each name is unique."
        else:
            message = f"{file} is not among the runs, so this sample has no data."
            hint = "Add the file to the runs or correct its name in the table."
        yield _issue(message, hint, row=row["row"], **_file_column(sheet))


def _shared_runs(sheet: Mapping[str, Any], rows: list[Record]) -> Iterator[Record]:
    first: dict[str, int] = {}
    for row in rows:
        run = row["run"]
        if run is None:
            continue
        if run in first:
            message = f"{row['values']['file']} is already used in row {first[run]}."
            hint = "Use each run for only one sample."
            yield _issue(message, hint, row=row["row"], **_file_column(sheet))
        first.setdefault(run, row["row"])


def _without_row(rows: list[Record], runs: Mapping[str, str]) -> Iterator[Record]:
    named = {row["run"] for row in rows}
    for key, name in runs.items():
        if key not in named:
            hint = "Add a row for it. The run was measured anyway."
            yield _issue(f"{name} is not in the table.", hint)


def samples_of(rows: list[Record]) -> dict[str, list[Record]]:
    """Return the rows of each run, by its key."""
    samples = defaultdict(list)
    for row in rows:
        if row["run"]:
            samples[row["run"]].append(row)
    return dict(samples)
