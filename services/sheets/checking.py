"""Rows against a row schema: every cell, every key, each problem at its place."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from services.params import validation
from services.sheets.model import MOST_ROWS, Issue, RowSchema, cut
from services.sheets.values import unprintable

FILE_ID = re.compile(r"[0-9a-f]{24}")
MARKS = re.compile(r"[\\/]")


def check(records: Sequence[Any], row_schema: Mapping[str, Any]) -> list[Issue]:
    """What is wrong with rows that were typed or sent: numbered from 1, by row.

    Files are named in their cells by id or by name; whether there are such files is not asked here.
    """
    schema = RowSchema(row_schema)
    if len(records) > MOST_ROWS:
        return [Issue(message=f"There are {len(records)} rows; {MOST_ROWS} are allowed.")]
    return cut(list(examine(records, schema, range(1, len(records) + 1))))


def examine(
    records: Sequence[Any],
    schema: RowSchema,
    numbers: Sequence[int],
    told: Collection[str] = (),
) -> Iterator[Issue]:
    """The issues of records whose rows have `numbers`; none about whole columns that are `told`."""
    validator = Draft202012Validator(
        _of_values(schema), format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    good: list[Mapping[str, Any]] = []
    for index, record in enumerate(records):
        place = {"index": index, "row": numbers[index]}
        good.append(record if isinstance(record, Mapping) else {})
        if not isinstance(record, Mapping):
            yield Issue(message="This row must be an object.", **place)
            continue
        for name, message, hint in _of_record(record, schema, validator):
            if name not in told:
                yield Issue(
                    message=message, hint=hint, name=name, column=schema.title(name), **place
                )
    yield from _twice(good, schema, numbers)


def short_name(cell: str) -> str:
    """The name of a file that a cell names, without the folders before it."""
    return MARKS.split(cell.rstrip("/\\"))[-1]


def _of_values(schema: RowSchema) -> dict[str, Any]:
    """The schema of a row for the values that stand in it: a file's is its id or name."""
    properties = {name: validation.as_reference(one) for name, one in schema.properties.items()}
    return {"type": "object", **schema.row, "properties": properties}


def _of_record(
    record: Mapping[str, Any], schema: RowSchema, validator: Draft202012Validator
) -> Iterator[tuple[str, str, str]]:
    """Name of the column, message and hint for each problem of a row."""
    for error in sorted(validator.iter_errors(record), key=lambda error: [*map(str, error.path)]):
        yield from _in_words(error, record, schema)
    for name, value in record.items():
        if isinstance(value, list | dict):
            yield name, "A cell holds a single value.", ""
        elif isinstance(value, str) and (character := unprintable(value)):
            yield name, f"This holds the character {character}, which cannot be seen.", ""
    for name in schema.files:
        value, pattern = record.get(name), schema.properties[name].get("pattern")
        if isinstance(value, str) and pattern and not FILE_ID.fullmatch(value):
            file = short_name(value)
            if not re.search(pattern, file):
                words = f"{file} is not a file of the kind that is asked for here."
                yield name, _own_words(name, schema) or words, f"Its name must match {pattern}"


def _in_words(
    error: ValidationError, record: Mapping[str, Any], schema: RowSchema
) -> Iterator[tuple[str, str, str]]:
    name = str(error.absolute_path[0]) if error.absolute_path else ""
    wanted: Any = error.validator_value
    match error.validator:
        case "required" if not name:
            for lacking in wanted:
                if lacking not in record and f"{lacking!r}" in error.message:
                    yield lacking, "This is needed.", _hint(lacking, schema)
        case "dependentRequired" if not name:
            for given, others in wanted.items():
                for lacking in others if given in record else ():
                    if lacking not in record and f"{lacking!r}" in error.message:
                        title = schema.title(given)
                        yield lacking, f"This is needed where there is “{title}”.", ""
        case "additionalProperties" if not name:
            for unknown in sorted(set(record) - set(schema.properties)):
                yield unknown, "This column is unknown.", ""
        case _:
            said = _own_words(name, schema)
            yield name, said or validation.words(error), "" if said else _hint(name, schema)


def _own_words(name: str, schema: RowSchema) -> str:
    """What the schema itself says of a value that does not fit."""
    return str(schema.properties.get(name, {}).get("errorMessage", ""))


def _hint(name: str, schema: RowSchema) -> str:
    return str(schema.properties.get(name, {}).get("description", ""))


def _twice(
    records: Sequence[Mapping[str, Any]], schema: RowSchema, numbers: Sequence[int]
) -> Iterator[Issue]:
    """Rows whose key another row has already; a key that is not all there is not compared."""
    for names in schema.keys:
        first: dict[tuple[str, ...], int] = {}
        for index, record in enumerate(records):
            if any(name not in record for name in names):
                continue
            there = first.setdefault(tuple(str(record[name]) for name in names), index)
            if there != index:
                title = " and ".join(f"“{schema.title(name)}”" for name in names)
                value = ", ".join(str(record[name])[:60] for name in names)
                yield Issue(
                    row=numbers[index],
                    index=index,
                    name=names[0],
                    column=schema.title(names[0]),
                    message=f"“{value}” is in row {numbers[there]} already.",
                    hint=f"{title} may occur only once.",
                )
