"""Runs that complete, fail with a cause, or are canceled."""

from __future__ import annotations

import contextlib
import io
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from services.access.actors import local_actor
from services.errors import Conflict
from services.host import processes
from services.host.launcher import program
from services.host.processes import Identity
from services.models import CauseKind, State
from services.settings import HERE
from tests.helpers.desk import environment
from tests.helpers.waiting import until

ME = local_actor()
STUBBORN = ("session", "deaf", "daemon", "closed", "anonymous")


def test_run_completes_with_jobs_progress_results_and_graph(desk):
    run_id = desk.submit("pair")
    run = desk.finished(run_id)
    assert (run.state, run.error) == (State.COMPLETE, None)
    assert [change.state for change in run.history] == [
        State.QUEUED,
        State.INITIALIZING,
        State.RUNNING,
        State.COMPLETE,
    ]
    assert (run.progress.done, run.progress.total, run.progress.failed) == (4, 4, 0)
    assert (run.attempts[0].exit_code, run.attempts[0].cause) == (0, None)
    jobs = desk.jobs(run_id)
    assert sorted(job.rule for job in jobs) == ["all", "make", "make", "total"]
    assert all(job.state is State.COMPLETE and job.started and job.ended for job in jobs)
    assert {job.wildcards.get("sample") for job in jobs} == {"a", "b", None}
    assert desk.results(run_id) == ["results/total.txt"]
    graph = desk.services.runs.graph(ME, run_id)
    assert sorted(graph.links) == [("make", "total"), ("total", "all")]
    assert not processes.tagged(run_id)


def test_arguments_and_environment_of_a_run_contain_nothing_about_rundesk(desk):
    run_id = desk.submit("slow", jobs=1, seconds=30)
    until(lambda: (desk.folder(run_id) / "ledger").exists())
    seen = b"".join(
        Path(f"/proc/{process.pid}/{kind}").read_bytes()
        for process in [*processes.tagged(run_id), desk.snakemake(run_id)]
        for kind in ("environ", "cmdline")
    )
    assert f"RUNDESK_RUN={run_id}:1".encode() in seen
    assert b"mongodb://" not in seen
    assert b"RUNDESK_DATA" not in seen


def test_job_state_is_in_the_database_during_the_run(desk):
    run_id = desk.submit("slow", jobs=1, seconds=5)
    job = until(lambda: next((job for job in desk.jobs(run_id) if job.rule == "step"), None))
    assert (job.state, job.wildcards, job.log) == (
        State.RUNNING,
        {"n": "0"},
        ["logs/step/0.log"],
    )
    assert desk.run(run_id).state is State.RUNNING
    assert desk.results(run_id) == []


def test_failing_rule_is_named_with_its_log_and_the_reason(desk):
    run_id = desk.submit("failing")
    run = desk.finished(run_id)
    assert run.state is State.EXECUTOR_ERROR
    assert run.cause is not None
    assert run.cause.kind is CauseKind.RULE_FAILED
    assert run.cause.rule == "align"
    assert run.error is not None
    assert run.error.startswith("Rule align failed (job ")
    assert run.error.endswith(", sample=a): Error: the index is damaged")
    assert run.cause.log.splitlines() == ["reading", "Error: the index is damaged", "bye"]
    assert len(run.attempts) == 1  # a workflow's own failure is not tried again
    states = {job.rule: job.state for job in desk.jobs(run_id)}
    assert states == {"lucky": State.COMPLETE, "align": State.EXECUTOR_ERROR}
    assert next(job for job in desk.jobs(run_id) if job.rule == "lucky").tries == 2
    failed = next(job for job in desk.jobs(run_id) if job.rule == "align")
    assert run.cause.job == failed.id
    assert "damaged" in desk.services.runs.job_log(ME, run_id, failed.id).read_text()


def test_missing_output_is_reported_with_its_file(desk):
    run = desk.finished(run_id := desk.submit("forgetful"))
    assert run.state is State.EXECUTOR_ERROR
    assert run.cause is not None
    assert run.cause.kind is CauseKind.MISSING_OUTPUT
    assert run.cause.rule == "forget"
    assert "results/promised.txt" in run.cause.message
    assert [job.state for job in desk.jobs(run_id)] == [State.EXECUTOR_ERROR]


def test_damaged_workflow_is_reported_with_file_and_line(desk):
    run = desk.finished(desk.submit("damaged"))
    assert run.state is State.EXECUTOR_ERROR
    assert run.cause is not None
    assert run.cause.kind is CauseKind.WORKFLOW_INVALID
    assert "(workflow/Snakefile, line 6)" in run.cause.message
    assert "Unexpected keyword outptu" in run.cause.message
    assert not run.cause.message.endswith("None")


def test_uploaded_file_is_read_under_a_safe_name(desk):
    file = desk.services.files.register(ME, "a b; touch PWN.txt", io.BytesIO(b"hello\n"))
    run_id = desk.submit("reader", text=file.id)
    run = desk.finished(run_id)
    assert (run.state, run.error) == (State.COMPLETE, None)
    config = yaml.safe_load((desk.folder(run_id) / "config/config.yaml").read_text())
    assert config["text"] == run.inputs[0].path
    assert config["nested"] == {"kept": 1}
    assert (desk.folder(run_id) / "results/copy.txt").read_text() == "hello\n"


def test_missing_input_fails_the_run_with_a_sentence(own_desk):
    file = own_desk.services.files.register(ME, "x.txt", io.BytesIO(b"hello\n"))
    own_desk.runner.stop()
    run_id = own_desk.submit("reader", text=file.id)
    own_desk.services.files.blob(file.sha256).unlink()
    own_desk.runner.start()
    run = own_desk.finished(run_id)
    assert run.state is State.SYSTEM_ERROR
    assert run.cause is not None
    assert run.cause.kind is CauseKind.STAGING_FAILED
    assert run.cause.message == "The file x.txt (input text) no longer exists on this server."


def test_cancel_ends_stubborn_children(desk):
    run_id = desk.submit("stubborn")
    places = [desk.folder(run_id) / "pids" / name for name in STUBBORN]
    until(lambda: all(place.exists() and place.read_text().strip() for place in places))
    below = {process.pid: process for process in processes.descendants(desk.supervisor(run_id).pid)}
    children = [below[int(place.read_text())] for place in places]
    boot = processes.boot_id()
    assert all(Identity(boot, child.pid, child.start).alive for child in children)
    assert children[-1] not in processes.tagged(run_id)
    start = time.monotonic()
    assert desk.services.runs.cancel(ME, run_id).state is State.CANCELING
    run = desk.finished(run_id)
    assert run.state is State.CANCELED
    assert time.monotonic() - start < 15
    assert not any(Identity(boot, child.pid, child.start).alive for child in children)
    assert not processes.tagged(run_id)
    assert not processes.holding(desk.attempt(run_id).lock)
    assert run.cause is not None
    assert run.cause.kind is CauseKind.CANCELED
    assert {job.state for job in desk.jobs(run_id)} == {State.CANCELED}
    assert run.progress.failed == 0
    assert desk.results(run_id) == []


def test_cancel_that_races_completion_ends_in_one_state(desk):
    runs = [desk.submit("pair") for _ in range(16)]

    def cancel(number: int, run_id: str) -> bool:
        """Cancel once `number % 5` jobs are done, at the latest when the run has finished."""
        run = desk.run(run_id)
        if not run.state.final and run.progress.done < number % 5:
            return False
        with contextlib.suppress(Conflict):
            desk.services.runs.cancel(ME, run_id)
        return True

    left = dict(enumerate(runs))
    while left:
        left = {number: run_id for number, run_id in left.items() if not cancel(number, run_id)}
    for run_id in runs:
        run = desk.finished(run_id)
        over = [change.state for change in run.history if change.state.final]
        assert over == [run.state]
        assert run.state in (State.COMPLETE, State.CANCELED)
        assert [attempt.state for attempt in run.attempts] in ([run.state], [])
        listed = ["results/total.txt"] if run.state is State.COMPLETE else []
        assert desk.results(run_id) == listed
        assert (run.error is None) is (run.state is State.COMPLETE)
        assert not processes.tagged(run_id)


def test_cancel_before_the_start_leaves_nothing_behind(own_desk):
    own_desk.runner.stop()
    waiting = own_desk.submit("slow", jobs=1, seconds=30)
    assert own_desk.services.runs.cancel(ME, waiting).state is State.CANCELED
    own_desk.runner.start()
    assert own_desk.finished(own_desk.submit("pair")).state is State.COMPLETE
    assert not own_desk.folder(waiting).exists()


def test_second_runner_is_refused_with_one_sentence(desk):
    until(lambda: (desk.settings.data / "host").exists())
    second = subprocess.run(
        program("services.runner"),
        cwd=HERE,
        env=environment(desk.settings),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode == 1
    assert second.stderr == f"Another runner already uses {desk.settings.data}.\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_runner_and_its_fork_server_end_cleanly(own_desk, number):
    assert own_desk.finished(own_desk.submit("pair")).state is State.COMPLETE
    children = processes.descendants(own_desk.runner.pid)
    assert children
    assert own_desk.runner.stop(number) == 0
    assert not any(Path(f"/proc/{child.pid}").exists() for child in children)
