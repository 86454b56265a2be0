"""Reports Snakemake's events to Rundesk. `snakemake --logger rundesk` finds it by its name.

The plugin must not disturb Snakemake: unknown events are ignored, unreadable ones are counted. The
fields of the events are those of Snakemake 9.27 and version 2.1 of its logger interface.

This module has no postponed annotations: Snakemake reads the types of the settings from the class.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from logging import Handler, LogRecord
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase

from services.engine import snakemake_internals

if TYPE_CHECKING:
    from services.engine.reporter import Reporter, Reporting, Sink

Record = dict[str, Any]

MAX_REPORTED_FILES = 1000  # of one job, in each of its lists
MAX_TEXT_CHARACTERS = 20_000
TYPES_FOR_DATABASE = (str, int, float, bool, type(None))

# A job of a `run:` rule is a Snakemake of its own, which only imports this module.
with contextlib.suppress(snakemake_internals.SnakemakeChanged):
    snakemake_internals.fail_jobs_that_exit()
with contextlib.suppress(snakemake_internals.SnakemakeChanged, ImportError):
    snakemake_internals.refuse_outputs_outside()


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    """Options for use on a command line; Rundesk passes its reporter inside the process instead."""

    uri: Optional[str] = field(  # noqa: UP045
        default=None, metadata={"help": "URI of the MongoDB of Rundesk", "env_var": True}
    )
    database: str = field(default="rundesk", metadata={"help": "Name of the database of Rundesk"})
    run: Optional[str] = field(  # noqa: UP045
        default=None,
        metadata={"help": "Id of the run to report to; without it, records stay in the folder"},
    )
    attempt: int = field(default=1, metadata={"help": "Number of the attempt of that run"})
    directory: Path = field(
        default=Path(".rundesk/attempt-1"),
        metadata={"help": "Folder for errors and for records that could not be stored"},
    )


class DirectHandler(Handler):
    """Receives Snakemake's events before its queue for logger plugins.

    That queue formats and copies each event and wakes a thread for it. For the dozen events of a
    small job this takes longer than reading the three that are of interest. Without other plugins
    the queue is closed at the first event: Snakemake creates it after the plugins.
    """

    def __init__(self, receive: Callable[[LogRecord], None], *, close_queue: bool) -> None:
        super().__init__()
        self._receive = receive
        self._close_queue = close_queue

    def emit(self, record: LogRecord) -> None:
        self._receive(record)
        if self._close_queue:
            self._close_queue = False
            snakemake_internals.close_plugin_queue()


class LogHandler(LogHandlerBase):
    """Reports what Snakemake logs as records."""

    reporter: "Reporting"

    def __post_init__(self) -> None:
        from services.engine import reporter  # here: every job of a `run:` rule imports all plugins

        self._events = Events()
        self.reporter = reporter.get_handed_over() or _create_reporter(self.settings)
        alone = snakemake_internals.is_only_logger_plugin(self.common_settings)
        self._direct = True
        try:
            snakemake_internals.add_log_handler(DirectHandler(self.report, close_queue=alone))
        except snakemake_internals.SnakemakeChanged:
            self._direct = False  # slower, and complete all the same

    def emit(self, record: LogRecord) -> None:
        """Receive an event from the queue. DirectHandler has usually reported it already."""
        if not self._direct:
            self.report(record)

    def report(self, record: LogRecord) -> None:
        """Report an event. Never raises."""
        try:
            for translated in self._events.translate(record):
                self.reporter.put(translated)
                if translated["type"] in ("failed", "restarted"):
                    self.reporter.write_error(translated)
            if getattr(record, "event", None) == "error":
                text = record.getMessage()[:MAX_TEXT_CHARACTERS]
                exception = str(getattr(record, "exception", ""))
                self.reporter.write_error({"type": "error", "exception": exception, "text": text})
        except Exception as error:
            self.reporter.count_failure(error)

    def close(self) -> None:
        """Deliver the remaining records. Snakemake calls this twice."""
        try:
            self.reporter.close()
        except Exception as error:
            self.reporter.count_failure(error)
        Handler.close(self)

    @property
    def writes_to_stream(self) -> bool:
        return False

    @property
    def writes_to_file(self) -> bool:
        return False

    @property
    def has_filter(self) -> bool:
        """True, although there is none: the default filter drops events when `--quiet` is set."""
        return True

    @property
    def has_formatter(self) -> bool:
        return True

    @property
    def needs_rulegraph(self) -> bool:
        return True


class Events:
    """Converts log events to records; remembers what later events of a job leave out."""

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
        """Return the records for an event; none for an event that is of no interest."""
        read = self._read.get(getattr(record, "event", None))
        return read(record) if read else []

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
        fields = vars(record)
        job = int(fields["jobid"])
        self._tries[job] = self._tries.get(job, 0) + 1
        started = {
            "type": "started",
            "job": job,
            "rule": str(fields["rule_name"]),
            "wildcards": {str(k): str(v) for k, v in dict(fields.get("wildcards") or {}).items()},
            "input": _texts(fields.get("input")),
            "output": _texts(fields.get("output")),
            "log": _texts(fields.get("log")),
            "threads": int(fields.get("threads") or 1),
            "resources": _resources(fields.get("resources")),
            "reason": str(fields.get("reason") or "")[:MAX_TEXT_CHARACTERS],
            "command": str(fields.get("shellcmd") or "").strip()[:MAX_TEXT_CHARACTERS],
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
        fields = vars(record)
        log, rule = _texts(fields.get("log")), str(fields.get("rule_name"))
        command = str(fields.get("shellcmd") or "")
        return [self._failure(int(fields["jobid"]), record.created, rule, log, command)]

    def _error(self, record: LogRecord) -> list[Record]:
        """Read a failure because of outputs, which has no event of its own.

        They are missing, or are not what the rule ensures: not empty, or with a checksum.
        """
        text = record.getMessage()
        if match := snakemake_internals.MISSING_OUTPUT.search(text):
            job: int | None = int(match[1])
        else:
            job = self._job_of_rejected_output(text)
        if job is None:
            return []
        known = self._running.get(job, {})
        rule, log, command = known.get("rule", ""), known.get("log", []), known.get("command", "")
        return [self._failure(job, record.created, rule, log, command)]

    def _job_of_rejected_output(self, text: str) -> int | None:
        """Return the running job whose outputs an error text names; None when there is none."""
        rule, files = snakemake_internals.rejected_outputs(text)
        for job, known in self._running.items():
            if known["rule"] == rule and not files.isdisjoint(known["output"]):
                return job
        return None

    def _message(self, record: LogRecord) -> list[Record]:
        match = snakemake_internals.JOB_RESTARTED.match(record.getMessage())
        return [{"type": "restarted", "job": int(match[1])}] if match else []

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
            "command": command.strip()[:MAX_TEXT_CHARACTERS],
        }


def _texts(items: Any) -> list[str]:
    texts = [str(item) for item in items or ()]
    omitted = len(texts) - MAX_REPORTED_FILES
    return texts if omitted <= 0 else [*texts[:MAX_REPORTED_FILES], f"… and {omitted} more"]


def _resources(resources: Any) -> Record:
    """Return the resources of a job by name; those that start with _ are internal to Snakemake."""
    items = dict(resources.items()) if resources is not None else {}
    return {
        str(name): value if type(value) in TYPES_FOR_DATABASE else str(value)
        for name, value in items.items()
        if not str(name).startswith("_")
    }


def _create_reporter(settings: Any) -> "Reporter":
    from services.engine.reporter import Reporter
    from services.rundir import AttemptDir

    settings.directory.mkdir(parents=True, exist_ok=True)
    connect = partial(_connect, settings) if settings.uri and settings.run else None
    return Reporter(AttemptDir(settings.directory.resolve()), connect)


def _connect(settings: LogHandlerSettings) -> "Sink":
    from services.database import Database

    database = Database(str(settings.uri), settings.database)
    return partial(database.jobs.apply, str(settings.run), settings.attempt)
