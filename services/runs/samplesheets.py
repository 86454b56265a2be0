"""Sample sheets of submissions: rows checked, and the files in their cells found.

A sample sheet parameter is the id of a registered sheet, or a list of rows. In its cells files are
named by id, or by name as the actor's own files are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from services import sheets
from services.catalogue import Catalogue
from services.errors import Invalid, NotFound, Problem, RundeskError
from services.files import Files
from services.files.downloads import Fetcher
from services.models import Actor, File
from services.params import file_values, validation
from services.params.file_values import FileValue
from services.params.schema import flatten, is_table, sheet_fields
from services.rundir import safe
from services.settings import MIB
from services.sheets.checking import short_name
from services.sheets.grid import MOST_BYTES
from services.sheets.model import Issue, RowSchema, Sheet

DOWNLOAD = 20.0  # s
MOST_FILES = 5000  # in the cells of one sheet
Schema = dict[str, Any]
Record = dict[str, Any]


class SampleSheets:
    """Reads and checks the sample sheets of the catalogue's workflows."""

    def __init__(self, files: Files, workflows: Catalogue, fetcher: Fetcher) -> None:
        self._files = files
        self._workflows = workflows
        self._fetcher = fetcher

    def parse(self, actor: Actor, workflow: str, parameter: str, source: BinaryIO | str) -> Sheet:
        """The table that a parameter of a workflow asks for; see `read`.

        Raises NotFound for the workflow and the parameter, too.
        """
        return self.read(actor, self._rows(actor, workflow, parameter), source)

    def parse_link(self, actor: Actor, workflow: str, parameter: str, url: str) -> Sheet:
        """The same of a table at an allowed host, downloaded within seconds. Raises Invalid."""
        rows = self._rows(actor, workflow, parameter)
        with self._fetcher.open(url, seconds=DOWNLOAD) as download:
            return self.read(actor, rows, cast(BinaryIO, download))

    def read(self, actor: Actor, rows: Schema, source: BinaryIO | str) -> Sheet:
        """The table in a stream, or in the registered file of that id, by the schema of its rows.

        Its issues also tell which files are not there. Raises Invalid or TooLarge when it is no
        table, NotFound for the file.
        """
        if isinstance(source, str):
            sheet = sheets.read(self._files.path(actor, source), rows)
        else:
            sheet = sheets.read(_whole(source), rows)
        library = Registered(self._files, actor)
        _, missing = _found(library, sheet.records, RowSchema(rows), sheet)
        return sheet.model_copy(update={"issues": [*sheet.issues, *missing]})

    def check(self, actor: Actor, rows: Schema, records: Sequence[Any]) -> list[Issue]:
        """What a submission would find wrong with rows, files that are not there included."""
        library = Registered(self._files, actor)
        _, missing = _found(library, records, RowSchema(rows))
        return sorted([*sheets.check(records, rows), *missing], key=lambda issue: issue.row or 0)

    def _rows(self, actor: Actor, workflow: str, parameter: str) -> Schema:
        """The row schema of a parameter that is a table."""
        schema = self._workflows.get(actor, workflow).params_schema
        fields = flatten(schema)["properties"]
        known = {name: field for name, field in fields.items() if is_table(field)}
        if parameter not in known:
            hint = f"There are: {', '.join(known)}." if known else "This workflow takes no sheets."
            raise NotFound("There is no such sample sheet.", field="parameter", hint=hint)
        return dict(known[parameter]["rows"])


class Library(Protocol):
    """Files that may be named in parameters, by id or by name."""

    def by_ids(self, file_ids: Iterable[str]) -> dict[str, File]: ...

    def by_names(self, names: Iterable[str]) -> dict[str, Sequence[File]]: ...

    def path(self, file_id: str) -> Path: ...


@dataclass(frozen=True)
class Registered:
    """What an actor may read, and the names of the actor's own."""

    files: Files
    actor: Actor

    def by_ids(self, file_ids: Iterable[str]) -> dict[str, File]:
        return self.files.by_ids(self.actor, file_ids)

    def by_names(self, names: Iterable[str]) -> dict[str, Sequence[File]]:
        return self.files.by_names(self.actor, names)

    def path(self, file_id: str) -> Path:
        return self.files.path(self.actor, file_id)


@dataclass(frozen=True)
class Opened:
    """Parameters whose sample sheets are checked."""

    params: dict[str, Any]  # to be kept: rows as they were given, with the ids of their files
    cells: dict[str, Any]  # the same with rows in place of the sheets that are registered files
    tables: dict[str, str]  # parameter → where its table is written in the run

    def files(self, schema: Schema) -> Iterator[FileValue]:
        """Every file of a run: what the parameters name, and what the rows of sheets name."""
        yield from file_values.file_values(schema, self.params)
        for value in file_values.file_values(schema, self.cells):
            if len(value.path) > 1 and isinstance(self.params[value.field], str):
                yield value


def opened(library: Library, schema: Schema, checked: Mapping[str, Any]) -> Opened:
    """Read and check the sample sheets of parameters. Raises Invalid with every problem."""
    own = validation.defaults(schema)
    found = Opened(dict(checked), dict(checked), {})
    problems: list[Problem] = []
    for name, field in sheet_fields(schema).items():
        value = checked.get(name)
        if value is None or value == own.get(name):
            continue  # not given, or a table of the workflow's own
        try:
            records = _records(library, name, field, value)
        except Invalid as error:
            problems += error.problems
            continue
        found.cells[name] = records
        if isinstance(value, list):
            found.params[name] = records
        found.tables[name] = f"inputs/{safe(name)}{sheets.suffix(field)}"
    if problems:
        raise Invalid("The parameters do not fit the workflow.", problems=problems)
    return found


def with_rows(schema: Schema, given: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The parameters of an example, with rows in place of sheets of the workflow in `folder`.

    Files in cells are paths in that folder, as those of rows in the example are; a sheet may also
    name them as they lie beside it. Raises Invalid.
    """
    changed = dict(given)
    for name, field in sheet_fields(schema).items():
        if not isinstance(given.get(name), str):
            continue
        path = folder / given[name]
        sheet = sheets.read(path, field["rows"])
        if not sheet.ok:
            issue = next(one for one in sheet.issues if one.severity == "error")
            raise Invalid(f"The example is broken: {in_words(issue)}", field="example")
        beside = path.parent.relative_to(folder)
        changed[name] = sheet.records
        for value in list(file_values.file_values(schema, {name: sheet.records})):
            if not (folder / value.value).is_file():
                changed = file_values.with_file(changed, value, str(beside / value.value))
    return changed


def in_words(issue: Issue) -> str:
    """An issue with its place, in one sentence."""
    place = [f"row {issue.row}"] if issue.row else []
    place += [f"“{issue.column}”"] if issue.column and issue.index is not None else []
    words = ", ".join(place)
    return f"{words[:1].upper()}{words[1:]}: {issue.message}" if words else issue.message


def _records(library: Library, name: str, field: Schema, value: str | list[Any]) -> list[Record]:
    """The rows of a sample sheet, files by their ids. Raises Invalid with every problem."""
    rows = RowSchema(field["rows"])
    sheet = _sheet(library, name, field, value) if isinstance(value, str) else None
    records = sheet.records if sheet else list(value)
    issues = sheet.issues if sheet else sheets.check(records, field["rows"])
    errors = [issue for issue in issues if issue.severity == "error"]
    if not errors:
        found, errors = _found(library, records, rows, sheet)
        if len(found) <= MOST_FILES and not errors:
            return _with_ids(records, rows, found)
        errors = errors or [Issue(message=f"More than {MOST_FILES} files are not taken at once.")]
    raise Invalid(problems=[_problem(name, issue) for issue in errors])


def _sheet(library: Library, name: str, field: Schema, file_id: str) -> Sheet:
    """The table in a registered file. Raises Invalid."""
    try:
        return sheets.read(library.path(file_id), field["rows"])
    except NotFound:
        hint = "Use the id of a sheet that you registered, or send its rows."
        raise Invalid("There is no such file.", field=f"params.{name}", hint=hint) from None
    except RundeskError as error:
        raise Invalid(error.message, field=f"params.{name}", hint=error.hint) from error


def _problem(name: str, issue: Issue) -> Problem:
    """An issue as a problem of the submission: at `params.<sheet>.<index>.<column>`."""
    cell = [issue.name] if issue.name and issue.index is not None else []
    place = [str(issue.index)] if issue.index is not None else []
    return Problem(".".join(["params", name, *place, *cell]), in_words(issue), issue.hint)


def _whole(stream: BinaryIO) -> bytes:
    """What a stream holds, or as much of it as shows that it is too large."""
    data = bytearray()
    while len(data) <= MOST_BYTES and (block := stream.read(MIB)):
        data += block
    return bytes(data)


def _cells(records: Sequence[Any], rows: RowSchema) -> Iterator[tuple[int, str, str]]:
    """Index, column and content of every cell that names a file."""
    for index, record in enumerate(records):
        for column in rows.files:
            value = record.get(column) if isinstance(record, Mapping) else None
            if isinstance(value, str) and value:
                yield index, column, value


def _found(
    library: Library,
    records: Sequence[Any],
    rows: RowSchema,
    sheet: Sheet | None = None,
) -> tuple[dict[tuple[int, str], str], list[Issue]]:
    """The ids of the files in cells, by index and column; and what is wrong with the others."""
    cells = list(_cells(records, rows))
    known = library.by_ids({value for _, _, value in cells})
    names = {name for _, _, value in cells for name in (value, short_name(value))}
    named = library.by_names(names)
    found: dict[tuple[int, str], str] = {}
    issues = []
    for index, column, value in cells:
        if value in known:
            found[index, column] = value
            continue
        candidates = named.get(value) or named.get(short_name(value), ())
        if len(candidates) == 1:
            found[index, column] = candidates[0].id
        else:
            issues.append(_missing(index, column, value, candidates, rows, sheet))
    return found, issues


def _missing(
    index: int,
    column: str,
    value: str,
    candidates: Sequence[File],
    rows: RowSchema,
    sheet: Sheet | None,
) -> Issue:
    """Why a cell names no file."""
    name = short_name(value)[:100]
    message = f"There is no file {name} among yours."
    hint = "Upload it first, or write its name as it is in your files."
    if candidates:
        message = f"{len(candidates)} of your files are named {name}."
        hint = "Give the id of one of them, or choose it in the table."
    row, header, cell = index + 1, rows.title(column), ""
    if sheet:
        row = sheet.rows[index]
        written = next(one for one in sheet.columns if one.name == column)
        header, cell = written.header, f"{written.letter}{row}"
    return Issue(
        row=row, column=header, cell=cell, name=column, index=index, message=message, hint=hint
    )


def _with_ids(
    records: Sequence[Record], rows: RowSchema, found: Mapping[tuple[int, str], str]
) -> list[Record]:
    changed = [dict(record) for record in records]
    for index, column, _ in _cells(records, rows):
        changed[index][column] = found[index, column]
    return changed
