"""Snakemake's events as records for Rundesk. `snakemake --logger rundesk` finds it by its name.

An observer never breaks what it observes: an event that is unknown is passed over, one that cannot
be read is counted. What the events hold, and their traps, is by Snakemake 9.27 and version 2.1 of
its logger interface.

No postponed annotations in this module: Snakemake reads the types of the settings from the class.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from logging import Handler, LogRecord
from logging.handlers import QueueHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from snakemake.logging import logger
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase

if TYPE_CHECKING:
    from services.engine.reporter import Reporter, Sink

Record = dict[str, Any]

LONGEST_LIST = 1000  # files of one job that are reported
LONGEST_TEXT = 20_000  # characters
RESTARTED = re.compile(r"Trying to restart job (\d+)\.")
MISSING_OUTPUT = re.compile(r"Job (\d+) +completed successfully, but some output files are missing")
TYPES_FOR_DATABASE = (str, int, float, bool, type(None))


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    """For use from a command line; the desk hands its own reporter over in the process."""

    uri: Optional[str] = field(  # noqa: UP045
        default=None, metadata={"help": "MongoDB of the desk", "env_var": True}
    )
    database: str = field(default="rundesk", metadata={"help": "Name of its database"})
    run: Optional[str] = field(  # noqa: UP045
        default=None, metadata={"help": "Run to report to; without one, records stay in the folder"}
    )
    attempt: int = field(default=1, metadata={"help": "Attempt of that run"})
    directory: Path = field(
        default=Path(".rundesk/attempt-1"),
        metadata={"help": "Folder for records that the database did not take, and for errors"},
    )


class Ear(Handler):
    """Hears Snakemake's events where they happen, before its queue for plugins.

    That queue formats and copies each event and wakes a thread for it, which for the dozen events
    of a small job costs more than reading the three that say something to us. When no other plugin
    listens, it is shut.
    """

    def __init__(self, hear: Callable[[LogRecord], None], *, alone: bool) -> None:
        super().__init__()
        self._hear = hear
        self._shut = not alone

    def emit(self, record: LogRecord) -> None:
        self._hear(record)
        if not self._shut:
            self._shut = True
            _shut_queue()


def _shut_queue() -> None:
    """Let nothing into it. Not before the first event: it is made after the plugins."""
    for handler in logger.handlers:
        if isinstance(handler, QueueHandler):
            handler.addFilter(lambda _: False)


class LogHandler(LogHandlerBase):
    """Passes on as records what Snakemake logs."""

    reporter: "Reporter"

    def __post_init__(self) -> None:
        from services.engine import reporter  # here: every job of a `run:` rule imports all plugins

        self._events = Events()
        self.reporter = reporter.handed_over() or _from_settings(self.settings)
        alone = len(getattr(self.common_settings, "log_handler_settings", ())) == 1
        logger.addHandler(Ear(self.hear, alone=alone))

    def emit(self, record: LogRecord) -> None:
        """What comes through the queue has been heard before."""

    def hear(self, record: LogRecord) -> None:
        try:
            for translated in self._events.translate(record):
                self.reporter.put(translated)
                if translated["type"] in ("failed", "restarted"):
                    self.reporter.note(translated)
            if getattr(record, "event", None) == "error":
                text = record.getMessage()[:LONGEST_TEXT]
                exception = str(getattr(record, "exception", ""))
                self.reporter.note({"type": "error", "exception": exception, "text": text})
        except Exception as error:
            self.reporter.failed(error)

    def close(self) -> None:
        """Snakemake calls this twice."""
        try:
            self.reporter.close()
        except Exception as error:
            self.reporter.failed(error)
        Handler.close(self)

    @property
    def writes_to_stream(self) -> bool:
        return False

    @property
    def writes_to_file(self) -> bool:
        return False

    @property
    def has_filter(self) -> bool:
        """Yes, an empty one: the default filter drops events when Snakemake is told to be quiet."""
        return True

    @property
    def has_formatter(self) -> bool:
        return True

    @property
    def needs_rulegraph(self) -> bool:
        return True


class Events:
    """Log events as records. Remembers what later events of a job leave out."""

    def __init__(self) -> None:
        self._tries: dict[int, int] = {}
        self._running: dict[int, Record] = {}
        self._read: dict[str | None, Callable[[LogRecord], list[Record]]] = {
            "run_info": self._plan,
            "rulegraph": self._graph,
            "progress": self._progress,
            "job_info": self._started,
            "job_finished": self._finished,
            "job_error": self._failed,
            "error": self._error,
            None: self._message,
        }

    def translate(self, record: LogRecord) -> list[Record]:
        """The records for an event, none for one that says nothing to us."""
        reading = self._read.get(getattr(record, "event", None))
        return reading(record) if reading else []

    def _plan(self, record: LogRecord) -> list[Record]:
        stats = {str(rule): int(n) for rule, n in record.stats.items()}  # type: ignore[attr-defined]
        return [{"type": "plan", "stats": stats}]

    def _graph(self, record: LogRecord) -> list[Record]:
        links = record.rulegraph["links"]  # type: ignore[attr-defined]
        pairs = [[str(link["sourcerule"]), str(link["targetrule"])] for link in links]
        return [{"type": "graph", "links": pairs}]

    def _progress(self, record: LogRecord) -> list[Record]:
        done, total = record.done, record.total  # type: ignore[attr-defined]
        return [{"type": "progress", "done": done, "total": total, "at": record.created}]

    def _started(self, record: LogRecord) -> list[Record]:
        told = vars(record)
        job = int(told["jobid"])
        self._tries[job] = self._tries.get(job, 0) + 1
        started = {
            "type": "started",
            "job": job,
            "rule": str(told["rule_name"]),
            "wildcards": {str(k): str(v) for k, v in dict(told.get("wildcards") or {}).items()},
            "input": _texts(told.get("input")),
            "output": _texts(told.get("output")),
            "log": _texts(told.get("log")),
            "threads": int(told.get("threads") or 1),
            "resources": _resources(told.get("resources")),
            "reason": str(told.get("reason") or "")[:LONGEST_TEXT],
            "command": str(told.get("shellcmd") or "").strip()[:LONGEST_TEXT],
            "tries": self._tries[job],
            "at": record.created,
        }
        self._running[job] = started
        return [started]

    def _finished(self, record: LogRecord) -> list[Record]:
        job = int(record.job_id)  # type: ignore[attr-defined]
        self._running.pop(job, None)
        return [{"type": "finished", "job": job, "at": record.created}]

    def _failed(self, record: LogRecord) -> list[Record]:
        told = vars(record)
        log, rule = _texts(told.get("log")), str(told.get("rule_name"))
        command = str(told.get("shellcmd") or "")
        return [self._failure(int(told["jobid"]), record.created, rule, log, command)]

    def _error(self, record: LogRecord) -> list[Record]:
        """A job without its promised output is told as a text only."""
        if not (found := MISSING_OUTPUT.search(record.getMessage())):
            return []
        job = int(found[1])
        known = self._running.get(job, {})
        rule, log, command = known.get("rule", ""), known.get("log", []), known.get("command", "")
        return [self._failure(job, record.created, rule, log, command)]

    def _message(self, record: LogRecord) -> list[Record]:
        found = RESTARTED.match(record.getMessage())
        return [{"type": "restarted", "job": int(found[1])}] if found else []

    def _failure(self, job: int, at: float, rule: str, log: list[str], command: str) -> Record:
        known = self._running.get(job, {})
        return {
            "type": "failed",
            "job": job,
            "final": True,
            "at": at,
            "rule": rule,
            "wildcards": known.get("wildcards", {}),
            "log": log,
            "command": command.strip()[:LONGEST_TEXT],
        }


def _texts(items: Any) -> list[str]:
    texts = [str(item) for item in items or ()]
    left = len(texts) - LONGEST_LIST
    return texts if left <= 0 else [*texts[:LONGEST_LIST], f"… and {left} more"]


def _resources(resources: Any) -> Record:
    """Names and values; those that start with _ are Snakemake's own."""
    items = dict(resources.items()) if resources is not None else {}
    return {
        str(name): value if type(value) in TYPES_FOR_DATABASE else str(value)
        for name, value in items.items()
        if not str(name).startswith("_")
    }


def _from_settings(settings: Any) -> "Reporter":
    from services.engine.reporter import Reporter
    from services.rundir import AttemptDir

    settings.directory.mkdir(parents=True, exist_ok=True)
    connect = partial(_connected, settings) if settings.uri and settings.run else None
    return Reporter(AttemptDir(settings.directory.resolve()), connect)


def _connected(settings: LogHandlerSettings) -> "Sink":
    from services.database import Database

    database = Database(str(settings.uri), settings.database)
    return partial(database.jobs.apply, str(settings.run), settings.attempt)
