"""Explains why an attempt did not complete, from what it left behind. Pure functions."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.engine import snakemake_internals as snakemake
from services.errors import Message, Text
from services.host.disk import no_room
from services.models import Cause, CauseKind

MAX_CAUSE_LOG_LINES = 40  # lines of a log that are stored with a cause
MAX_QUOTE_CHARACTERS = 300  # of a line quoted in a message

USE_LESS_MEMORY = "Use smaller inputs, fewer threads or a host with more memory."
CONTACT_OPERATORS = "Contact the operators of this server, then resume the run."
CHECK_SYSTEM_LOG = (
    "The system kills processes when memory runs out; the system log of the host shows it."
)

CANCELED = Message("canceled", "Canceled on request.")
WALLTIME_EXCEEDED = Message(
    "executor_error",
    "The run exceeded the time limit of this server ({minutes} min).",
    hint="Resume the run: finished jobs are kept, and the time limit starts again.",
)
HOST_SHUT_DOWN = Message("system_error", "The host was shutting down during the run.")
PROCESSES_LOST = Message(
    "system_error",
    "The processes of the run disappeared: the host was restarted, or they were killed.",
)
DISK_FULL_BEFORE_START = Message(
    "system_error",
    "The run could not be prepared because the disk is full.",
    hint=CONTACT_OPERATORS,
)
NOT_PREPARED = Message(
    "system_error", "The run could not be prepared: {error}", hint=CONTACT_OPERATORS
)
SNAKEMAKE_KILLED = Message(
    "system_error", "Snakemake was killed ({signal}) by something other than Rundesk."
)
SNAKEMAKE_SIGKILLED = Message("system_error", SNAKEMAKE_KILLED.template, hint=CHECK_SYSTEM_LOG)
SNAKEMAKE_KILLED_OUT_OF_MEMORY = Message(
    "system_error",
    "Snakemake was killed ({signal}) while the host was out of memory.",
    hint=USE_LESS_MEMORY,
)
JOB_DISK_FULL = Message(
    "executor_error",
    "Rule {rule} failed (job {job}): the disk is full ({evidence}).",
    hint=CONTACT_OPERATORS,
)
JOB_OUT_OF_MEMORY = Message(
    "executor_error",
    "Rule {rule} failed (job {job}): memory ran out ({evidence}).",
    hint=USE_LESS_MEMORY,
)
JOB_OUTPUT_MISSING = Message(
    "executor_error",
    "Rule {rule} failed (job {job}): it did not create {files}.",
    hint="The command exited without an error but did not write every output of the rule; see its"
    " log.",
)
JOB_OUTPUTS_MISSING = Message(
    "executor_error",
    "Rule {rule} failed (job {job}): it did not create all of its outputs.",
    hint=JOB_OUTPUT_MISSING.hint,
)
JOB_KILLED = Message(
    "executor_error", "Rule {rule} failed (job {job}): its command was killed ({signal})."
)
JOB_SIGKILLED = Message("executor_error", JOB_KILLED.template, hint=CHECK_SYSTEM_LOG)
JOB_KILLED_OUT_OF_MEMORY = Message(
    "executor_error",
    "Rule {rule} failed (job {job}): its command was killed ({signal}) while the host was out of"
    " memory.",
    hint=USE_LESS_MEMORY,
)
JOB_FAILED_WITH_LINE = Message("executor_error", "Rule {rule} failed (job {job}): {line}")
JOB_FAILED_WITH_STATUS = Message(
    "executor_error", "Rule {rule} failed (job {job}): its command exited with status {status}."
)
JOB_FAILED = Message("executor_error", "Rule {rule} failed (job {job}).")
DISK_FULL = Message("executor_error", "The disk is full ({evidence}).", hint=CONTACT_OPERATORS)
OUT_OF_MEMORY = Message("executor_error", "Snakemake ran out of memory ({evidence}).")
WORKFLOW_INVALID = Message(
    "executor_error",
    "Snakemake could not run the workflow: {error}",
    hint="Change the workflow or its parameters; the same run would fail again.",
)
WORKFLOW_INVALID_AT = Message(
    "executor_error",
    "Snakemake could not run the workflow ({file}, line {line}): {error}",
    hint=WORKFLOW_INVALID.hint,
)
SNAKEMAKE_FAILED = Message("executor_error", "Snakemake exited with code {code}.")
SNAKEMAKE_FAILED_WITH_LINE = Message("executor_error", "Snakemake exited with code {code}: {line}")

DISK_FULL_TEXT = re.compile(r"No space left on device|Disk quota exceeded|\bENOSPC\b", re.I)
OUT_OF_MEMORY_TEXT = re.compile(
    r"MemoryError|Cannot allocate memory|std::bad_alloc|java\.lang\.OutOfMemoryError"
    r"|\bout of memory\b|oom[-_ ]kill",
    re.I,
)
#: What a shell prints about a child that a signal killed: no more than its exit status says.
SHELL_REPORT = re.compile(
    r"^.*\bline \d+: +\d+ (Killed|Terminated|Aborted|Segmentation|Bus).*$", re.M
)
ERROR_WORDS = re.compile(
    r"error|exception|fatal|fail|cannot|can't|could not|unable|not found|no such|invalid|denied"
    r"|missing|killed|abort",
    re.I,
)
NO_CONTENT = re.compile(r"^[\s=\-*#~_.]*$")


@dataclass(frozen=True)
class Evidence:
    """What is known about an attempt that has ended."""

    attempt: int
    exit_code: int | None = None
    signal: int | None = None  # that ended Snakemake itself
    canceled: bool = False
    overtime: float = 0.0  # min; the time limit, when Rundesk stopped the attempt because of it
    shutdown: bool = False  # the host, or a user on it, terminated the supervisor
    oom: bool = False  # meanwhile the system killed a process because memory ran out
    records: Sequence[Mapping[str, Any]] = ()  # of errors.jsonl
    console: str = ""  # its end
    logs: Mapping[str, str] = field(default_factory=dict)  # ends of log files of failed jobs


def explain(evidence: Evidence) -> Cause | None:
    """Return the cause; None when Snakemake succeeded."""
    if evidence.canceled:
        return canceled_cause()
    if evidence.exit_code == 0:
        return None
    log = last_lines(evidence.console)
    if evidence.overtime:
        text = WALLTIME_EXCEEDED(minutes=f"{evidence.overtime:g}")
        return _cause(CauseKind.WALLTIME, text, log=log)
    if evidence.shutdown:
        return _cause(CauseKind.HOST_LOST, HOST_SHUT_DOWN(), log=log)
    if evidence.signal is not None:
        return _explain_signal(evidence)
    if failure := first_failure(evidence.records):
        return _explain_job(evidence, failure)
    return _explain_workflow(evidence)


def first_failure(records: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the job that failed first and was not started again."""
    final: dict[int, Mapping[str, Any]] = {}
    for record in records:
        if record.get("type") == "failed":
            final.setdefault(record["job"], record)
        elif record.get("type") == "restarted":
            final.pop(record["job"], None)
    return min(final.values(), key=lambda record: record["at"], default=None)


def canceled_cause() -> Cause:
    """Return the cause of a run that its owner canceled."""
    return _cause(CauseKind.CANCELED, CANCELED())


def explain_loss(evidence: Evidence) -> Cause:
    """Return the cause for an attempt whose supervisor disappeared without an exit record."""
    return _cause(CauseKind.HOST_LOST, PROCESSES_LOST(), log=last_lines(evidence.console))


def staging_failure(text: Text) -> Cause:
    """Return the cause for an attempt whose Snakemake was never started."""
    cause = _cause(CauseKind.STAGING_FAILED, text)
    return cause if cause.hint else cause.model_copy(update={"hint": CONTACT_OPERATORS})


def preparation_failure(error: Exception) -> Cause:
    """Return the cause for an attempt that an unexpected error prevented from starting."""
    if no_room(error):
        return disk_full(DISK_FULL_BEFORE_START())
    return staging_failure(NOT_PREPARED(error=error))


def disk_full(text: Text, log: str = "") -> Cause:
    """Return the cause for an attempt that found no space on the disk."""
    return _cause(CauseKind.DISK_FULL, text, log=log)


def last_lines(text: str) -> str:
    """Return the part of a log that is stored with a cause."""
    return "\n".join(text.rstrip().splitlines()[-MAX_CAUSE_LOG_LINES:])


def most_relevant_line(text: str) -> str:
    """Return the line of a log that most likely explains a failure: the last one with an error."""
    lines = [line.strip() for line in text.splitlines() if not NO_CONTENT.match(line)]
    errors = [line for line in lines if ERROR_WORDS.search(line)]
    chosen = (errors or lines or [""])[-1]
    if chosen.endswith(":") and (after := lines[lines.index(chosen) + 1 :]):
        chosen = f"{chosen} {after[0]}"
    short = len(chosen) <= MAX_QUOTE_CHARACTERS
    return chosen if short else chosen[:MAX_QUOTE_CHARACTERS] + " …"


def _cause(kind: CauseKind, text: Text, **more: Any) -> Cause:
    return Cause(kind=kind, message=str(text), hint=text.hint, **more)


def _explain_signal(evidence: Evidence) -> Cause:
    name, log = _signal_name(evidence.signal or 0), last_lines(evidence.console)
    if evidence.signal != signal.SIGKILL:
        return _cause(CauseKind.KILLED, SNAKEMAKE_KILLED(signal=name), log=log)
    if evidence.oom:
        text = SNAKEMAKE_KILLED_OUT_OF_MEMORY(signal=name)
        return _cause(CauseKind.OUT_OF_MEMORY, text, log=log)
    return _cause(CauseKind.KILLED, SNAKEMAKE_SIGKILLED(signal=name), log=log)


def _explain_job(evidence: Evidence, failure: Mapping[str, Any]) -> Cause:
    rule, number = str(failure.get("rule") or "?"), int(failure["job"])
    log = next((evidence.logs[name] for name in failure["log"] if evidence.logs.get(name)), "")
    own_log = log or _console_before_error(evidence.console, rule)
    error = snakemake.QUOTED_COMMAND.sub("Its command ", _error_text(evidence.records, failure))
    job = ", ".join([str(number), *(f"{k}={v}" for k, v in failure["wildcards"].items())])
    kind, message, values = _job_reason(own_log, error, evidence.oom)
    return _cause(
        kind,
        message(rule=rule, job=job, **values),
        rule=rule,
        job=f"{evidence.attempt}-{number}",
        log=last_lines(own_log or error or evidence.console),
    )


def _job_reason(log: str, error: str, oom: bool) -> tuple[CauseKind, Message, dict[str, str]]:
    """Return kind, message and its values for a failed job.

    `log` was written by the job, `error` is the text of Snakemake about it.
    """
    texts = f"{log}\n{error}"
    if match := DISK_FULL_TEXT.search(texts):
        return CauseKind.DISK_FULL, JOB_DISK_FULL, {"evidence": match[0]}
    if match := OUT_OF_MEMORY_TEXT.search(texts):
        return CauseKind.OUT_OF_MEMORY, JOB_OUT_OF_MEMORY, {"evidence": match[0]}
    if snakemake.MISSING_OUTPUT.search(error):
        if files := _missing_files(error):
            return CauseKind.MISSING_OUTPUT, JOB_OUTPUT_MISSING, {"files": files}
        return CauseKind.MISSING_OUTPUT, JOB_OUTPUTS_MISSING, {}
    name = _killing_signal(error)
    if name == "SIGKILL" and oom:
        return CauseKind.OUT_OF_MEMORY, JOB_KILLED_OUT_OF_MEMORY, {"signal": name}
    if name and not ERROR_WORDS.search(SHELL_REPORT.sub("", log)):
        message = JOB_SIGKILLED if name == "SIGKILL" else JOB_KILLED
        return CauseKind.KILLED, message, {"signal": name}
    if line := most_relevant_line(log):
        return CauseKind.RULE_FAILED, JOB_FAILED_WITH_LINE, {"line": line}
    if match := snakemake.EXIT_STATUS.search(error):
        return CauseKind.RULE_FAILED, JOB_FAILED_WITH_STATUS, {"status": match[1]}
    return CauseKind.RULE_FAILED, JOB_FAILED, {}


def _killing_signal(error: str) -> str:
    """Return the name of the signal that killed a job's command; "" when none did."""
    match = snakemake.KILLED.search(error)
    return (match[1] or _signal_name(int(match[2]) - 128)) if match else ""


def _explain_workflow(evidence: Evidence) -> Cause:
    """Return the cause for a Snakemake that failed without a failed job.

    It could not read or plan the workflow.
    """
    errors = [str(r.get("text", "")) for r in evidence.records if r.get("type") == "error"]
    errors = [text for text in errors if text and not text.endswith(snakemake.JOBS_FAILED)]
    text = errors[0] if errors else evidence.console
    log = last_lines(evidence.console or text)
    if match := DISK_FULL_TEXT.search(text):
        return disk_full(DISK_FULL(evidence=match[0]), log)
    if match := OUT_OF_MEMORY_TEXT.search(text):
        return _cause(CauseKind.OUT_OF_MEMORY, OUT_OF_MEMORY(evidence=match[0]), log=log)
    if errors:
        location, error = snakemake.LOCATION.search(text), _one_line(text)
    elif location := snakemake.SYNTAX_ERROR.search(text):
        error = location[3]
    else:
        line, code = most_relevant_line(evidence.console), evidence.exit_code
        said = SNAKEMAKE_FAILED_WITH_LINE(code=code, line=line)
        return _cause(CauseKind.UNKNOWN, said if line else SNAKEMAKE_FAILED(code=code), log=log)
    if location is None:
        return _cause(CauseKind.WORKFLOW_INVALID, WORKFLOW_INVALID(error=error), log=log)
    at = WORKFLOW_INVALID_AT(file=_inside(location[1]), line=location[2], error=error)
    return _cause(CauseKind.WORKFLOW_INVALID, at, log=log)


def _one_line(text: str) -> str:
    """Return an error text of Snakemake in one line: its class and the lines with content."""
    first, *rest = text.strip().splitlines() or [""]
    kind = first.split(" in ")[0].split(":")[0].strip()
    parts = [first.partition(": ")[2].strip()] if ": " in first else []
    parts += [line.strip() for line in rest if not line.startswith('  File "') and line != "None"]
    line = " ".join(part for part in parts if part)[:MAX_QUOTE_CHARACTERS]
    return f"{kind}: {line}" if line else kind


def _inside(path: str) -> str:
    """Return a path as the authors of the workflow know it: relative to its stored copy."""
    match = re.search(r"/workflows/[0-9a-f]{64}/(.+)$", path)
    return match[1] if match else path


def _error_text(records: Sequence[Mapping[str, Any]], failure: Mapping[str, Any]) -> str:
    """Return the text of Snakemake about a failed job; error texts do not name the job."""
    texts = [str(record["text"]) for record in records if record.get("type") == "error"]
    marks = (str(failure.get("command") or "\0"), f"Job {failure['job']}  completed")
    return next((text for text in texts if any(mark in text for mark in marks)), "")


def _console_before_error(console: str, rule: str) -> str:
    """Return what a job without a log file printed, before Snakemake's text about it."""
    before, match, _ = console.partition(snakemake.ERROR_IN_RULE.format(rule=rule))
    if not match:
        return ""
    lines = [line for line in before.splitlines() if not snakemake.JOB_FRAME.match(line)]
    return "\n".join(lines[-MAX_CAUSE_LOG_LINES:])


def _missing_files(error: str) -> str:
    return ", ".join(dict.fromkeys(snakemake.MISSING_FILE.findall(error)))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
