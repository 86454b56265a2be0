"""Plans a workflow once and records what it does with its configuration.

`python -m services.engine.recorder RECORD SNAKEMAKE-ARGUMENTS` runs Snakemake in a forked process
and writes to the file RECORD, as JSON, the configuration that it read and the files that were
opened, listed, read as tables, validated or required by jobs. Jobs whose inputs are missing end a
plan; the recorder then creates empty files in their place and plans again, so the folder must be a
copy.

Reading a Snakefile executes it, so this runs only in a process of its own (`oneshot`).
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

from services.engine import snakemake_internals
from services.engine.snakemake_observer import Observer, import_for_planning

MAX_PLANS = 12  # with the files that the plan before lacked
MAX_PATHS = 20_000  # of each list of the record
MAX_COLUMNS = 200
MAX_TEXT_CHARACTERS = 4000  # of an error
SOURCE = "rundesk.table"  # attribute of a pandas object: index of its table in the record
READERS = ("read_csv", "read_table", "read_excel")


class Recorder:
    """Collects what one Snakemake does; `record` is JSON."""

    def __init__(self) -> None:
        self.record: dict[str, Any] = {
            "configfiles": [],  # read by `configfile:` or `--configfile`
            "config": {},  # as the files say, before the Snakefile changed it
            "filled": {},  # the configuration with the defaults of its schema
            "config_schema": [],  # given to `validate` with the configuration
            "tables": [],  # read by pandas: {path, columns, separator, schema}
            "pep": [],  # given to `pepfile:`
            "opened": [],
            "listed": [],
            "inputs": [],  # of jobs, which no job creates
            "missing": [],  # of those
            "jobs": {},  # rule to number; empty without a plan
            "error": None,  # {type, text}
        }
        self._observer = Observer()
        self._recording = True

    def install(self) -> None:
        """Have Python, pandas and Snakemake report to this recorder."""
        sys.addaudithook(self._audit)
        self._observer.observe_configuration(self._configured, self._given_pep)
        self._observer.observe_missing_inputs(self._missing)
        self._observer.observe_validation(self._validated, self._filled)
        self._observer.observe_errors(self.failed)
        import pandas as pd

        for name in READERS:
            setattr(pd, name, self._reader(getattr(pd, name)))

    def finish(self) -> None:
        """Take over the plan, and keep of the paths those that the configuration names."""
        self._recording = False
        plan = [] if self.record["error"] else list(self._observer.jobs())
        outputs = {path for _, _, made, _ in plan for path in made}
        for rule, inputs, _, needed in plan:
            if needed:
                self.record["jobs"][rule] = self.record["jobs"].get(rule, 0) + 1
            for path in inputs:
                if path not in outputs:
                    self._add("inputs", path)
        values = {os.path.normpath(text) for text in texts(self.record["config"]) if text}
        values -= {".", "/"}
        for name in ("opened", "listed", "inputs"):
            paths = dict.fromkeys(map(os.path.normpath, self.record[name]))
            self.record[name] = [path for path in paths if is_named(path, values)]

    def failed(self, error: BaseException, text: str = "") -> None:
        """Record why there is no plan; only the first error says so."""
        if self.record["error"] is not None:
            return
        words = (text or str(error))[:MAX_TEXT_CHARACTERS]
        self.record["error"] = {"type": type(error).__name__, "text": words}

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._recording or event not in ("open", "os.listdir", "os.scandir", "glob.glob"):
            return
        path = arguments[0] if arguments else None
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if isinstance(path, str | os.PathLike):
            self._add("opened" if event == "open" else "listed", os.fspath(path))

    def _add(self, name: str, path: str) -> None:
        known = self.record[name]
        if len(known) < MAX_PATHS and path not in known[-50:]:
            known.append(path)

    def _configured(self, path: str, config: Mapping[str, Any]) -> None:
        self._add("configfiles", path)
        self.record["config"] = plain(config)

    def _filled(self, config: Mapping[str, Any]) -> None:
        if not self.record["filled"]:
            self.record["filled"] = plain(config)

    def _given_pep(self, path: str) -> None:
        self._add("pep", path)

    def _missing(self, paths: Iterable[str]) -> None:
        for path in paths:
            self._add("missing", str(path))

    def _validated(self, data: Any, schema: str, *, is_config: bool) -> None:
        if is_config:
            self._add("config_schema", schema)
            return
        index = getattr(data, "attrs", {}).get(SOURCE)
        if index is None:
            index = self._most_alike(data)
        if index is not None:
            self.record["tables"][index]["schema"] = schema

    def _most_alike(self, data: Any) -> int | None:
        """Return the table that shares most columns with a frame."""
        columns = {str(name) for name in getattr(data, "columns", ())}
        tables: list[dict[str, Any]] = self.record["tables"]
        shared = [len(columns.intersection(table["columns"])) for table in tables]
        return shared.index(max(shared)) if any(shared) else None

    def _reader(self, read: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(read)
        def reading(source: Any, *words: Any, **options: Any) -> Any:
            frame = read(source, *words, **options)
            if self._recording and isinstance(source, str | os.PathLike):
                index = len(self.record["tables"])
                self.record["tables"].append(table_of(os.fspath(source), frame, options))
                if hasattr(frame, "attrs"):
                    frame.attrs[SOURCE] = index
            return frame

        return reading


def table_of(path: str, frame: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of a table that was read."""
    names = [*getattr(getattr(frame, "index", None), "names", ()), *getattr(frame, "columns", ())]
    columns = [str(name) for name in names if name is not None][:MAX_COLUMNS]
    separator = options.get("sep", options.get("delimiter"))
    named = isinstance(separator, str) and len(separator) == 1
    return {
        "path": path,
        "columns": columns,
        "separator": separator if named else "",
        "header": options.get("header", 0) is not None,
        "schema": "",
    }


def plain(value: Any) -> Any:
    """Return a configuration as JSON can write it."""
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def texts(config: Any) -> Iterator[str]:
    """Yield every text in a configuration."""
    if isinstance(config, dict | list):
        for inner in config.values() if isinstance(config, dict) else config:
            yield from texts(inner)
    elif isinstance(config, str):
        yield config


def is_named(path: str, values: Container[str]) -> bool:
    """Return whether a path, or a folder that it is in, is one of these values."""
    return any(str(part) in values for part in (Path(path), *Path(path).parents))


def main(arguments: Sequence[str]) -> None:
    """Plan until no input is missing, MAX_PLANS times at most; exit with the last exit code."""
    target, command = Path(arguments[0]), arguments[1:]
    import_for_planning()
    created: list[str] = []
    code = 1
    for _ in range(MAX_PLANS):
        if (child := os.fork()) == 0:
            _plan(target, command, created)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        new = [path for path in _missing_inputs(target) if create(path, command)]
        if not new:
            break
        created += new
    sys.exit(abs(code))


def create(path: str, command: Sequence[str]) -> bool:
    """Create an empty file in the folder of a plan; return False when there is nothing to do."""
    folder = Path(command[command.index("--directory") + 1])
    place = Path(os.path.normpath(folder / path))
    if place.exists() or not place.is_relative_to(folder):
        return False
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    except OSError:
        return False
    return True


def _missing_inputs(target: Path) -> list[str]:
    """Return the missing inputs that ended a plan; other missing inputs had another producer."""
    try:
        record = json.loads(target.read_bytes())
    except (OSError, ValueError):
        return []
    return list(record["missing"]) if record["error"] else []


def _plan(target: Path, command: Sequence[str], created: Sequence[str]) -> NoReturn:
    code = 1
    recorder = Recorder()
    recorder.record["created"] = list(created)
    try:
        recorder.install()
        snakemake_internals.run_command(command)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            recorder.failed(end)
    except BaseException as error:
        recorder.failed(error)
        traceback.print_exc()
    finally:
        try:
            recorder.finish()
            target.write_text(json.dumps(recorder.record))
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
