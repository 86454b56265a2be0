"""Add workflows and compare their forms and plans with what Snakemake itself reads and plans.

`python -m bench.catalogue FOLDER…` adds each folder to an installation of its own and prints a row
for each: whether it is added, whether the untouched form gives the configuration that Snakemake
reads (round trip), how many of its tables can be edited and of its files uploaded, and whether its
example plans the jobs that `snakemake -n` plans with its test data. Totals follow.

What counts as a table or a file is decided here from the plans and the configuration alone, not by
the code that recognizes them: a table is a value that a plan reads with pandas, or that names an
existing table of several columns; a file is any other value with the suffix of a file that lies in
a folder or exists. Addresses, results, logs and the code of the workflow are neither.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.stand import ME, folder, mongod
from services import bootstrap
from services.admin import judgement
from services.bootstrap import Services
from services.catalogue.observations import observed
from services.catalogue.requirements import VARIABLE
from services.engine import observing
from services.errors import Invalid, RundeskError
from services.models import RunRequest
from services.params.schema import flatten, is_file, is_folder, is_sheet, part_of
from services.runs.previews import Previews
from services.settings import Settings

PLAN_TIMEOUT_S = 180.0  # of an example; the figures do not depend on the load of the machine
Location = tuple[str, ...]
SUFFIX = re.compile(r"[^/.][.][A-Za-z][A-Za-z0-9_]{0,19}([.](gz|bz2|xz|zip|zst))?$")
TABLE = re.compile(r"[.](tsv|csv|xlsx|xls|ods)$")
RESULT = re.compile(r"^[./]*(results?|logs?|output|out|tmp|temp|benchmarks?)(/|$)")
RESULT_NAME = re.compile(r"out|result|log|tmp|temp|scratch|prefix|suffix|cache", re.I)
CODE = re.compile(r"(^|/)(workflow|envs|scripts|rules|schemas)/|^[a-z][a-z0-9+.-]*://", re.I)
BASES = ("", ".test", ".tests/integration", ".tests", "test", "tests")


@dataclass
class Row:
    """What was measured of one workflow."""

    name: str
    added: str = ""  # "yes", "unavailable", or the kind of the refusal
    readable: bool = False  # Snakemake itself reads it: of its own folder or of its test data
    round_trip: str = ""  # "yes", or the first value that differs
    tables: int = 0
    editable: int = 0
    files: int = 0
    uploadable: int = 0
    example: str = ""  # "same", "differs …", "no" where only Snakemake plans it, "" without data
    seconds: float = 0
    notes: list[str] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--notes", action="store_true", help="print what is behind each row")
    chosen = parser.parse_args(arguments)
    rows = []
    with folder() as place, mongod(place) as server:
        given = {
            "RUNDESK_DATA": str(place / "data"),
            "RUNDESK_DB_PORT": str(server.port),
            "RUNDESK_LOG_LEVEL": "ERROR",
        }
        services = bootstrap.build(Settings.load(given))
        try:
            for path in chosen.folders:
                rows.append(measure(services, path.resolve()))
                print(line(rows[-1]), flush=True)
                for note in rows[-1].notes if chosen.notes else ():
                    print(f"    {note}", flush=True)
        finally:
            services.close()
    print(summary(rows))


def measure(services: Services, path: Path) -> Row:
    """Add the workflow in a folder and measure it."""
    row = Row(name=re.sub(r"[^a-z0-9._-]", "-", path.name.lower())[:60])
    begun = time.monotonic()
    try:
        added, remarks = services.additions.add(ME, str(path), name=row.name)
        row.added = "yes" if added.workflow.available else "unavailable"
        for need in added.workflow.needs:
            if need.kind == VARIABLE and not need.met:  # to measure the rest
                services.additions.set_secret(ME, row.name, need.name, "x")
        row.notes += [f"{text.code}: {text}" for text in remarks]
    except Invalid as error:
        texts = [problem.message for problem in error.problems] or [error.message]
        row.added = f"refused: {_kind(error)}"
        row.notes += texts
    except RundeskError as error:
        row.added, row.notes = f"refused: {error.text.code}", [error.message]
    except Exception as error:
        row.added = f"TRACEBACK {type(error).__name__}"
        row.notes.append(repr(error)[:500])
    row.seconds = time.monotonic() - begun
    records = _records(services, path, row)
    row.readable = any(map(judgement.is_read, records))
    if row.added in ("yes", "unavailable"):
        try:
            compare(services, path, records, row)
        except Exception as error:
            row.notes.append(f"TRACEBACK {error!r}"[:500])
            row.round_trip = row.round_trip or f"TRACEBACK {type(error).__name__}"
    return row


def compare(services: Services, path: Path, records: Sequence[Mapping[str, Any]], row: Row) -> None:
    """Compare the form and the example of an added workflow with the records of its plans."""
    config = with_defaults(records[0].get("config") or {}, records[0].get("filled") or {})
    workflow = services.workflows.get(ME, row.name)
    row.round_trip = round_trip(services, row.name, config)
    for location, value in leaves(config):
        what = kind_of(path, records, location, value)
        if what is None:
            continue
        drawn = field_at(workflow.params_schema, location)
        if what == "table":
            row.tables += 1
            row.editable += is_sheet(drawn)
        else:
            row.files += 1
            row.uploadable += is_file(drawn) or is_file(drawn.get("items") or {})
        if not (is_sheet(drawn) if what == "table" else is_file(drawn) or is_folder(drawn)):
            row.notes.append(f"{what} {'.'.join(location)} = {value!r}: {json.dumps(drawn)[:150]}")
    planned = next(filter(judgement.is_planned, records[1:]), None)
    if planned is not None:
        row.example = example(services, row.name, planned["jobs"])


def with_defaults(config: Mapping[str, Any], filled: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with the values that `validate` filled in from its schema."""
    result = dict(config)
    for name, value in filled.items():
        if name not in result:
            result[name] = value
        elif isinstance(value, Mapping) and isinstance(result[name], Mapping):
            result[name] = with_defaults(result[name], value)
    return result


def round_trip(services: Services, name: str, config: Mapping[str, Any]) -> str:
    """Return "yes" when the untouched form gives a configuration, else what differs first."""
    try:
        given = services.previews.validate(ME, RunRequest(workflow=name, params={})).params
    except Invalid as error:
        problems = [f"{one.field}: {one.message}" for one in error.problems] or [error.message]
        return f"refused {problems[0]}"[:80]
    mine, theirs = (
        dict(leaves(json.loads(json.dumps(one, default=str)))) for one in (given, config)
    )
    for location in [*theirs, *mine]:
        if mine.get(location, "absent") != theirs.get(location, "absent"):
            return f"{'.'.join(location)}: {mine.get(location, 'absent')!r}"[:80]
    return "yes"


def example(services: Services, name: str, jobs: Mapping[str, int]) -> str:
    """Return "same" when the example of a workflow plans exactly these jobs."""
    try:
        previews = Previews(
            services.settings, services.files, services.workflows, patience=PLAN_TIMEOUT_S
        )
        preview = previews.preview(ME, RunRequest(workflow=name, example=True))
    except RundeskError as error:
        problems = [one.message for one in error.problems] if isinstance(error, Invalid) else []
        return f"no: {(problems or [error.message])[0]}"[:90]
    if preview.problems:
        return f"no: {preview.problems[0]}"[:90]
    planned = {rule.rule: rule.jobs for rule in preview.rules}
    return "same" if planned == dict(jobs) else f"differs: {preview.total} for {sum(jobs.values())}"


def kind_of(
    path: Path, records: Sequence[Mapping[str, Any]], location: Location, value: Any
) -> str | None:
    """Return "table", "file" or None for a value of the configuration."""
    texts = value if isinstance(value, list) else [value]
    if not texts or not all(isinstance(text, str) and text for text in texts):
        return None
    text = texts[0]
    for record in records:
        for table in record.get("tables", ()):
            same = os.path.normpath(table["path"]) == os.path.normpath(text)
            if same and table["header"] and len(table["columns"]) > 1:
                return "table"
    if RESULT.match(text) or RESULT_NAME.search(location[-1]) or CODE.search(text):
        return None
    places = [path / base / text for base in BASES]
    existing = next((place for place in places if place.is_file()), None)
    if existing is not None and TABLE.search(text):
        head = existing.open(encoding="utf-8", errors="replace").readline()
        return "table" if re.search(r"[\t,;]", head) and not head.startswith("#") else "file"
    if existing is not None or ("/" in text and SUFFIX.search(text) and " " not in text):
        return "file"
    return None


def leaves(config: Any, location: Location = ()) -> Iterator[tuple[Location, Any]]:
    """Yield every value that is no mapping, with its location; an empty mapping is a value."""
    if isinstance(config, Mapping) and (config or not location):
        for name, value in config.items():
            yield from leaves(value, (*location, str(name)))
    else:
        yield location, config


def field_at(schema: dict[str, Any], location: Location) -> dict[str, Any]:
    """Return the field at a location of a form; {} where there is none."""
    node: Any = flatten(schema)
    for name in location:
        if (node := part_of(node, name)) is None:
            return {}
    return dict(node)


def plain(value: Any) -> Any:
    """Return a value as JSON has it; keys and dates become texts."""
    return json.loads(json.dumps(value, default=str))


def _records(services: Services, path: Path, row: Row) -> list[Mapping[str, Any]]:
    """Return the records of the plans: those kept on adding, or made now for a refused workflow."""
    if row.added in ("yes", "unavailable"):
        kept = observed(services.workflows.folder(row.name))
        if kept is not None and kept.records:
            return list(kept.records)
    try:
        return [observing.record_of(path)]
    except Exception as error:
        return [{"error": {"type": type(error).__name__, "text": str(error)}}]


def _kind(error: Invalid) -> str:
    """Return the kind of a refusal: the start of its sentence, without values."""
    text = error.problems[0].text if error.problems else error.text
    return text.message.template.partition(":")[0].partition("{")[0].strip() or text.code


def line(row: Row) -> str:
    return (
        f"{row.name:45} {row.added:14} {row.round_trip or '–':30} "
        f"tables {row.editable}/{row.tables} files {row.uploadable}/{row.files} "
        f"example {row.example or '–'}  {row.seconds:.0f} s"
    )


def summary(rows: Sequence[Row]) -> str:
    """Return the totals."""
    read = [row for row in rows if row.readable]
    added = [row for row in rows if row.added in ("yes", "unavailable")]
    forms = [row for row in added if row.tables or row.files]
    complete = [row for row in forms if (row.editable, row.uploadable) == (row.tables, row.files)]
    examples = [row for row in added if row.example]
    kinds = Counter(row.added for row in rows)
    lines = [
        "",
        f"workflows: {len(rows)}, read by Snakemake: {len(read)}, added: {len(added)}",
        f"round trip: {sum(row.round_trip == 'yes' for row in added)} of {len(added)}",
        f"every table editable and file uploadable: {len(complete)} of {len(forms)}",
        f"example with the same jobs: {sum(row.example == 'same' for row in examples)} of"
        f" {len(examples)}",
        f"tracebacks: {sum('TRACEBACK' in f'{row.added}{row.round_trip}' for row in rows)}",
        *(f"  {count:3}  {kind}" for kind, count in kinds.most_common()),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
