"""The pipe from Snakemake to its supervisor: what passes it, and what is refused."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from services.engine import report_pipe, reporter
from services.engine.report_pipe import PipeReporter, ReportPipe
from services.engine.reporter import Reporter
from services.rundir import AttemptDir

STARTED: dict[str, Any] = {
    "type": "started",
    "job": 1,
    "rule": "count",
    "wildcards": {"sample": "a"},
    "input": ["inputs/a"],
    "output": ["results/a"],
    "log": [],
    "threads": 1,
    "resources": {"mem_mb": 100, "tmpdir": "/tmp", "ratio": 0.5},
    "reason": "Missing output files",
    "command": "wc",
    "tries": 1,
    "at": 1.5,
}
FINISHED: dict[str, Any] = {"type": "finished", "job": 1, "at": 2.0}


class Ends:
    """Both ends of a pipe in one process, as if it had been forked."""

    def __init__(self, attempt: AttemptDir) -> None:
        self.pipe = ReportPipe()
        self.file = os.dup(self.pipe._in)
        self.sender = PipeReporter(self.file)
        self.attempt = attempt
        self._reporter = Reporter(attempt, None, supervised=True)
        self.pipe.start(self._reporter)

    def arrived(self) -> list[dict[str, Any]]:
        """Close the pipe and return what the reporter has received."""
        os.close(self.file)
        self.pipe.finish()
        self._reporter.close()
        return list(reporter.read(self.attempt.spool))


@pytest.fixture
def ends(tmp_path: Path) -> Ends:
    return Ends(AttemptDir(tmp_path))


def test_reports_arrive_in_order(ends: Ends):
    records = [{**STARTED, "job": job} for job in range(500)]
    for record in records:
        ends.sender.put(record)
    assert ends.arrived() == records


def test_explanations_reach_the_file_of_errors(ends: Ends):
    error = {"type": "error", "exception": "WorkflowError", "text": "No rule."}
    ends.sender.write_error(error)
    assert ends.arrived() == []
    assert list(reporter.read(ends.attempt.errors)) == [error]


def test_reports_of_several_threads_are_not_mixed(ends: Ends):
    def report(first: int) -> None:
        for job in range(first, first + 200):
            ends.sender.put({**STARTED, "job": job, "reason": "x" * 20_000})

    threads = [threading.Thread(target=report, args=[number * 200]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(record["job"] for record in ends.arrived()) == list(range(800))


@pytest.mark.parametrize(
    "forged",
    [
        {**FINISHED, "job": "../../other"},
        {**FINISHED, "job": {"$gt": 0}},
        {**FINISHED, "job": -1},
        {**FINISHED, "at": 1e300},
        {**FINISHED, "owner": "root"},
        {**STARTED, "wildcards": {"sample": ["a"]}},
        {**STARTED, "resources": {"mem": [1]}},
        {"type": "plan", "stats": {"all": "many"}},
        {"type": "graph", "links": [["a", "b", "c"]]},
        {"type": "drop"},
    ],
)
def test_a_forged_report_is_refused_and_later_ones_arrive(ends: Ends, forged: dict[str, Any]):
    ends.sender.put(forged)
    ends.sender.put(FINISHED)
    assert ends.arrived() == [FINISHED]


@pytest.mark.parametrize("junk", [b"\n", b"{}\n", b"[1]\n", b'["report"]\n', b"\xff\xfe\n"])
def test_a_line_that_is_no_report_is_left_out(ends: Ends, junk: bytes):
    os.write(ends.file, junk)
    ends.sender.put(FINISHED)
    assert ends.arrived() == [FINISHED]


def test_a_line_without_end_takes_no_memory(ends: Ends, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(report_pipe, "MAX_LINE_BYTES", 100_000)
    for _ in range(100):
        os.write(ends.file, b"x" * 65536)
    os.write(ends.file, b"\n")
    ends.sender.put(FINISHED)
    assert ends.arrived() == [FINISHED]


def test_a_report_cut_short_by_a_kill_is_left_out(ends: Ends):
    ends.sender.put(FINISHED)
    os.write(ends.file, json.dumps(["report", STARTED]).encode()[:40])
    assert ends.arrived() == [FINISHED]


def test_a_file_name_that_is_no_utf_8_does_not_lose_its_job(ends: Ends):
    ends.sender.put({**STARTED, "input": [os.fsdecode(b"inputs/\xff.txt")]})
    (record,) = ends.arrived()
    assert record["input"] == ["inputs/?.txt"]


def test_a_pipe_whose_reader_has_ended_is_counted(capsys: pytest.CaptureFixture[str]):
    out, into = os.pipe()
    os.close(out)
    sender = PipeReporter(into)
    with pytest.raises(BrokenPipeError) as caught:
        sender.put(FINISHED)
    sender.count_failure(caught.value)
    sender.close()
    sender.close()
    assert capsys.readouterr().err.count("1 events could not be reported") == 1
    os.close(into)
