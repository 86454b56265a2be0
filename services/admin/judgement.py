"""Judges a workflow by the plans that were made of it: what refuses it, and what to know about it.

An input that only users can give never refuses a workflow.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.catalogue import snakefiles
from services.catalogue.file_words import is_path
from services.catalogue.recognition import leaves
from services.engine.snakemake_internals import LOCATION, SYNTAX_ERROR
from services.errors import Message, Text

Record = Mapping[str, Any]
#: Errors that Snakemake raises only after it has read the whole Snakefile.
PLANNING_ERRORS = frozenset(
    {
        "MissingInputException",
        "InputFunctionException",
        "MissingRuleException",
        "WildcardError",
        "AmbiguousRuleException",
        "CyclicGraphException",
        "PeriodicWildcardError",
        "ChildIOException",
    }
)
MAX_WORDS = 400  # characters of an error in a sentence

NEWER_PYTHON = Message(
    "invalid_workflow",
    "The workflow is written for Python 3.12 or later, and this server runs Python {version}:"
    " {place}: {error}",
    hint="Install Rundesk with Python 3.12 or later.",
)
SYNTAX = Message("invalid_workflow", "The workflow has a syntax error: {place}: {error}")
OLD_SNAKEMAKE = Message(
    "invalid_workflow",
    "The workflow is written for an older version of Snakemake than {version}: {place}: {error}",
)
PACKAGE_MISSING = Message(
    "unmet_requirement",
    "The workflow imports the Python package {name}, which is not installed on this server:"
    " {place}.",
)
VARIABLES_MISSING = Message(
    "unmet_requirement",
    "The workflow needs the environment variables {names}, which are not set for it.",
    hint="Set each with: rundesk workflows secret NAME VARIABLE",
)
REMOTE_SOURCE = Message(
    "invalid_workflow",
    "The workflow uses code of other repositories, which could not be fetched"
    " ({names}): {place}: {error}",
    hint="Give this server access to these hosts, or use a copy of the workflow that contains the"
    " code.",
)
NO_CONFIGURATION = Message(
    "invalid_workflow",
    "The configuration of the workflow has no value for {key}, which the Snakefile reads: {place}.",
    hint="If the workflow has several configuration files, name one with --config.",
)
INVALID_CONFIGURATION = Message(
    "invalid_workflow", "The configuration of the workflow is invalid by its own schema: {error}"
)
FILE_OF_WORKFLOW_MISSING = Message(
    "invalid_workflow",
    "The workflow reads the file {path}, which it does not contain: {place}.",
)
CODE_FAILED = Message(
    "invalid_workflow", "The Snakefile fails while Snakemake reads it: {place}: {error}"
)
NOT_READ = Message("invalid_workflow", "Snakemake could not read the workflow: {error}")
INPUT_OF_USER = Message(
    "workflow_remark",
    "The workflow needs {paths} from its users; Snakemake read the Snakefile until it needed them"
    " ({place}).",
)
INPUTS_OF_USER = Message(
    "workflow_remark",
    "The workflow cannot run with its own configuration, because users provide its input files,"
    " such as {paths}.",
)
OWN_NOT_PLANNED = Message(
    "workflow_remark",
    "Snakemake read the workflow and could not plan it with its own configuration: {error}",
)
EXAMPLE_PLANNED = Message(
    "workflow_remark",
    "The example of the workflow is its test data in {base}: {count} jobs.",
    one="The example of the workflow is its test data in {base}: 1 job.",
)
TEST_DATA_INCOMPLETE = Message(
    "workflow_remark",
    "The test data in {base} is no example, because Snakemake cannot plan it: {error}",
)

OLD_API = re.compile(
    r"snakemake\.remote|has no attribute '(?:mode|remote|dag|persistence|overwrite_config\w*|"
    r"_?quiet|printshellcmds|use_conda|use_singularity|Wildcards|get_argument_parser)'"
    r"|cannot import name '\w+' from 'snakemake|module 'snakemake[\w.]*' has no attribute"
    r"|No module named 'snakemake\.|(?:remote|subworkflow|dynamic)\b.*no longer supported"
    r"|Unsupported|NotImplementedError.*(?:remote|version)|'subworkflow'|dynamic\(\)",
    re.S,
)
NEWER_SYNTAX = re.compile(r"f-string: (?:unmatched|expecting|invalid|unterminated|expressions)")
MODULE = re.compile(r"No module named '([\w.]+)'")
VARIABLES = re.compile(r"environment variables are requested .*?:\s*(.+)", re.S)
REMOTE = re.compile(
    r"GitCommandError|Cmd\('git'\)|Could not resolve host|github\.com|gitlab|raw\.githubusercontent"
    r"|ConnectionError|Max retries exceeded|Failed to (?:open|read) source file|urlopen error"
    r"|Name or service not known|Temporary failure in name resolution",
    re.S,
)
KEY_ERROR = re.compile(r"KeyError in file [^\n]*\n'?([^'\n]+)'?")
INVALID_CONFIG = re.compile(r"Error validating (?:config file|row)[^\n]*\n?(.*)", re.S)
IN_BRACKETS = re.compile(r"\(([^()\s]+), line (\d+)\)")
NO_FILE = re.compile(r"(?:No such file or directory|does not exist)[^\n]*?:? *'([^'\n]+)'")
CONFIG_ABSENT = re.compile(r"Workflow defines configfile (\S+) but it is not present")


def is_planned(record: Record) -> bool:
    """Return whether Snakemake planned jobs without files that the recorder had to create."""
    return record.get("error") is None and not record.get("created") and bool(record.get("jobs"))


def is_read(record: Record) -> bool:
    """Return whether Snakemake read the whole Snakefile."""
    error = record.get("error")
    return error is None or error.get("type") in PLANNING_ERRORS


def verdict(folder: Path, records: Sequence[Record]) -> Iterator[Text]:
    """Yield the texts about a workflow by its plans, the first of which is of its own folder."""
    own, tests = records[0], records[1:]
    error = own.get("error") or {}
    if is_read(own):
        if missing := [*own.get("created", ()), *_unavailable(own)]:
            yield INPUTS_OF_USER(paths=named(missing))
        elif error:
            yield OWN_NOT_PLANNED(error=_first_line(error))
    elif missing := users_files(folder, own):
        where = place(own)
        yield (
            INPUT_OF_USER(paths=named(missing), place=where)
            if where
            else INPUTS_OF_USER(paths=named(missing))
        )
    elif not any(map(is_read, tests)):
        yield reason(own, snakefiles.remote_modules(folder))
    example = next(filter(is_planned, tests), None)
    if example is not None:
        yield EXAMPLE_PLANNED(base=example["base"], count=sum(example["jobs"].values()))
    elif tests:
        error = tests[0].get("error")
        words = _first_line(error) if error else f"{named(tests[0]['created'])} is missing."
        yield TEST_DATA_INCOMPLETE(base=tests[0]["base"], error=words)


def users_files(folder: Path, record: Record) -> list[str]:
    """Return the files and folders of the configuration that a failed plan wanted and did not find.

    Only those that the configuration names are of the user; others belong to the workflow.
    """
    base = folder / record.get("base", "")
    words = str((record.get("error") or {}).get("text", ""))
    named_in_error = [
        value
        for _, value in leaves(record.get("config", {}))
        if isinstance(value, str) and "/" in value and value in words and is_path(value)
    ]
    wanted = [*record.get("opened", ()), *record.get("listed", ()), *named_in_error]
    tables = {os.path.normpath(table["path"]) for table in record.get("tables", ())}
    return [path for path in wanted if path not in tables and not (base / path).exists()]


def reason(record: Record, modules: Sequence[str] = ()) -> Text:
    """Return why Snakemake could not read a workflow, by the type of the error.

    `modules` are the repositories that it takes modules from.
    """
    error = record.get("error") or {}
    kind, words = str(error.get("type", "")), str(error.get("text", ""))
    where, line = place(record), _first_line(error)
    version = ".".join(map(str, sys.version_info[:2]))
    if kind in ("SyntaxError", "IndentationError", "TabError") or SYNTAX_ERROR.search(words):
        if sys.version_info < (3, 12) and NEWER_SYNTAX.search(words):
            return NEWER_PYTHON(version=version, place=where, error=line)
        return SYNTAX(place=where, error=line)
    if OLD_API.search(words):
        return OLD_SNAKEMAKE(version=_snakemake_version(), place=where, error=line)
    if match := MODULE.search(words):
        return PACKAGE_MISSING(name=match[1].partition(".")[0], place=where)
    if match := VARIABLES.search(words):
        return VARIABLES_MISSING(names=", ".join(re.findall(r"\w+", match[1])))
    if REMOTE.search(words):
        return REMOTE_SOURCE(names=named(modules) or "on other hosts", place=where, error=line)
    if match := CONFIG_ABSENT.search(words):
        return FILE_OF_WORKFLOW_MISSING(path=match[1], place=where)
    if match := INVALID_CONFIG.search(words):
        problem = " ".join(match[1].partition("Failed validating")[0].split())
        return INVALID_CONFIGURATION(error=problem[:MAX_WORDS] or line)
    if kind == "KeyError" and (match := KEY_ERROR.search(words)) and not record.get("tables"):
        return NO_CONFIGURATION(key=match[1], place=where)
    if match := NO_FILE.search(words):
        return FILE_OF_WORKFLOW_MISSING(path=match[1], place=where)
    if where:
        return CODE_FAILED(place=where, error=line)
    return NOT_READ(error=line or "there is no reason on its console.")


def place(record: Record) -> str:
    """Return file and line of the error of a plan: "workflow/Snakefile, line 3", or ""."""
    words = str((record.get("error") or {}).get("text", ""))
    found = LOCATION.search(words) or SYNTAX_ERROR.search(words) or IN_BRACKETS.search(words)
    inner = [
        match
        for match in re.finditer(r'File "([^"]+)", line (\d+)', words)
        if not match[1].startswith("/")
    ]
    if inner:
        return f"{inner[-1][1]}, line {inner[-1][2]}"
    return f"{found[1]}, line {found[2]}" if found else ""


def named(paths: Sequence[str]) -> str:
    """Return the first paths of a list, for a sentence."""
    first = list(dict.fromkeys(paths))
    rest = len(first) - 3
    return ", ".join(first[:3]) + (f" and {rest} more" if rest > 0 else "")


def _first_line(error: Mapping[str, Any]) -> str:
    """Return the sentence of an error, without its location."""
    lines = [line.strip() for line in str(error.get("text", "")).splitlines() if line.strip()]
    if lines and lines[0].startswith("Traceback"):
        return lines[-1][:MAX_WORDS]
    if len(lines) > 1 and LOCATION.search(lines[0]):
        kind = str(error.get("type", ""))
        words = lines[2] if lines[1] == "Error:" and len(lines) > 2 else lines[1]
        return f"{kind}: {words}"[:MAX_WORDS] if kind and kind not in words else words[:MAX_WORDS]
    return " ".join(lines)[:MAX_WORDS]


def _unavailable(record: Record) -> list[str]:
    """Return the missing inputs of a plan that ended because of them."""
    return list(record.get("missing", ())) if record.get("error") else []


def _snakemake_version() -> str:
    from importlib.metadata import version

    return version("snakemake")
