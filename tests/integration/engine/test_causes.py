"""Causes of runs that fail in many ways."""

from __future__ import annotations

import pytest

from services.models import CauseKind, State


@pytest.mark.parametrize(
    ("case", "kind", "words"),
    [
        ("stdout_log", CauseKind.RULE_FAILED, "FATAL: no column mz"),
        ("silent", CauseKind.RULE_FAILED, "its command exited with status 7."),
        ("zero_errors", CauseKind.RULE_FAILED, "FATAL: no database nr"),
        ("usage", CauseKind.RULE_FAILED, "mytool: unknown option --foo"),
        (
            "glued",
            CauseKind.RULE_FAILED,
            "its command exited with status 1. The last line that it printed is: "
            "the index is stale",
        ),
        ("colours", CauseKind.RULE_FAILED, "Error: wrong mass"),
        (
            "segfault",
            CauseKind.KILLED,
            "its command was killed (SIGSEGV: segmentation fault).",
        ),
        ("empty", CauseKind.MISSING_OUTPUT, "its output results/out.txt is empty."),
        ("script", CauseKind.RULE_FAILED, "KeyError: 'mz' (fail.py, line 2 in load)"),
        (
            "run_exit",
            CauseKind.RULE_FAILED,
            "WorkflowError: the column mz is missing (workflow/Snakefile, line 54)",
        ),
        (
            "run_status",
            CauseKind.RULE_FAILED,
            "WorkflowError: The code of the rule exited with status 3"
            " (workflow/Snakefile, line 54)",
        ),
        ("run", CauseKind.RULE_FAILED, "KeyError: 'mz' (workflow/Snakefile, line 45)"),
    ],
)
def test_cause_of_a_failed_job_is_what_it_said(desk, case, kind, words):
    run_id = desk.submit("explaining", case=case)
    run = desk.finished(run_id)
    assert run.state is State.EXECUTOR_ERROR
    assert run.cause is not None
    assert run.cause.message.partition("): ")[2] == words
    assert (run.cause.kind, run.cause.rule) == (kind, "fail")
    assert "\x1b" not in run.cause.log
    failed = [job.rule for job in desk.jobs(run_id) if job.state is State.EXECUTOR_ERROR]
    assert failed == ["fail"]
    assert run.progress.failed == 1


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("exit", "The workflow exited with the message: Please give the parameter ok"),
        (
            "raise",
            "Snakemake could not run the workflow (workflow/Snakefile, line 23): "
            "ValueError: min_length must be below max_length",
        ),
    ],
)
def test_cause_of_a_workflow_that_stops_itself_is_its_message(desk, case, words):
    run = desk.finished(desk.submit("explaining", case=case))
    assert run.cause is not None
    assert (run.cause.kind, run.cause.message) == (CauseKind.WORKFLOW_INVALID, words)


def test_cause_of_a_missing_program_is_in_the_words_of_the_shell(desk):
    run = desk.finished(desk.submit("explaining", case="missing_program"))
    assert run.cause is not None
    assert run.cause.message.endswith("nosuchprogram: command not found")
