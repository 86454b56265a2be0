"""Events are converted to records, and no record is lost, whatever the database does."""

from __future__ import annotations

import errno
import json
import logging
import threading
import time
from collections.abc import Sequence
from logging.handlers import QueueHandler
from queue import Queue
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake.logging import logger

from services.engine import reporter
from services.engine.reporter import Reporter, Spool
from services.errors import DatabaseUnavailable
from services.rundir import AttemptDir
from snakemake_logger_plugin_rundesk import Events, LogHandler, LogHandlerSettings
from tests.helpers.waiting import until


class Sink:
    """A fake database that can be unavailable, slow, or reject a record."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.batches = 0
        self.tries = 0  # to connect
        self.away = False
        self.answering = threading.Event()
        self.answering.set()

    def connect(self) -> Sink:
        self.tries += 1
        if self.away:
            raise DatabaseUnavailable
        return self

    def __call__(self, records: Sequence[dict[str, Any]]) -> None:
        self.answering.wait(20)
        if self.away:
            raise DatabaseUnavailable
        if any(record.get("poison") for record in records):
            raise ValueError("cannot be stored")
        self.batches += 1
        self.records += records

    @property
    def numbers(self) -> list[int]:
        return [record["n"] for record in self.records]


@pytest.fixture
def place(tmp_path):
    return AttemptDir(tmp_path)


@pytest.fixture
def sink():
    return Sink()


@pytest.fixture
def quick(monkeypatch):
    """Shorten the intervals of the reporter."""
    monkeypatch.setattr(reporter, "FIRST_WRITE_DELAY_S", 0.05)
    monkeypatch.setattr(reporter, "DATABASE_RETRY_S", 0.05)
    monkeypatch.setattr(reporter, "FAILURE_HOLD_S", 0.2)


def progress(n: int, **more: Any) -> dict[str, Any]:
    return {"type": "progress", "n": n, **more}


def failed(job: int) -> dict[str, Any]:
    return {"type": "failed", "job": job}


def test_records_arrive_in_order_and_in_batches(place, sink):
    taken = Reporter(place, sink.connect)
    for n in range(500):
        taken.put(progress(n))
    taken.close()
    assert sink.numbers == list(range(500))
    assert sink.batches <= 3
    assert not place.spool.exists()


def test_records_are_delivered_during_the_run(place, sink, quick):
    taken = Reporter(place, sink.connect)
    taken.put(progress(1))
    until(lambda: sink.numbers == [1])
    taken.close()


def test_slow_writes_are_made_less_often(place, sink, quick, monkeypatch):
    monkeypatch.setattr(reporter, "MAX_WRITE_SHARE", 1e-9)
    monkeypatch.setattr(reporter, "MAX_BATCH_INTERVAL_S", 3600.0)
    taken = Reporter(place, sink.connect)
    taken.put(progress(0))
    until(lambda: sink.numbers == [0])
    for n in range(1, 50):
        taken.put(progress(n))
        time.sleep(reporter.BATCH_INTERVAL_S / 20)
    assert sink.batches == 1  # the others wait until the next write is due
    taken.close()
    assert (sink.batches, sink.numbers) == (2, list(range(50)))


def test_short_supervised_run_leaves_its_records_to_the_supervisor(place, sink):
    taken = Reporter(place, sink.connect, supervised=True)
    taken.put(progress(1))
    taken.close()
    assert not sink.records
    Spool(place.spool).drain(sink)
    assert sink.numbers == [1]


@pytest.fixture
def full(monkeypatch):
    """A disk that becomes full halfway through a write."""

    def append(path, records):
        with path.open("a") as file:
            file.write(json.dumps(records[0])[:5])
        raise OSError(errno.ENOSPC, "No space left on device")

    return lambda: monkeypatch.setattr(reporter, "append", append)


def test_records_that_do_not_fit_the_disk_go_to_the_database(place, sink, full):
    full()
    taken = Reporter(place, sink.connect, supervised=True)
    taken.put(progress(1))
    taken.close()
    assert sink.numbers == [1]
    assert not place.spool.exists()
    assert taken.failures == 0


def test_full_disk_does_not_change_the_order(place, sink, quick, full):
    sink.away = True
    taken = Reporter(place, sink.connect)
    taken.put(progress(0))
    until(place.spool.exists)
    full()
    taken.put(progress(1))
    sink.away = False
    taken.close()
    assert sink.numbers == [0, 1]
    assert not place.spool.exists()


def test_records_wait_in_memory_while_disk_and_database_are_unavailable(place, sink, quick, full):
    full()
    sink.away = True
    taken = Reporter(place, sink.connect)
    taken.put(progress(0))
    until(lambda: sink.tries > 1)
    sink.away = False
    until(lambda: sink.numbers == [0])
    taken.close()
    assert taken.failures == 0


def test_long_supervised_run_delivers_the_rest_itself(place, sink, quick):
    taken = Reporter(place, sink.connect, supervised=True)
    taken.put(progress(1))
    until(lambda: sink.records)
    taken.put(progress(2))
    taken.close()
    assert sink.numbers == [1, 2]
    assert not place.spool.exists()


def test_records_wait_in_the_spool_while_the_database_is_unavailable(place, sink, quick):
    sink.away = True
    taken = Reporter(place, sink.connect)
    taken.put(progress(0))
    until(place.spool.exists)
    taken.put(progress(1))
    sink.away = False
    until(lambda: sink.numbers == [0, 1])
    taken.put(progress(2))
    taken.close()
    Spool(place.spool).drain(sink)
    assert sink.numbers == [0, 1, 2]
    assert not place.spool.exists()


def test_records_stay_in_the_spool_when_the_database_does_not_return(place, sink):
    sink.away = True
    taken = Reporter(place, sink.connect)
    for n in range(100):
        taken.put(progress(n))
    start = time.monotonic()
    taken.close()
    assert time.monotonic() - start < reporter.CLOSE_TIMEOUT_S
    assert [record["n"] for record in reporter.read(place.spool)] == list(range(100))


def test_close_does_not_wait_for_a_database_that_hangs(place, sink, quick, monkeypatch):
    monkeypatch.setattr(reporter, "CLOSE_TIMEOUT_S", 0.2)
    sink.answering.clear()
    taken = Reporter(place, sink.connect)
    taken.put(progress(0))
    until(lambda: taken._sending)
    taken.put(progress(1))
    start = time.monotonic()
    taken.close()
    assert time.monotonic() - start < 5
    sink.answering.set()
    assert [record["n"] for record in reporter.read(place.spool)] == [0, 1]


def test_memory_is_bounded_and_the_disk_takes_the_rest(place, sink, monkeypatch):
    monkeypatch.setattr(reporter, "MAX_RECORDS_IN_MEMORY", 10)
    sink.answering.clear()
    taken = Reporter(place, sink.connect)
    for n in range(200):
        taken.put(progress(n))
        assert len(taken._waiting) <= 10
    sink.answering.set()
    taken.close()
    Spool(place.spool).drain(sink)
    assert set(sink.numbers) == set(range(200))


def test_failure_of_the_sink_is_counted_and_reported(place, sink, quick, capsys):
    taken = Reporter(place, sink.connect)
    taken.put(progress(0, poison=True))
    until(lambda: taken.failures)
    taken.put(progress(1))
    taken.close()
    assert sink.numbers == [1]
    assert "1 events could not be reported; the last error: ValueError" in capsys.readouterr().err


def test_one_bad_record_does_not_affect_others(place, sink, quick):
    taken = Reporter(place, sink.connect)
    sink.answering.clear()
    taken.put(progress(0))
    until(lambda: taken._sending)
    for n in range(1, 5):
        taken.put(progress(n, poison=n == 2))
    sink.answering.set()
    taken.close()
    assert sink.numbers == [0, 1, 3, 4]
    assert taken.failures == 1


def test_failed_job_that_is_restarted_is_not_reported_as_failed(place, sink, quick):
    taken = Reporter(place, sink.connect)
    taken.put(failed(7))
    taken.put({"type": "restarted", "job": 7})
    taken.put(failed(8))
    until(lambda: sink.records == [failed(8)])
    taken.close()
    assert sink.records == [failed(8)]


def test_failed_job_is_reported_by_close_without_waiting(place, sink):
    taken = Reporter(place, sink.connect)
    taken.put(failed(7))
    taken.close()
    assert sink.records == [failed(7)]


def test_job_that_ends_while_the_run_is_stopped_is_not_reported_as_failed(place, sink):
    taken = Reporter(place, sink.connect)
    place.stopping.touch()
    taken.put(failed(7))
    taken.close()
    assert sink.records == []


def test_spool_skips_an_incomplete_line(place, sink):
    place.spool.write_text('{"n": 1}\n{"n": 2}\n{"n": 3')
    Spool(place.spool).drain(sink)
    assert sink.numbers == [1, 2]
    assert not place.spool.exists()


def test_spool_keeps_everything_when_the_sink_fails_halfway(place, sink, monkeypatch):
    monkeypatch.setattr(reporter, "REPLAY_BATCH_RECORDS", 1)
    lines = '{"n": 1}\n{"n": 2, "poison": true}\n'
    place.spool.write_text(lines)
    with pytest.raises(ValueError, match="cannot be stored"):
        Spool(place.spool).drain(sink)
    assert place.spool.read_text() == lines


# ---- the events of Snakemake ---------------------------------------------------------------------


def event(name: str | None, message: str = "", **fields: Any) -> logging.LogRecord:
    record = logging.LogRecord("snakemake", logging.INFO, "", 0, message, None, None)
    record.created = 100.0
    vars(record).update(fields | ({"event": name} if name else {}))
    return record


def info(job: int = 7, **more: Any) -> logging.LogRecord:
    fields = {
        "jobid": job,
        "rule_name": "align",
        "wildcards": {"sample": "a"},
        "input": ["in"],
        "output": ["out"],
        "log": ["align.log"],
        "threads": 2,
        "resources": {"_cores": 2, "mem_mb": 10, "tmpdir": object},
        "reason": "Missing output",
        "shellcmd": " align in ",
    }
    return event("job_info", **(fields | more))


def test_job_info_becomes_started_and_counts_tries():
    events = Events()
    [started] = events.translate(info())
    assert started == {
        "type": "started",
        "job": 7,
        "rule": "align",
        "wildcards": {"sample": "a"},
        "input": ["in"],
        "output": ["out"],
        "log": ["align.log"],
        "threads": 2,
        "resources": {"mem_mb": 10, "tmpdir": str(object)},
        "reason": "Missing output",
        "command": "align in",
        "tries": 1,
        "at": 100.0,
    }
    assert events.translate(info())[0]["tries"] == 2
    assert json.dumps(started)


def test_long_list_is_truncated_with_a_note():
    [started] = Events().translate(info(input=[str(n) for n in range(5000)]))
    assert started["input"][-1] == "… and 4000 more"
    assert len(started["input"]) == 1001


def test_missing_output_becomes_a_failed_job():
    events = Events()
    events.translate(info())
    text = "Job 7  completed successfully, but some output files are missing."
    [record] = events.translate(event("error", text))
    assert (record["type"], record["job"], record["rule"]) == ("failed", 7, "align")
    assert record["wildcards"] == {"sample": "a"}


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (event("job_finished", job_id=7), {"type": "finished", "job": 7, "at": 100.0}),
        (
            event("run_info", stats={"a": 2, "total": 2}),
            {"type": "plan", "stats": {"a": 2, "total": 2}},
        ),
        (
            event("rulegraph", rulegraph={"links": [{"sourcerule": "a", "targetrule": "b"}]}),
            {"type": "graph", "links": [["a", "b"]]},
        ),
        (
            event("progress", done=1, total=2),
            {"type": "progress", "done": 1, "total": 2, "at": 100.0},
        ),
        (event(None, "Trying to restart job 7."), {"type": "restarted", "job": 7}),
        (event(None, "Trying to restart job %d.", args=(7,)), {"type": "restarted", "job": 7}),
    ],
)
def test_event_becomes_record(record, expected):
    assert Events().translate(record) == [expected]


@pytest.mark.parametrize(
    "name", ["debug_dag", "shellcmd", "group_info", "of_a_later_version", None]
)
def test_event_of_no_interest_is_ignored(name):
    assert Events().translate(event(name, "text")) == []


@pytest.fixture
def snakemake():
    """Snakemake's logger as it is before Snakemake creates the plugins."""
    logger.handlers.clear()
    yield logger
    logger.handlers.clear()


@pytest.fixture
def handler(snakemake, tmp_path):
    handler = plugin(tmp_path, "rundesk")
    yield handler
    handler.close()


def plugin(place, *loaded: str) -> LogHandler:
    """Return the handler of Rundesk among these loaded plugins."""
    common = SimpleNamespace(log_handler_settings=dict.fromkeys(loaded))
    return LogHandler(common_settings=common, settings=LogHandlerSettings(directory=place))


@pytest.mark.parametrize(
    ("loaded", "left"), [(["rundesk"], 0), (["rundesk", "other"], 2)], ids=["alone", "with other"]
)
def test_handler_receives_events_once_and_leaves_the_queue_to_other_plugins(
    snakemake, tmp_path, loaded, left
):
    handler = plugin(tmp_path, *loaded)
    queue: Queue[logging.LogRecord] = Queue()
    snakemake.addHandler(QueueHandler(queue))
    for done in (1, 2):
        snakemake.handle(event("progress", done=done, total=2))
    assert queue.qsize() == left
    while not queue.empty():
        handler.handle(queue.get())
    handler.close()
    spooled = reporter.read(AttemptDir(tmp_path).spool)
    assert [record["done"] for record in spooled] == [1, 2]


def test_handler_counts_unreadable_events_and_never_raises(snakemake, handler, capsys):
    snakemake.handle(event("job_info"))
    snakemake.handle(event("progress", done=1, total=2))
    handler.close()
    handler.close()
    assert handler.reporter.failures == 1
    assert "KeyError" in capsys.readouterr().err


def test_handler_without_a_database_leaves_records_in_its_folder(snakemake, handler, tmp_path):
    snakemake.handle(info())
    failure = {"jobid": 7, "rule_name": "align", "log": ["align.log"], "shellcmd": "x"}
    snakemake.handle(event("job_error", **failure))
    snakemake.handle(event("error", "WorkflowError: no", exception="WorkflowError"))
    handler.close()
    place = AttemptDir(tmp_path)
    assert [record["type"] for record in reporter.read(place.spool)] == ["started", "failed"]
    assert [record["type"] for record in reporter.read(place.errors)] == ["failed", "error"]


def test_spool_skips_only_the_record_that_cannot_be_stored(place, sink):
    place.spool.write_text('{"n": 1}\n{"n": 2, "poison": true}\n{"n": 3}\n')
    lost: list[Exception] = []
    Spool(place.spool).drain(reporter.skip_unstorable(sink, lost.append))
    assert sink.numbers == [1, 3]
    assert len(lost) == 1
