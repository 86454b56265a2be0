"""Sample sheets of submissions: checks their rows and finds the files that their cells name.

The value of a sample sheet parameter is the id of a registered sheet, or a list of rows. Its cells
name files by id, or the actor's own files by name.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from services import sheets
from services.catalogue import Catalogue
from services.engine.staging import used_columns
from services.errors import Invalid, Message, NotFound, Problem, RundeskError, Text
from services.files import Files
from services.files.downloads import Fetcher
from services.models import Actor, File
from services.params import file_values, validation
from services.params.file_values import FileValue
from services.params.schema import is_sheet, sheet_fields, table_fields
from services.rundir import safe
from services.settings import MIB
from services.sheets import Pairs
from services.sheets.checking import short_name
from services.sheets.grid import MAX_SHEET_BYTES
from services.sheets.model import Issue, RowSchema, Sheet

DOWNLOAD_TIMEOUT_S = 20.0
MAX_FILES_PER_SHEET = 5000
MAX_NAME_CHARACTERS = 100  # of a file in a message
Schema = dict[str, Any]
Record = dict[str, Any]

SHEET_NOT_FOUND = Message(
    "not_found", "Sample sheet not found.", hint="The sample sheets of the workflow: {known}."
)
NO_SHEETS = Message("not_found", "Sample sheet not found.", hint="The workflow has none.")
SHEET_FILE_NOT_FOUND = Message(
    "not_found",
    "File not found.",
    hint="Use the id of a registered sheet, or send the rows of the sheet.",
)
FILE_NOT_FOUND = Message("not_found", "File not found.", hint="Use the id of a registered file.")
NO_FASTQ_COLUMN = Message("not_allowed", "The sheet has no column for FASTQ files.")
TOO_MANY_FILES = Message("limit_reached", "The sheet names more than {limit} files.")
NO_FILE_OF_THIS_NAME = Message(
    "not_found",
    "You have no file named {name}.",
    hint="Upload the file first, or correct its name.",
)
SEVERAL_FILES_OF_THIS_NAME = Message(
    "conflicting_fields",
    "You have {count} files named {name}.",
    hint="Use the id of one of them, or choose it in the table.",
)
BROKEN_EXAMPLE = Message("invalid_workflow", "The example of the workflow is invalid: {issue}")
#: An issue with its position in the sheet. `code`, `hint` and `args` are those of the issue.
IN_CELL = Message("invalid", "Row {row}, “{column}”: {issue}", hint="{hint}")
IN_ROW = Message("invalid", "Row {row}: {issue}", hint="{hint}")
IN_SHEET = Message("invalid", "{issue}", hint="{hint}")


class SampleSheets:
    """Reads and checks the sample sheets of the catalogue's workflows."""

    def __init__(self, files: Files, workflows: Catalogue, fetcher: Fetcher) -> None:
        self._files = files
        self._workflows = workflows
        self._fetcher = fetcher

    def parse(
        self, actor: Actor, workflow: str, parameter: str, source: BinaryIO | str, sheet: str = ""
    ) -> Sheet:
        """Read a table by the schema of a parameter of a workflow; see `read`.

        Also raises NotFound for the workflow and the parameter.
        """
        return self.read(actor, self._rows(actor, workflow, parameter), source, sheet)

    def parse_link(
        self, actor: Actor, workflow: str, parameter: str, url: str, sheet: str = ""
    ) -> Sheet:
        """Do the same for a table at an allowed host, with a short timeout. Raises Invalid."""
        rows = self._rows(actor, workflow, parameter)
        with self._fetcher.open(url, seconds=DOWNLOAD_TIMEOUT_S) as download:
            return self.read(actor, rows, cast(BinaryIO, download), sheet)

    def read(
        self, actor: Actor, rows: Schema, source: BinaryIO | str, sheet_name: str = ""
    ) -> Sheet:
        """Read the table in a stream, or in the registered file of that id, by a row schema.

        `sheet_name` is that of the sheet of a workbook; without it, the sheet is found.
        Files that do not exist are issues as well. Raises Invalid or TooLarge for what cannot be
        read as a table, NotFound for the file.
        """
        if isinstance(source, str):
            sheet = sheets.read(self._files.path(actor, source), rows, sheet_name)
        else:
            sheet = sheets.read(_whole(source), rows, sheet_name)
        library = Registered(self._files, actor)
        _, missing = _find_files(library, sheet.records, RowSchema(rows), sheet)
        return sheet.model_copy(update={"issues": [*sheet.issues, *missing]})

    def check(self, actor: Actor, rows: Schema, records: Sequence[Any]) -> list[Issue]:
        """Return the issues of rows, including files that do not exist, as on submission."""
        library = Registered(self._files, actor)
        _, missing = _find_files(library, records, RowSchema(rows))
        return sorted([*sheets.check(records, rows), *missing], key=lambda issue: issue.row or 0)

    def pair(self, actor: Actor, workflow: str, parameter: str, file_ids: Sequence[str]) -> Pairs:
        """Pair registered FASTQ files by their names, for a parameter of a workflow.

        Raises NotFound for the workflow and the parameter, Invalid for files that do not exist and
        where the sheet has no column of FASTQ files.
        """
        rows = self._rows(actor, workflow, parameter)
        if not sheets.pair_columns(RowSchema(rows)):
            raise Invalid(NO_FASTQ_COLUMN(), field="parameter")
        known = self._files.by_ids(actor, file_ids)
        missing = [index for index, file_id in enumerate(file_ids) if file_id not in known]
        if missing:
            raise Invalid(
                problems=[Problem(f"files.{index}", FILE_NOT_FOUND()) for index in missing]
            )
        return pair_files([known[file_id] for file_id in dict.fromkeys(file_ids)], rows)

    def _rows(self, actor: Actor, workflow: str, parameter: str) -> Schema:
        """Return the row schema of a parameter that is a table. Raises NotFound."""
        schema = self._workflows.get(actor, workflow).params_schema
        known = table_fields(schema)
        if parameter not in known:
            text = SHEET_NOT_FOUND(known=", ".join(known)) if known else NO_SHEETS()
            raise NotFound(text, field="parameter")
        return dict(known[parameter]["rows"])


def pair_files(files: Sequence[File], rows: Mapping[str, Any]) -> Pairs:
    """Pair FASTQ files by their names; the rows have their ids in the columns of files."""
    ids: dict[str, str] = {}
    for file in files:
        ids.setdefault(file.name, file.id)
    pairs = sheets.pair_rows([file.name for file in files], rows)
    columns = RowSchema(rows).files
    records = [
        {name: ids[value] if name in columns else value for name, value in record.items()}
        for record in pairs.records
    ]
    return Pairs(records=records, issues=pairs.issues)


class Library(Protocol):
    """The files that parameters may name, by id or by name."""

    def by_ids(self, file_ids: Iterable[str]) -> dict[str, File]: ...

    def by_names(self, names: Iterable[str]) -> dict[str, Sequence[File]]: ...

    def path(self, file_id: str) -> Path: ...


@dataclass(frozen=True)
class Registered:
    """The files that an actor may read, and the names of the actor's own."""

    files: Files
    actor: Actor

    def by_ids(self, file_ids: Iterable[str]) -> dict[str, File]:
        return self.files.by_ids(self.actor, file_ids)

    def by_names(self, names: Iterable[str]) -> dict[str, Sequence[File]]:
        return self.files.by_names(self.actor, names)

    def path(self, file_id: str) -> Path:
        return self.files.path(self.actor, file_id)


@dataclass(frozen=True)
class SheetParams:
    """Parameters with checked sample sheets."""

    params: dict[str, Any]  # as stored: rows as given, with the ids of their files
    cells: dict[str, Any]  # the same, with the rows of sheets that are registered files
    tables: dict[str, str]  # parameter → path of its table in the run directory

    def files(self, schema: Schema) -> Iterator[FileValue]:
        """Yield every file of a run: those of the parameters, then those of rows of sheets."""
        yield from file_values.file_values(schema, self.params)
        for value in file_values.file_values(schema, self.cells):
            sheet = next((name for name in self.tables if value.is_below(name)), None)
            if sheet is not None and isinstance(file_values.value_at(self.params, sheet), str):
                yield value


def read_sheets(
    library: Library, schema: Schema, checked: Mapping[str, Any], own: Mapping[str, Any]
) -> SheetParams:
    """Read and check the sample sheets of parameters. Raises Invalid with every problem.

    `own` are the values that name tables and files of the workflow; these are left as they are.
    Of a table marked `as_is` only the shape of rows is checked; `check_tables` checks its file.
    """
    sheet_params = SheetParams(copy.deepcopy(dict(checked)), copy.deepcopy(dict(checked)), {})
    problems: list[Problem] = []
    for name, field in table_fields(schema).items():
        value = file_values.value_at(checked, name)
        if value is None or value == file_values.value_at(own, name):
            continue  # not given, or the workflow's own table
        if not is_sheet(field):
            if isinstance(value, list):
                records = _filled(value)
                file_values.put(sheet_params.params, name, records)
                problems += _shape_problems(name, records)
                sheet_params.tables[name] = f"inputs/{safe(name)}{_accepted_suffix(field)}"
            continue
        try:
            records = _records(library, name, field, value)
        except Invalid as error:
            problems += error.problems
            continue
        file_values.put(sheet_params.cells, name, records)
        if isinstance(value, list):
            file_values.put(sheet_params.params, name, copy.deepcopy(records))
        sheet_params.tables[name] = f"inputs/{safe(name)}{sheets.suffix(field)}"
    if problems:
        raise Invalid(validation.INVALID_PARAMETERS(), problems=problems)
    return sheet_params


def check_tables(
    library: Library, schema: Schema, params: Mapping[str, Any], own: Mapping[str, Any]
) -> None:
    """Raise Invalid if the file or the rows of a table marked `as_is` cannot be read as a table.

    The run would fail at once. Issues of its rows are left to the workflow.
    """
    problems: list[Problem] = []
    for name, field in table_fields(schema).items():
        value = file_values.value_at(params, name)
        if is_sheet(field) or value is None or value == file_values.value_at(own, name):
            continue
        try:
            _sheet(library, name, field, value)
        except Invalid as error:
            problems += error.problems
    if problems:
        raise Invalid(validation.INVALID_PARAMETERS(), problems=problems)


def with_rows(schema: Schema, given: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the parameters of an example, with rows instead of sheets of the workflow in `folder`.

    Cells name files by their paths in that folder, like the rows of an example; a sheet may also
    name them relative to itself. Raises Invalid.
    """
    changed = dict(given)
    for name, field in sheet_fields(schema).items():
        if not isinstance(given.get(name), str):
            continue
        path = folder / given[name]
        sheet = sheets.read(path, field["rows"])
        if not sheet.ok:
            issue = next(issue for issue in sheet.issues if issue.severity == "error")
            raise Invalid(BROKEN_EXAMPLE(issue=issue_text(issue)), field="example")
        sheet_folder = path.parent.relative_to(folder)
        changed[name] = sheet.records
        for value in list(file_values.file_values(schema, {name: sheet.records})):
            if not (folder / value.value).is_file():
                changed = file_values.with_file(changed, value, str(sheet_folder / value.value))
    return changed


def issue_text(issue: Issue) -> Text:
    """Return the sentence of an issue with its row and column; code and args are the issue's."""
    values = {**issue.args, "issue": issue.message, "hint": issue.hint}
    message = IN_SHEET
    if issue.row:
        values["row"], message = issue.row, IN_ROW
        if issue.column and issue.index is not None:
            values["column"], message = issue.column, IN_CELL
    return replace(message, code=issue.code or message.code)(**values)


def _filled(records: list[Any]) -> list[Any]:
    """Return rows without their empty cells, which pages send as null."""
    return [
        {name: value for name, value in record.items() if value is not None}
        if isinstance(record, Mapping)
        else record
        for record in records
    ]


def _without_empty_files(records: list[Any], rows: RowSchema) -> list[Any]:
    """Return rows without file cells that are empty strings."""
    files = set(rows.files)
    return [
        {name: value for name, value in record.items() if value != "" or name not in files}
        if isinstance(record, Mapping)
        else record
        for record in records
    ]


def _shape_problems(name: str, records: list[Any]) -> list[Problem]:
    """Return the problems of rows that could not be written as a table, whatever their columns."""
    return [_problem(name, issue) for issue in sheets.check(records, {"type": "object"})]


def _accepted_suffix(field: Schema) -> str:
    """Return the suffix of a table that the workflow accepts as the name of its file."""
    usual, pattern = sheets.suffix(field), field.get("pattern") or ""
    suffixes = [usual, *(suffix for suffix in sheets.DELIMITERS if suffix != usual)]
    return next((suffix for suffix in suffixes if re.search(pattern, f"table{suffix}")), usual)


def _records(library: Library, name: str, field: Schema, value: str | list[Any]) -> list[Record]:
    """Return the rows of a sheet with the ids of files. Raises Invalid with every problem."""
    rows = RowSchema(field["rows"])
    sheet = _sheet(library, name, field, value) if isinstance(value, str) else None
    records = sheet.records if sheet else _without_empty_files(list(value), rows)
    issues = sheet.issues if sheet else sheets.check(records, field["rows"])
    errors = [issue for issue in issues if issue.severity == "error"]
    if not errors:
        ids, errors = _find_files(library, records, rows, sheet)
        if len(ids) <= MAX_FILES_PER_SHEET and not errors:
            return _with_ids(records, rows, ids)
        errors = errors or [Issue.of(TOO_MANY_FILES(limit=MAX_FILES_PER_SHEET))]
    raise Invalid(problems=[_problem(name, issue) for issue in errors])


def _sheet(library: Library, name: str, field: Schema, value: str | list[Record]) -> Sheet:
    """Read the table in a registered file, or the one that rows become. Raises Invalid."""
    rows = field["rows"]
    try:
        if isinstance(value, str):
            return sheets.read(library.path(value), rows)
        return sheets.read(sheets.as_text(value, used_columns(rows, value)).encode(), rows)
    except NotFound:
        raise Invalid(SHEET_FILE_NOT_FOUND(), field=f"params.{name}") from None
    except RundeskError as error:
        raise Invalid(error.text, field=f"params.{name}") from error


def _problem(name: str, issue: Issue) -> Problem:
    """Return an issue as a problem of the submission, at `params.<sheet>.<index>.<column>`."""
    path = ["params", name]
    if issue.index is not None:
        path += [str(issue.index), *([issue.name] if issue.name else [])]
    return Problem(".".join(path), issue_text(issue))


def _whole(stream: BinaryIO) -> bytes:
    """Read a stream to its end, or until it is known to be too large."""
    data = bytearray()
    while len(data) <= MAX_SHEET_BYTES and (block := stream.read(MIB)):
        data += block
    return bytes(data)


def _cells(records: Sequence[Any], rows: RowSchema) -> Iterator[tuple[int, str, str]]:
    """Yield index, column and value of every cell that names a file."""
    for index, record in enumerate(records):
        for column in rows.files:
            value = record.get(column) if isinstance(record, Mapping) else None
            if isinstance(value, str) and value:
                yield index, column, value


def _find_files(
    library: Library,
    records: Sequence[Any],
    rows: RowSchema,
    sheet: Sheet | None = None,
) -> tuple[dict[tuple[int, str], str], list[Issue]]:
    """Return the ids of the files in cells by index and column, and the issues of other cells."""
    cells = list(_cells(records, rows))
    known = library.by_ids({value for _, _, value in cells})
    others = {value for _, _, value in cells if value not in known}
    names = {name for value in others for name in (value, short_name(value))}
    named = library.by_names(names)
    ids: dict[tuple[int, str], str] = {}
    issues = []
    for index, column, value in cells:
        if value in known:
            ids[index, column] = value
            continue
        candidates = named.get(value) or named.get(short_name(value), ())
        if len(candidates) == 1:
            ids[index, column] = candidates[0].id
        else:
            issues.append(_missing(index, column, value, candidates, rows, sheet))
    return ids, issues


def _missing(
    index: int,
    column: str,
    value: str,
    candidates: Sequence[File],
    rows: RowSchema,
    sheet: Sheet | None,
) -> Issue:
    """Return the issue of a cell that does not name exactly one file."""
    name = short_name(value)[:MAX_NAME_CHARACTERS]
    text = NO_FILE_OF_THIS_NAME(name=name)
    if candidates:
        text = SEVERAL_FILES_OF_THIS_NAME(name=name, count=len(candidates))
    row, header, cell = index + 1, rows.title(column), ""
    if sheet:
        row = sheet.rows[index]
        sheet_column = next(known for known in sheet.columns if known.name == column)
        header, cell = sheet_column.header, f"{sheet_column.letter}{row}"
    return Issue.of(text, row=row, column=header, cell=cell, name=column, index=index)


def _with_ids(
    records: Sequence[Record], rows: RowSchema, ids: Mapping[tuple[int, str], str]
) -> list[Record]:
    changed = [dict(record) for record in records]
    for index, column, _ in _cells(records, rows):
        changed[index][column] = ids[index, column]
    return changed
