"""Causes of failures, found in what a run left behind. The texts are those of Snakemake 9.27."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import Any

import pytest

from services.engine import causes
from services.engine.causes import (
    Evidence,
    explain,
    explain_loss,
    most_relevant_line,
    preparation_failure,
    staging_failure,
)
from services.errors import Message
from services.models import CauseKind

GONE = Message("gone", "It is gone.")
COMMAND = "align reads > out"
FAILED = {
    "type": "failed",
    "job": 7,
    "at": 2.0,
    "rule": "align",
    "wildcards": {"sample": "A"},
    "log": ["logs/align.log"],
    "command": COMMAND,
}
AT_LEAST = {
    "type": "error",
    "text": "WorkflowError:\nAt least one job did not complete successfully.",
}


def status(text: str) -> dict[str, Any]:
    words = 'RuleException:\nCalledProcessError in file "/x/Snakefile", line 3:\nCommand \'set -euo'
    return {"type": "error", "text": f"{words} pipefail;  {COMMAND}' {text}."}


def failure(
    log: str = "", outcome: str = "returned non-zero exit status 1", **more: Any
) -> Evidence:
    return Evidence(
        attempt=2,
        exit_code=1,
        records=[status(outcome), FAILED, AT_LEAST],
        logs={"logs/align.log": log} if log else {},
        **more,
    )


def test_success_has_no_cause():
    assert explain(Evidence(attempt=1, exit_code=0)) is None


def test_failed_rule_is_named_with_job_wildcards_and_the_line_of_its_log():
    cause = explain(failure("reading\nError: no index at ref.fa\n=====\n"))
    assert cause is not None
    assert cause.kind is CauseKind.RULE_FAILED
    assert cause.message == "Rule align failed (job 7, sample=A): Error: no index at ref.fa"
    assert (cause.rule, cause.job) == ("align", "2-7")
    assert cause.log == "reading\nError: no index at ref.fa\n====="


def test_log_is_truncated_to_its_last_40_lines():
    cause = explain(failure("\n".join(map(str, range(100)))))
    assert cause is not None
    assert cause.log.splitlines() == [str(n) for n in range(60, 100)]


def test_failed_rule_without_a_log_is_explained_by_the_console():
    console = (
        "[Sat Nov 21 20:40:24 2026]\nlocalrule align:\n    output: a\n"
        "/usr/bin/bash: line 1: nosuchprogram: command not found\n"
        'RuleException:\nCalledProcessError in file "/x/Snakefile", line 3:\n'
        "Command 'set -euo pipefail;  nosuchprogram' returned non-zero exit status 127.\n"
        "[Sat Nov 21 20:40:24 2026]\nError in rule align:\n    jobid: 7\n"
    )
    cause = explain(failure(console=console))
    assert cause is not None
    assert cause.message.endswith("/usr/bin/bash: line 1: nosuchprogram: command not found")


def test_failed_rule_without_any_output_is_explained_by_its_exit_status():
    cause = explain(failure())
    assert cause is not None
    assert cause.message.endswith(": its command exited with status 1.")


def test_cause_is_the_first_failure_that_was_not_retried():
    other = {**FAILED, "job": 3, "rule": "trim", "at": 1.0}
    again = {"type": "restarted", "job": 3}
    known = replace(failure(), records=[FAILED, other])
    assert explain(known).rule == "trim"
    assert explain(replace(known, records=[other, again, FAILED])).rule == "align"
    assert explain(replace(known, records=[other, again, FAILED, {**other, "at": 9}])).job == "2-7"


@pytest.mark.parametrize(
    ("log", "kind"),
    [
        ("write error: No space left on device", CauseKind.DISK_FULL),
        ("OSError: [Errno 122] Disk quota exceeded", CauseKind.DISK_FULL),
        ("Traceback …\nMemoryError", CauseKind.OUT_OF_MEMORY),
        (
            "terminate called after throwing an instance of 'std::bad_alloc'",
            CauseKind.OUT_OF_MEMORY,
        ),
        ("fork: Cannot allocate memory", CauseKind.OUT_OF_MEMORY),
        ("all is well", CauseKind.RULE_FAILED),
    ],
)
def test_kind_is_determined_from_the_log(log, kind):
    cause = explain(failure(log))
    assert cause is not None
    assert cause.kind is kind
    assert cause.message.startswith("Rule align failed (job 7, sample=A): ")


@pytest.mark.parametrize("outcome", ["died with <Signals.SIGKILL: 9>", "non-zero exit status 137"])
def test_killed_command_is_explained_with_its_signal(outcome):
    cause = explain(failure(outcome=outcome))
    assert cause is not None
    assert cause.kind is CauseKind.KILLED
    assert cause.message.endswith("its command was killed (SIGKILL).")
    assert "memory" in cause.hint


def test_texts_in_the_command_are_not_taken_for_errors():
    command = "grep 'out of memory' log || echo 'No space left on device' > x"
    failed, error = {**FAILED, "command": command}, status("returned non-zero exit status 2")
    error["text"] = error["text"].replace(COMMAND, command)
    cause = explain(replace(failure(), records=[error, failed, AT_LEAST]))
    assert cause is not None
    assert cause.kind is CauseKind.RULE_FAILED
    assert cause.message.endswith(": its command exited with status 2.")


@pytest.mark.parametrize("outcome", ["died with <Signals.SIGKILL: 9>", "non-zero exit status 137"])
def test_killed_command_is_out_of_memory_only_when_the_system_says_so(outcome):
    log = "/usr/bin/bash: line 3:  4711 Killed                  align reads > out"
    killed, starved = explain(failure(log, outcome)), explain(failure(log, outcome, oom=True))
    assert killed is not None
    assert killed.kind is CauseKind.KILLED
    assert starved is not None
    assert starved.kind is CauseKind.OUT_OF_MEMORY
    assert starved.message.endswith("was killed (SIGKILL) while the host was out of memory.")


def test_missing_output_names_the_files():
    text = (
        'MissingOutputException in rule align in file "/x/Snakefile", line 13:\n'
        "Job 7  completed successfully, but some output files are missing. Missing files after 5 "
        "seconds.:\nresults/none.txt (missing locally, parent dir contents: b.txt)"
    )
    cause = explain(replace(failure(), records=[FAILED, {"type": "error", "text": text}, AT_LEAST]))
    assert cause is not None
    assert cause.kind is CauseKind.MISSING_OUTPUT
    assert cause.message.endswith("it did not create results/none.txt.")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'SyntaxError in file "/d/workflows/' + "0" * 64 + '/workflow/Snakefile", line 2:\n'
            "expected ':':\nif x\n",
            "(workflow/Snakefile, line 2): SyntaxError: expected ':': if x",
        ),
        (
            'MissingInputException in rule all in file "/x/Snakefile", line 1:\n'
            "Missing input files for rule all:\n    affected files:\n        nothere",
            "(/x/Snakefile, line 1): MissingInputException: Missing input files for rule all: "
            "affected files: nothere",
        ),
        (
            "TokenError:\n('EOF in multi-line statement', (3, 0))",
            "workflow: TokenError: ('EOF in multi-line statement', (3, 0))",
        ),
    ],
)
def test_workflow_that_cannot_be_planned_is_explained_with_file_and_line(text, expected):
    records = [{"type": "error", "text": text}]
    cause = explain(Evidence(attempt=1, exit_code=1, records=records))
    assert cause is not None
    assert cause.kind is CauseKind.WORKFLOW_INVALID
    assert cause.message.endswith(expected)


def test_syntax_error_that_fails_snakemake_itself_is_found_in_its_traceback():
    console = (
        'Traceback (most recent call last):\n  File "/venv/snakemake/parser.py", line 844, in x\n'
        '    for t in y\n  File "/x/Snakefile", line 2\n    input "x"\n'
        "SyntaxError: Colon expected after keyword input.\n\nDuring handling …\nKeyError: 2\n"
    )
    cause = explain(Evidence(attempt=1, exit_code=1, console=console))
    assert cause is not None
    assert cause.kind is CauseKind.WORKFLOW_INVALID
    assert "(/x/Snakefile, line 2): SyntaxError: Colon expected" in cause.message


def test_failure_without_a_reason_is_explained_with_exit_code_and_last_line():
    cause = explain(Evidence(attempt=1, exit_code=4, console="thinking\nno idea\n"))
    assert cause is not None
    assert cause.kind is CauseKind.UNKNOWN
    assert cause.message == "Snakemake exited with code 4: no idea"


def test_killed_snakemake_is_explained_with_the_signal():
    cause = explain(Evidence(attempt=1, signal=9))
    assert cause is not None
    assert cause.kind is CauseKind.KILLED
    assert cause.message == "Snakemake was killed (SIGKILL) by something other than Rundesk."
    assert "memory" in cause.hint


def test_killed_snakemake_is_out_of_memory_when_the_system_says_so():
    cause = explain(Evidence(attempt=1, signal=9, oom=True))
    assert cause is not None
    assert cause.kind is CauseKind.OUT_OF_MEMORY
    other = explain(Evidence(attempt=1, signal=15, oom=True))
    assert other is not None
    assert other.kind is CauseKind.KILLED


def test_exceeded_walltime_is_explained_unless_the_run_succeeded():
    cause = explain(replace(failure(), overtime=90.0))
    assert cause is not None
    assert cause.kind is CauseKind.WALLTIME
    assert cause.message == "The run exceeded the time limit of this server (90 min)."
    assert explain(Evidence(attempt=1, exit_code=0, overtime=90.0)) is None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_preparation_that_fails_on_a_full_disk_is_explained(number):
    assert preparation_failure(OSError(number, "x")).kind is CauseKind.DISK_FULL


def test_preparation_that_fails_otherwise_is_explained_by_the_error():
    cause = preparation_failure(OSError(errno.EACCES, "Permission denied", "/x"))
    assert cause.kind is CauseKind.STAGING_FAILED
    assert cause.message.endswith("Permission denied: '/x'")
    gone = staging_failure(GONE())
    assert (gone.message, gone.hint) == ("It is gone.", causes.CONTACT_OPERATORS)


def test_cancel_and_shutdown_take_precedence_over_failed_jobs():
    canceled = explain(replace(failure(), canceled=True))
    shutdown = explain(replace(failure(), shutdown=True))
    assert canceled is not None
    assert canceled.kind is CauseKind.CANCELED
    assert shutdown is not None
    assert shutdown.kind is CauseKind.HOST_LOST


def test_every_kind_of_cause_is_explained():
    text = 'SyntaxError in file "/x/Snakefile", line 2:\nexpected'
    invalid = replace(failure(), records=[{"type": "error", "text": text}])
    missing = {"type": "error", "text": "Job 7  completed successfully, but some output files are"}
    missing["text"] += " missing."
    explained = [
        explain(failure()),
        explain(replace(failure(), records=[FAILED, missing])),
        explain(invalid),
        explain(failure("MemoryError")),
        explain(failure("No space left on device")),
        explain(replace(failure(), overtime=1.0)),
        explain(failure(outcome="died with <Signals.SIGKILL: 9>")),
        explain_loss(failure()),
        staging_failure(GONE()),
        explain(replace(failure(), canceled=True)),
        explain(Evidence(attempt=1, exit_code=4)),
    ]
    assert [cause.kind for cause in explained if cause] == list(CauseKind)
    assert all(cause.message for cause in explained if cause)


def test_lost_attempt_keeps_the_end_of_its_console():
    assert explain_loss(Evidence(attempt=1, console="a\nb\n")).log == "a\nb"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nError: b\nc\n", "Error: b"),
        ("a\nb\n\n----\n", "b"),
        ("", ""),
        ('ValueError in file "x", line 4:\noops\n', 'ValueError in file "x", line 4: oops'),
        ("error " + "x" * 1000, "error " + "x" * 294 + " …"),
    ],
)
def test_most_relevant_line(text, line):
    assert most_relevant_line(text) == line


def test_every_message_of_a_cause_has_a_code_of_its_group():
    messages = [value for value in vars(causes).values() if isinstance(value, Message)]
    assert {message.code for message in messages} == {"executor_error", "system_error", "canceled"}
