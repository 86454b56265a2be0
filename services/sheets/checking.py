"""Checks rows against a row schema, cell by cell, and that keys are unique."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from services.errors import Message, Text
from services.params import validation
from services.params.file_names import accepted_name, wrong_file_name
from services.params.names import folded, normal
from services.params.schema_errors import (
    REQUIRED,
    REQUIRED_WITH,
    error_text,
    in_own_words,
    is_not_text,
    with_description,
)
from services.sheets.model import MAX_ROWS, Issue, RowSchema, cut
from services.sheets.values import unprintable

FILE_ID = re.compile(r"[0-9a-f]{24}")
SLASHES = re.compile(r"[\\/]")
MAX_KEY_CHARACTERS = 60  # of a value in the message about a duplicate key

TOO_MANY_ROWS = Message("wrong_length", "There are {count} rows; at most {limit} are allowed.")
NOT_AN_OBJECT = Message("wrong_type", "The row must be an object.")
NOT_ONE_VALUE = Message("wrong_type", "A cell must have a single value.")
UNPRINTABLE = Message("invalid_characters", "Contains the unprintable character {character}.")
UNKNOWN_COLUMN = Message("unknown_field", "Unknown column.")
DUPLICATE_KEY = Message(
    "not_unique",
    "“{value}” is already in row {first_row}.",
    hint="The values of {columns} must be unique.",
)
SIMILAR_KEY = Message(
    "not_unique",
    "“{value}” differs from row {first_row} only in case or width.",
    hint="Correct one of them if both mean the same.",
)


def check(records: Sequence[Any], row_schema: Mapping[str, Any]) -> list[Issue]:
    """Return the issues of rows that were typed or sent as JSON, by row; rows count from 1.

    Cells name files by id or by name; whether these files exist is not checked here.
    """
    schema = RowSchema(row_schema)
    if len(records) > MAX_ROWS:
        return [Issue.of(TOO_MANY_ROWS(count=len(records), limit=MAX_ROWS))]
    return cut(list(examine(records, schema, range(1, len(records) + 1))))


def examine(
    records: Sequence[Any],
    schema: RowSchema,
    numbers: Sequence[int],
    reported: Collection[str] = (),
) -> Iterator[Issue]:
    """Yield the issues of records whose rows have `numbers`.

    Columns in `reported` are skipped: an issue of the whole column is already known.
    """
    validator = Draft202012Validator(
        _value_schema(schema), format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    objects: list[Mapping[str, Any]] = []
    for index, record in enumerate(records):
        position = {"index": index, "row": numbers[index]}
        objects.append(record if isinstance(record, Mapping) else {})
        if not isinstance(record, Mapping):
            yield Issue.of(NOT_AN_OBJECT(), **position)
            continue
        for name, text in _record_problems(record, schema, validator):
            if name not in reported:
                yield Issue.of(text, name=name, column=schema.title(name), **position)
    yield from _duplicates(objects, schema, numbers)


def short_name(cell: str) -> str:
    """Return the name of the file that a cell names, without its folders."""
    return SLASHES.split(cell.rstrip("/\\"))[-1]


def _value_schema(schema: RowSchema) -> dict[str, Any]:
    """Return the schema of a row as it is sent: the value of a file is its id or name."""
    properties = {name: validation.as_reference(own) for name, own in schema.properties.items()}
    return {"type": "object", **schema.row, "properties": properties}


def _record_problems(
    record: Mapping[str, Any], schema: RowSchema, validator: Draft202012Validator
) -> Iterator[tuple[str, Text]]:
    """Yield the column and the sentence of each problem of a row."""
    for error in sorted(validator.iter_errors(record), key=lambda error: [*map(str, error.path)]):
        yield from _error_problems(error, record, schema)
    for name, value in record.items():
        if isinstance(value, list | dict):
            yield name, NOT_ONE_VALUE()
        elif isinstance(value, str) and (character := unprintable(value)):
            yield name, UNPRINTABLE(character=character)
    for name in schema.files:
        value, pattern = record.get(name), schema.properties[name].get("pattern")
        if isinstance(value, str) and pattern and not FILE_ID.fullmatch(value):
            file = short_name(value)
            if accepted_name(file, pattern) is None:
                text = wrong_file_name(file, pattern, _description(name, schema))
                yield name, _in_own_words(text, name, schema)


def _error_problems(
    error: ValidationError, record: Mapping[str, Any], schema: RowSchema
) -> Iterator[tuple[str, Text]]:
    name = str(error.absolute_path[0]) if error.absolute_path else ""
    expected: Any = error.validator_value
    match error.validator:
        case "required" if not name:
            for missing in expected:
                if missing not in record and f"{missing!r}" in error.message:
                    yield missing, with_description(REQUIRED(), _description(missing, schema))
        case "dependentRequired" if not name:
            for given, others in expected.items():
                for missing in others if given in record else ():
                    if missing not in record and f"{missing!r}" in error.message:
                        yield missing, REQUIRED_WITH(other=f"“{schema.title(given)}”")
        case "additionalProperties" if not name:
            for unknown in sorted(set(record) - set(schema.properties)):
                yield unknown, UNKNOWN_COLUMN()
        case _:
            text = error_text(error, _description(name, schema))
            yield name, text if is_not_text(error) else _in_own_words(text, name, schema)


def _in_own_words(text: Text, name: str, schema: RowSchema) -> Text:
    """Return the text with the `errorMessage` of a column, where it has one."""
    own = schema.properties.get(name, {}).get("errorMessage")
    return in_own_words(text, str(own)) if own else text


def _description(name: str, schema: RowSchema) -> str:
    return str(schema.properties.get(name, {}).get("description", ""))


def _duplicates(
    records: Sequence[Mapping[str, Any]], schema: RowSchema, numbers: Sequence[int]
) -> Iterator[Issue]:
    """Yield an issue for each row with the key of an earlier row.

    A key whose first value is missing is ignored; other missing values are equal. Keys that differ
    only in case or width are warnings: they may well be two samples or files.
    """
    for names in schema.keys:
        exact: dict[tuple[str, ...], int] = {}
        similar: dict[tuple[str, ...], int] = {}
        columns = _listed([f"“{schema.title(name)}”" for name in names])
        for index, record in enumerate(records):
            if names[0] not in record:
                continue
            values = [str(record.get(name, "")) for name in names]
            equal = exact.setdefault(tuple(map(normal, values)), index)
            alike = similar.setdefault(tuple(map(folded, values)), index)
            if alike == index:
                continue
            first, duplicate = (equal, True) if equal != index else (alike, False)
            value = ", ".join(value[:MAX_KEY_CHARACTERS] for value in values if value)
            message = DUPLICATE_KEY if duplicate else SIMILAR_KEY
            yield Issue.of(
                message(value=value, first_row=numbers[first], columns=columns),
                row=numbers[index],
                index=index,
                name=names[0],
                column=schema.title(names[0]),
                severity="error" if duplicate else "warning",
            )


def _listed(names: Sequence[str]) -> str:
    """Return names as an enumeration: a, b and c."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
