"""Carries the reports of Snakemake to its supervisor, through a pipe.

Snakemake and its jobs are not trusted, so they have no way to the database. The logger plugin
writes each report into the pipe; the supervisor checks what arrives and passes it to the reporter,
which writes it to the database. A process of the run could write into the pipe too: it can forge
reports about its own run, and nothing else.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from services.engine.console import DRAIN_TIMEOUT_S, PIPE_BYTES, READ_PAUSE_S
from services.engine.reporter import Record, Reporter

log = logging.getLogger("rundesk.reports")

MAX_LINE_BYTES = 8 * 1024 * 1024  # of one report; a document of MongoDB has at most 16 MiB
MAX_LOGGED_REFUSALS = 20  # reports that are refused are logged up to this number

Natural = Annotated[int, Field(ge=0, lt=2**31)]
Seconds = Annotated[float, Field(ge=0, le=253_402_300_799, allow_inf_nan=False)]  # up to year 9999
Scalar = str | bool | Annotated[int, Field(ge=-(2**63), lt=2**63)] | float | None


class Reported(BaseModel):
    """A record, with exactly these fields."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Plan(Reported):
    """The jobs of each rule that Snakemake plans to run, and their total."""

    type: Literal["plan"]
    stats: dict[str, Natural]


class Graph(Reported):
    """Pairs of rules of which the second uses outputs of the first."""

    type: Literal["graph"]
    links: list[Annotated[list[str], Field(min_length=2, max_length=2)]]


class Progress(Reported):
    """How many jobs are done, of how many."""

    type: Literal["progress"]
    done: Natural
    total: Natural
    at: Seconds


class Started(Reported):
    """A job that has started."""

    type: Literal["started"]
    job: Natural
    rule: str
    wildcards: dict[str, str]
    input: list[str]
    output: list[str]
    log: list[str]
    threads: Natural
    resources: dict[str, Scalar]
    reason: str
    command: str
    tries: Natural
    at: Seconds


class Finished(Reported):
    """A job that has ended well."""

    type: Literal["finished"]
    job: Natural
    at: Seconds


class Failed(Reported):
    """A job that has failed."""

    type: Literal["failed"]
    job: Natural
    final: bool
    at: Seconds
    rule: str
    wildcards: dict[str, str]
    log: list[str]
    command: str


class Restarted(Reported):
    """A failed job that Snakemake starts again."""

    type: Literal["restarted"]
    job: Natural


class Error(Reported):
    """An error text of Snakemake."""

    type: Literal["error"]
    exception: str
    text: str


Report = Plan | Graph | Progress | Started | Finished | Failed | Restarted
Explanation = Failed | Restarted | Error
Line = (
    tuple[Literal["report"], Annotated[Report, Field(discriminator="type")]]
    | tuple[Literal["explanation"], Annotated[Explanation, Field(discriminator="type")]]
)
LINE: TypeAdapter[Any] = TypeAdapter(Line)


class ReportPipe:
    """The pipe, and the thread of the supervisor that reads it.

    Create it before the fork. While a supervisor is stopped, Snakemake can write 1 MiB of reports
    before it waits.
    """

    def __init__(self) -> None:
        self._out, self._in = os.pipe2(os.O_CLOEXEC)
        with contextlib.suppress(OSError):  # the limit of all pipes of the user is reached
            fcntl.fcntl(self._in, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._chunk = fcntl.fcntl(self._in, fcntl.F_GETPIPE_SZ)
        self._ending = threading.Event()
        self._refused = 0
        self._thread: threading.Thread | None = None

    def sender(self) -> PipeReporter:
        """In the process that becomes Snakemake: return the end that reports are written to."""
        os.close(self._out)
        return PipeReporter(self._in)

    def start(self, reporter: Reporter) -> None:
        """In the supervisor, after the fork: pass to `reporter` what arrives."""
        os.close(self._in)
        self._thread = threading.Thread(
            target=self._receive, args=[reporter], name="reports", daemon=True
        )
        self._thread.start()

    def finish(self) -> None:
        """Pass on everything that was written. No process of the run is alive any more."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(DRAIN_TIMEOUT_S)  # longer only if a process cannot be killed

    def _receive(self, reporter: Reporter) -> None:
        for line in self._lines():
            try:
                name, reported = LINE.validate_json(line)
                record = dict(reported)
                if name == "report":
                    reporter.put(record)
                else:
                    reporter.write_error(record)
            except ValidationError as error:
                self._refuse(str(error.errors(include_url=False, include_input=False)[0]))
            except Exception as error:  # the disk is full: the remaining reports still arrive
                reporter.count_failure(error)

    def _lines(self) -> Iterator[bytes]:
        """Yield the complete lines; one that is too long, or cut short by a kill, is left out."""
        rest, oversized = bytearray(), False
        while chunk := os.read(self._out, self._chunk):
            *complete, last = chunk.split(b"\n")
            for part in complete:
                if not oversized:
                    yield bytes(rest + part)
                rest.clear()
                oversized = False
            if not oversized:
                rest += last
            if len(rest) > MAX_LINE_BYTES:
                self._refuse("longer than a report may be")
                rest.clear()
                oversized = True
            if len(chunk) < self._chunk // 2:
                self._ending.wait(READ_PAUSE_S)

    def _refuse(self, reason: str) -> None:
        self._refused += 1
        if self._refused <= MAX_LOGGED_REFUSALS:
            log.warning("a report was refused: %s", reason)


class PipeReporter:
    """What the logger plugin reports to inside Snakemake."""

    def __init__(self, file: int) -> None:
        """`file`: the file descriptor of a pipe to write to."""
        self._file = file
        self._lines: deque[bytes] = deque()
        self._writing = threading.Lock()
        self._failures = 0
        self._last_failure = ""
        self._closed = False

    def put(self, record: Record) -> None:
        """Report an event."""
        self._send("report", record)

    def write_error(self, record: Record) -> None:
        """Report what explains a failure."""
        self._send("explanation", record)

    def count_failure(self, error: Exception) -> None:
        """Count an event that could not be reported."""
        self._failures += 1
        self._last_failure = f"{type(error).__name__}: {error}"

    def close(self) -> None:
        """Print how many events could not be reported. The pipe ends with the process."""
        if self._failures and not self._closed:
            print(
                f"rundesk: {self._failures} events could not be reported; the last error: "
                f"{self._last_failure}",
                file=sys.stderr,
            )
        self._closed = True

    def _send(self, name: str, record: dict[str, Any]) -> None:
        line = json.dumps([name, record], ensure_ascii=False, default=str)
        self._lines.append(line.encode("utf-8", "replace") + b"\n")
        # A signal handler may report while the thread that it interrupted writes: never wait here.
        while self._lines and self._writing.acquire(blocking=False):
            try:
                while self._lines:
                    self._write(self._lines.popleft())
            finally:
                self._writing.release()

    def _write(self, line: bytes) -> None:
        while line:
            line = line[os.write(self._file, line) :]
