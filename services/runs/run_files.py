"""Configuration files of a request: one that fills in parameters, and ones that replace files.

A registered YAML or JSON file gives parameters as `snakemake --configfile` does. Any file of the
workflow's config folder can be replaced for a run by a registered file.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from services.catalogue import config_files
from services.catalogue.configuration import Broken, parsed_mapping
from services.engine.staging import staged_replacement
from services.errors import Invalid, Message, NotFound, Problem
from services.models import File, Input
from services.params import json_values, validation
from services.runs.samplesheets import FILE_NOT_FOUND, Library
from services.settings import MIB

MAX_CONFIG_BYTES = MIB
MAX_REPLACEMENTS = 100
CONFIG = "config/"

CONFIG_TOO_LARGE = Message(
    "limit_reached", "The configuration file has {size} bytes; the limit is {limit} bytes."
)
CONFIG_UNREADABLE = Message("unreadable_file", "The configuration file cannot be read. {error}")
CONFIG_NOT_TEXT = Message("unreadable_file", "The configuration file is not UTF-8 text.")
NOT_A_CONFIG_PATH = Message(
    "wrong_format",
    "Only files of the folder config can be replaced.",
    hint="Use a path such as config/scenario.yaml.",
)
CONFIGURATION_ITSELF = Message(
    "not_allowed",
    "This is the configuration file of the workflow.",
    hint="Send its content as params with complete: true, or as config_file.",
)
TOO_MANY_REPLACEMENTS = Message("limit_reached", "At most {limit} files can be replaced.")


def config_values(library: Library, file_id: str) -> dict[str, Any]:
    """Return the values in a registered configuration file, as parameters. Raises Invalid."""
    field = "config_file"
    try:
        path = library.path(file_id)
    except NotFound:
        raise Invalid(FILE_NOT_FOUND(), field=field) from None
    return parameters_in(_text(path, field), field)


def parameters_in(text: str, field: str) -> dict[str, Any]:
    """Return the values in the text of a configuration file, as parameters. Raises Invalid."""
    try:
        values: dict[str, Any] = config_files.as_json(parsed_mapping(text, field))
    except Broken as error:
        raise Invalid(CONFIG_UNREADABLE(error=error.text), field=field) from error
    for place, problem in json_values.invalid_values(values):
        raise Invalid(problem, field=json_values.field_name(field, *place))
    return values


def merged(values: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a configuration file with parameters that take precedence."""
    result = dict(values)
    for name, value in params.items():
        before = result.get(name)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        result[name] = merged(before, value) if both else value  # type: ignore[arg-type]
    return result


def named_by_file(error: Invalid, params: Mapping[str, Any]) -> Invalid:
    """Return an error whose problems name the configuration file where the values are from it."""
    problems = []
    for problem in error.problems:
        name = problem.field.removeprefix("params.").partition(".")[0]
        own = problem.field.startswith("params.") and name not in params
        problems.append(
            problem.at(problem.field.replace("params", "config_file", 1)) if own else problem
        )
    return Invalid(error.text, problems=problems)


def replacements(
    library: Library, wanted: Mapping[str, str], configfiles: Collection[str]
) -> list[Input]:
    """Return the registered files that replace files of the config folder, as inputs of the run.

    `wanted` has ids of files by path, `configfiles` are the paths of the configuration itself,
    whose values are parameters. Raises Invalid with every problem.
    """
    if len(wanted) > MAX_REPLACEMENTS:
        raise Invalid(TOO_MANY_REPLACEMENTS(limit=MAX_REPLACEMENTS), field="replacements")
    known, problems, inputs = library.by_ids(wanted.values()), [], []
    for path, file_id in wanted.items():
        field = json_values.field_name("replacements", path)
        file = known.get(file_id)
        if not _is_config_path(path):
            problems.append(Problem(field, NOT_A_CONFIG_PATH()))
        elif path in configfiles:
            problems.append(Problem(field, CONFIGURATION_ITSELF()))
        elif file is None:
            problems.append(Problem(field, FILE_NOT_FOUND()))
        else:
            inputs.append(_input(path, file))
    if problems:
        raise Invalid(validation.INVALID_PARAMETERS(), problems=problems)
    return inputs


def _input(path: str, file: File) -> Input:
    return Input(
        field=path,
        file=file.id,
        name=file.name,
        path=staged_replacement(path),
        size=file.size,
        sha256=file.sha256,
    )


def _is_config_path(path: str) -> bool:
    plain = posixpath.normpath(path) == path and not json_values.INVALID_TEXT.search(path)
    return plain and path.startswith(CONFIG) and len(path) > len(CONFIG) and "\\" not in path


def _text(path: Path, field: str) -> str:
    size = path.stat().st_size
    if size > MAX_CONFIG_BYTES:
        raise Invalid(CONFIG_TOO_LARGE(size=size, limit=MAX_CONFIG_BYTES), field=field)
    try:
        return config_files.read_text(path)
    except UnicodeDecodeError:
        raise Invalid(CONFIG_NOT_TEXT(), field=field) from None
