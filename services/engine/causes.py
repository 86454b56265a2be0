"""Explains why an attempt did not complete, from what it left behind. Pure functions."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.engine import snakemake_internals as snakemake
from services.engine.failure_lines import (
    MAX_QUOTE_CHARACTERS,
    SHELL_REPORT,
    Reason,
    clean,
    find_reason,
    own_path,
    shorten,
)
from services.errors import Message, Text
from services.host.disk import no_room
from services.models import Cause, CauseKind

MAX_CAUSE_LOG_LINES = 40  # lines of a log that are stored with a cause
LINES_BEFORE_REASON = 10  # in the part of a log whose end does not contain the reason

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
JOB_FAILED_WITH_STATUS_AND_LINE = Message(
    "executor_error",
    "Rule {rule} failed (job {job}): its command exited with status {status}. The last line that it"
    " printed is: {line}",
)
JOB_FAILED = Message("executor_error", "Rule {rule} failed (job {job}).")
JOB_OUTPUT_EMPTY = Message(
    "executor_error",
    "Rule {rule} failed (job {job}): its output {files} is empty.",
    hint="The rule requires content in this file, and its command exited without an error; see its"
    " log.",
)
JOB_OUTPUT_DIFFERS = Message(
    "executor_error",
    "Rule {rule} failed (job {job}): the checksum of its output {files} differs from that in the"
    " workflow.",
)
JOB_OUTPUT_REJECTED = Message(
    "executor_error", "Rule {rule} failed (job {job}): its output was rejected: {error}"
)
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
WORKFLOW_EXITED = Message(
    "executor_error",
    "The workflow exited with the message: {error}",
    hint=WORKFLOW_INVALID.hint,
)
SNAKEMAKE_FAILED = Message("executor_error", "Snakemake exited with code {code}.")
SNAKEMAKE_FAILED_WITH_LINE = Message("executor_error", "Snakemake exited with code {code}: {line}")

DISK_FULL_TEXT = re.compile(r"No space left on device|Disk quota exceeded|\bENOSPC\b", re.I)
OUT_OF_MEMORY_TEXT = re.compile(
    r"MemoryError|Cannot allocate memory|std::bad_alloc|java\.lang\.OutOfMemoryError"
    r"|\bout of memory\b|oom[-_ ]kill|cannot allocate vector of size [^\n]+"
    r"|insufficient memory for the Java Runtime Environment",
    re.I,
)


#: What some signals mean; they have no better name for a user.
SIGNAL_MEANINGS = {
    "SIGSEGV": "segmentation fault",
    "SIGABRT": "aborted by the program itself",
    "SIGBUS": "bus error",
    "SIGFPE": "arithmetic error",
    "SIGILL": "illegal instruction",
    "SIGXCPU": "limit of processor time exceeded",
    "SIGXFSZ": "limit of file size exceeded",
    "SIGPIPE": "its reader had ended",
}
STATUS_MEANINGS = {126: "the command cannot be executed", 127: "the command was not found"}


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
    """Return the part of a log that is stored with a cause, without colours."""
    return _excerpt(text, None)


def _excerpt(text: str, reason: Reason | None) -> str:
    """Return the last lines of a log; those around the reason when it is further up."""
    lines = clean(text).rstrip().splitlines()
    start = max(0, len(lines) - MAX_CAUSE_LOG_LINES)
    if reason and reason.is_error and reason.index < start:
        start = max(0, reason.index - LINES_BEFORE_REASON)
    return "\n".join(lines[start : start + MAX_CAUSE_LOG_LINES])


def most_relevant_line(text: str) -> str:
    """Return the line of a log that most likely explains a failure."""
    return find_reason(text).text


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
    printed = _console_of_job(evidence, rule, number)
    error = _error_text(evidence.records, failure) or _error_on_console(printed)
    texts = [text for name in failure["log"] if (text := evidence.logs.get(name))]
    texts = [clean(text) for text in (*texts, _without_frames(printed, error))]
    text, reason = _strongest(texts)
    error = snakemake.QUOTED_COMMAND.sub("Its command ", error)
    job = ", ".join([str(number), *(f"{k}={v}" for k, v in failure["wildcards"].items())])
    kind, message, values = _job_reason("\n".join(texts), reason, error, evidence.oom)
    return _cause(
        kind,
        message(rule=rule, job=job, **values),
        rule=rule,
        job=f"{evidence.attempt}-{number}",
        log=_excerpt(text, reason) or last_lines(error or evidence.console),
    )


def _strongest(texts: Sequence[str]) -> tuple[str, Reason]:
    """Return the best reason and the text that has it.

    A log goes before the console when both name an error. Without an error it is the reverse,
    because the last line of a log is usually about its progress.
    """
    reasons = [(text, find_reason(text)) for text in texts]
    errors = [item for item in reasons if item[1].is_error]
    if errors:
        return max(errors, key=lambda item: item[1].weight)
    return max(reversed(reasons), key=lambda item: item[1].weight, default=("", Reason()))


def _job_reason(
    printed: str, reason: Reason, error: str, oom: bool
) -> tuple[CauseKind, Message, dict[str, str]]:
    """Return kind, message and its values for a failed job.

    `printed` and `reason` come from the job itself, `error` is the text of Snakemake about it.
    """
    texts = f"{printed}\n{error}"
    if match := DISK_FULL_TEXT.search(texts):
        return CauseKind.DISK_FULL, JOB_DISK_FULL, {"evidence": match[0]}
    if match := OUT_OF_MEMORY_TEXT.search(texts):
        return CauseKind.OUT_OF_MEMORY, JOB_OUT_OF_MEMORY, {"evidence": match[0]}
    if snakemake.MISSING_OUTPUT.search(error):
        if files := _missing_files(error):
            return CauseKind.MISSING_OUTPUT, JOB_OUTPUT_MISSING, {"files": files}
        return CauseKind.MISSING_OUTPUT, JOB_OUTPUTS_MISSING, {}
    if rejected := snakemake.OUTPUT_REJECTED.match(error):
        return _rejected_output(rejected[2])
    name = _killing_signal(error)
    if name == "SIGKILL" and oom:
        return CauseKind.OUT_OF_MEMORY, JOB_KILLED_OUT_OF_MEMORY, {"signal": name}
    if name and not reason.is_error:
        message = JOB_SIGKILLED if name == "SIGKILL" else JOB_KILLED
        return CauseKind.KILLED, message, {"signal": _described_signal(name)}
    status = snakemake.EXIT_STATUS.search(error)
    words = _described_status(status[1]) if status else ""
    if reason.is_error or (reason.text and not status):
        return CauseKind.RULE_FAILED, JOB_FAILED_WITH_LINE, {"line": reason.text}
    if reason.text and not SHELL_REPORT.match(reason.text):
        values = {"status": words, "line": reason.text}
        return CauseKind.RULE_FAILED, JOB_FAILED_WITH_STATUS_AND_LINE, values
    if status:
        return CauseKind.RULE_FAILED, JOB_FAILED_WITH_STATUS, {"status": words}
    return CauseKind.RULE_FAILED, JOB_FAILED, {}


def _rejected_output(text: str) -> tuple[CauseKind, Message, dict[str, str]]:
    """Return kind, message and its values for outputs that do not have what the rule requires."""
    first, _, rest = text.partition("\n")
    found = snakemake.REJECTED_FILE.findall(rest)
    files = ", ".join(own_path(snakemake.SHADOW.sub("", name)) for name in found)
    if first.startswith(snakemake.EMPTY_OUTPUT) and files:
        return CauseKind.MISSING_OUTPUT, JOB_OUTPUT_EMPTY, {"files": files}
    if first.startswith(snakemake.WRONG_CHECKSUM) and files:
        return CauseKind.RULE_FAILED, JOB_OUTPUT_DIFFERS, {"files": files}
    line = shorten(" ".join(text.split()))
    return CauseKind.RULE_FAILED, JOB_OUTPUT_REJECTED, {"error": line}


def _killing_signal(error: str) -> str:
    """Return the name of the signal that killed a job's command; "" when none did."""
    match = snakemake.KILLED.search(error)
    return (match[1] or _signal_name(int(match[2]) - 128)) if match else ""


def _explain_workflow(evidence: Evidence) -> Cause:
    """Return the cause for a Snakemake that failed without a failed job.

    It could not read or plan the workflow.
    """
    records = [record for record in evidence.records if record.get("type") == "error"]
    if words := next((r["text"] for r in records if r.get("exception") == "SystemExit"), ""):
        exited = WORKFLOW_EXITED(error=shorten(" ".join(clean(str(words)).split())))
        log = last_lines(evidence.console or str(words))
        return _cause(CauseKind.WORKFLOW_INVALID, exited, log=log)
    errors = [clean(str(record.get("text", ""))) for record in records]
    errors = [text for text in errors if text and not text.endswith(snakemake.JOBS_FAILED)]
    text = errors[0] if errors else clean(evidence.console)
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
        line, code = find_reason(_without_frames(text, "")).text, evidence.exit_code
        said = SNAKEMAKE_FAILED_WITH_LINE(code=code, line=line)
        return _cause(CauseKind.UNKNOWN, said if line else SNAKEMAKE_FAILED(code=code), log=log)
    if location is None:
        return _cause(CauseKind.WORKFLOW_INVALID, WORKFLOW_INVALID(error=error), log=log)
    at = WORKFLOW_INVALID_AT(file=own_path(location[1]), line=location[2], error=error)
    return _cause(CauseKind.WORKFLOW_INVALID, at, log=log)


def _one_line(text: str) -> str:
    """Return an error text of Snakemake in one line: its class and the lines with content."""
    first, *rest = text.strip().splitlines() or [""]
    kind = first.split(" in ")[0].split(":")[0].strip().removesuffix(".")
    if first.startswith("Traceback (most recent call last)"):
        return find_reason(text).text
    _, mark, printed = text.partition(snakemake.INSTALLER_OUTPUT)
    if mark and (reason := find_reason(printed)).is_error:
        return f"{kind}: {shorten(reason.text)}"
    parts = [first.partition(": ")[2].strip()] if ": " in first else []
    for line in rest:
        if line.startswith(snakemake.ERROR_DETAILS):
            break
        if not line.startswith('  File "') and line != "None":
            parts.append(line.strip())
    line = " ".join(part for part in parts if part)[:MAX_QUOTE_CHARACTERS]
    return f"{kind}: {line}" if line else kind


def _error_text(records: Sequence[Mapping[str, Any]], failure: Mapping[str, Any]) -> str:
    """Return the text of Snakemake about a failed job; most error texts do not name the job."""
    texts = [str(record["text"]) for record in records if record.get("type") == "error"]
    marks = (str(failure.get("command") or "\0"), f"Job {failure['job']}  completed")
    for text in texts:
        if any(mark in text for mark in marks):
            return text
    if failure in records:
        number = list(records).index(failure)
        for record in records[number + 1 : number + 2]:  # written with the failure
            text = str(record.get("text", ""))
            match = snakemake.OUTPUT_REJECTED.match(text)
            if match and match[1] == failure.get("rule"):
                return text
        if not failure.get("command"):  # a script: its command is not in the failure
            before = [str(record.get("text", "")) for record in records[:number]]
            before = [text for text in before if text.startswith(snakemake.RULE_EXCEPTION)]
            return before[-1] if before else ""
    return ""


def _error_on_console(printed: str) -> str:
    """Return the text of Snakemake about a failed job with a `run:` block, which has no record."""
    matches = [*snakemake.COMMAND_FAILED.finditer(printed)]
    return matches[-1][0] if matches else ""


def _console_of_job(evidence: Evidence, rule: str, number: int) -> str:
    """Return what is on the console between the start of a job and its failure.

    Other jobs print to the same console. Without Snakemake's text about the failure nothing on the
    console is known to be of this job.
    """
    console = clean(evidence.console)
    names = {"rule": re.escape(rule), "job": number}
    ends = [*re.finditer(snakemake.JOB_ENDED.format(**names), console, re.M)]
    if ends:
        console = console[: ends[-1].start()]
    else:  # also without the number of the job, as in MissingOutputException
        marks = (
            snakemake.ERROR_IN_RULE.format(rule=rule),
            f"Exception in rule {rule} in file",
            f"Error in rule {rule} in file",
        )
        position = min((p for mark in marks if (p := console.find(mark)) >= 0), default=-1)
        if position < 0:
            return ""
        console = console[: console.rfind("\n", 0, position) + 1]
    starts = [*re.finditer(snakemake.JOB_STARTED.format(**names), console, re.M)]
    return console[starts[-1].end() :] if starts else console


def _without_frames(console: str, error: str) -> str:
    """Return what jobs printed to the console, without what Snakemake printed around it.

    The text of Snakemake may follow the last words of a job without a newline.
    """
    if error and error.startswith(snakemake.RULE_EXCEPTION):
        console = console.replace(clean(error), "\n")
    console = snakemake.COMMAND_FAILED.sub("\n", console)
    console = console.replace(snakemake.RULE_EXCEPTION, "\n" + snakemake.RULE_EXCEPTION)
    console = snakemake.JOB_TABLE.sub("", console)
    lines = [line for line in console.splitlines() if not snakemake.JOB_FRAME.match(line)]
    return "\n".join(lines).strip("\n")


def _missing_files(error: str) -> str:
    return ", ".join(dict.fromkeys(snakemake.MISSING_FILE.findall(error)))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _described_signal(name: str) -> str:
    """Return a signal with its meaning where its name does not tell it."""
    meaning = SIGNAL_MEANINGS.get(name)
    return f"{name}: {meaning}" if meaning else name


def _described_status(status: str) -> str:
    """Return an exit status with its meaning, where the shell gives it one."""
    meaning = STATUS_MEANINGS.get(int(status))
    return f"{status} ({meaning})" if meaning else status
