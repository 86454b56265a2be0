"""Why an attempt did not complete, in words: rules over what it left behind. Pure functions.

What Snakemake prints and tells is by version 9.27.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.host.disk import no_room
from services.models import Cause, CauseKind

LOG_LINES = 40  # lines of a log that go with a cause
LONGEST_LINE = 300  # characters of a line quoted in a message
LESS = "Use smaller inputs or fewer threads, or a host with more memory."
TELL = "Tell the operators of this desk; then run it again."

DISK_FULL = re.compile(r"No space left on device|Disk quota exceeded|\bENOSPC\b", re.I)
NO_MEMORY = re.compile(
    r"MemoryError|Cannot allocate memory|std::bad_alloc|java\.lang\.OutOfMemoryError"
    r"|\bout of memory\b|oom[-_ ]kill",
    re.I,
)
MISSING_OUTPUT = "completed successfully, but some output files are missing"
DIED = re.compile(r"died with <Signals\.(SIG[A-Z0-9]+)|exit status (1(?:29|3\d|4\d|5\d))\b")
#: What a shell says of a child that a signal ended: no more than its exit status does.
OF_SHELL = re.compile(r"^.*\bline \d+: +\d+ (Killed|Terminated|Aborted|Segmentation|Bus).*$", re.M)
SAYS_WHY = re.compile(
    r"error|exception|fatal|fail|cannot|can't|could not|unable|not found|no such|invalid|denied"
    r"|missing|killed|abort",
    re.I,
)
#: The command of a job in Snakemake's words; what stands in it did not happen for that.
COMMAND = re.compile(r"Command '.*' (?=returned |died )", re.S)
LOCATION = re.compile(r'in file "([^"]+)", line (\d+)')
#: Some syntax errors make Snakemake itself fail: then there is only Python's traceback.
CRASHED = re.compile(r'File "([^"]+)", line (\d+)\n(?:.*\n){0,3}?((?:Syntax|Indentation)Error: .+)')
NO_CONTENT = re.compile(r"^[\s=\-*#~_.]*$")
UNTELLING = ("At least one job did not complete successfully.",)
#: Lines that Snakemake prints around a job; they say nothing of why it failed.
FRAME = re.compile(
    r"^(\[.*\d\d:\d\d:\d\d.*\]|RuleException:|WorkflowError:|CalledProcessError in file.*"
    r"|Command '.*|Error in rule .*|Exiting because a job execution failed.*|Complete log\(s\).*"
    r"|Elapsed time: .*|Select jobs to execute.*|Execute \d+ jobs.*|Finished jobid.*"
    r"|\d+ of \d+ steps .*|Trying to restart job.*|(local)?(rule|checkpoint) \w+:| {4,}.*"
    r"|At least one job did not complete successfully\.|Removing output files of failed job.*"
    r"|Terminating processes on user request.*|Shutting down, this might take some time.*)$"
)


@dataclass(frozen=True)
class Evidence:
    """What is known of an attempt that ended."""

    attempt: int
    exit_code: int | None = None
    signal: int | None = None  # that ended Snakemake itself
    canceled: bool = False
    overtime: float = 0.0  # min; the limit, when the desk ended it because of that
    shutdown: bool = False  # the host, or somebody on it, asked the supervisor to end
    oom: bool = False  # meanwhile the system ended some process for want of memory
    records: Sequence[Mapping[str, Any]] = ()  # of errors.jsonl
    console: str = ""  # its end
    logs: Mapping[str, str] = field(default_factory=dict)  # ends of log files of failed jobs


def explain(evidence: Evidence) -> Cause | None:
    """The cause; None when Snakemake ended well."""
    if evidence.canceled:
        return Cause(kind=CauseKind.CANCELED, message="Canceled on request.")
    if evidence.exit_code == 0:
        return None
    if evidence.overtime:
        return Cause(
            kind=CauseKind.WALLTIME,
            message=f"It took longer than {evidence.overtime:g} minutes, the limit of this desk.",
            log=last_lines(evidence.console),
            hint="Resume it: what its jobs finished is kept, and its time begins anew.",
        )
    if evidence.shutdown:
        return Cause(
            kind=CauseKind.HOST_LOST,
            message="The host was shutting down while the run was at work.",
            log=last_lines(evidence.console),
        )
    if evidence.signal is not None:
        return _killed(evidence)
    if failure := first_failure(evidence.records):
        return _job_failed(evidence, failure)
    return _workflow_failed(evidence)


def first_failure(records: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The job that failed first and was not started again."""
    final: dict[int, Mapping[str, Any]] = {}
    for record in records:
        if record.get("type") == "failed":
            final.setdefault(record["job"], record)
        elif record.get("type") == "restarted":
            final.pop(record["job"], None)
    return min(final.values(), key=lambda record: record["at"], default=None)


def lost(evidence: Evidence) -> Cause:
    """For an attempt that ended without a word: its supervisor is gone too."""
    return Cause(
        kind=CauseKind.HOST_LOST,
        message="The processes of the run vanished: the host was restarted, or they were killed.",
        log=last_lines(evidence.console),
    )


def unstarted(message: str) -> Cause:
    """For an attempt whose Snakemake was never started."""
    return Cause(kind=CauseKind.STAGING_FAILED, message=message, hint=TELL)


def unprepared(error: Exception) -> Cause:
    """The same, by what went wrong."""
    if no_room(error):
        return disk_full("The disk is full: the run could not be prepared.")
    return unstarted(f"The run could not be prepared: {error}")


def disk_full(message: str, log: str = "") -> Cause:
    return Cause(kind=CauseKind.DISK_FULL, message=message, log=log, hint=TELL)


def last_lines(text: str) -> str:
    return "\n".join(text.rstrip().splitlines()[-LOG_LINES:])


def telling_line(text: str) -> str:
    """The line of a log that most likely says why: the last one that speaks of an error."""
    lines = [line.strip() for line in text.splitlines() if not NO_CONTENT.match(line)]
    speaking = [line for line in lines if SAYS_WHY.search(line)]
    chosen = (speaking or lines or [""])[-1]
    if chosen.endswith(":") and (after := lines[lines.index(chosen) + 1 :]):
        chosen = f"{chosen} {after[0]}"
    return chosen if len(chosen) <= LONGEST_LINE else chosen[:LONGEST_LINE] + " …"


def _killed(evidence: Evidence) -> Cause:
    name = _signal_name(evidence.signal or 0)
    if evidence.signal == signal.SIGKILL and evidence.oom:
        return Cause(
            kind=CauseKind.OUT_OF_MEMORY,
            message=f"Snakemake was ended by {name} while this host was out of memory.",
            log=last_lines(evidence.console),
            hint=LESS,
        )
    hint = "On a busy host the system ends processes when memory runs out: see its system log."
    return Cause(
        kind=CauseKind.KILLED,
        message=f"Snakemake was ended by {name}, which the desk did not send.",
        log=last_lines(evidence.console),
        hint=hint if evidence.signal == signal.SIGKILL else "",
    )


def _job_failed(evidence: Evidence, failure: Mapping[str, Any]) -> Cause:
    rule, job = str(failure.get("rule") or "?"), int(failure["job"])
    log = next((evidence.logs[name] for name in failure["log"] if evidence.logs.get(name)), "")
    said = log or _around(evidence.console, rule)
    told = COMMAND.sub("Its command ", _told_of(evidence.records, failure))
    kind, why, hint = _reason(said, told, evidence.oom)
    what = ", ".join([f"job {job}", *(f"{k}={v}" for k, v in failure["wildcards"].items())])
    return Cause(
        kind=kind,
        message=f"Rule {rule} failed ({what}){': ' if why else '.'}{why}",
        rule=rule,
        job=f"{evidence.attempt}-{job}",
        log=last_lines(said or told or evidence.console),
        hint=hint,
    )


def _reason(said: str, told: str, oom: bool) -> tuple[CauseKind, str, str]:
    """Kind, sentence and hint for a failed job; `said` by the job, `told` by Snakemake."""
    both = f"{said}\n{told}"
    if found := DISK_FULL.search(both):
        return CauseKind.DISK_FULL, f"the disk is full ({found[0]}).", TELL
    if found := NO_MEMORY.search(both):
        return CauseKind.OUT_OF_MEMORY, f"memory ran out ({found[0]}).", LESS
    if MISSING_OUTPUT in told:
        files = _missing_files(told)
        return (
            CauseKind.MISSING_OUTPUT,
            f"it ended without making {files or 'all its outputs'}.",
            "The command ended well without writing what the rule promises: see its log.",
        )
    name = _died_of(told)
    if name == "SIGKILL" and oom:
        words = f"its command was ended by {name} while this host was out of memory."
        return CauseKind.OUT_OF_MEMORY, words, LESS
    if name and not SAYS_WHY.search(OF_SHELL.sub("", said)):
        hint = "If memory ran out, the system's log says so." if name == "SIGKILL" else ""
        return CauseKind.KILLED, f"its command was ended by {name}.", hint
    line = telling_line(said) or _status(told)
    return CauseKind.RULE_FAILED, line, ""


def _died_of(told: str) -> str:
    """The signal that ended a job's command; "" when none did."""
    found = DIED.search(told)
    return (found[1] or _signal_name(int(found[2]) - 128)) if found else ""


def _workflow_failed(evidence: Evidence) -> Cause:
    """Snakemake gave up without a failed job: it could not read or plan the workflow."""
    errors = [str(r.get("text", "")) for r in evidence.records if r.get("type") == "error"]
    errors = [text for text in errors if text and not text.endswith(UNTELLING)]
    text = errors[0] if errors else evidence.console
    tail = last_lines(evidence.console or text)
    if found := DISK_FULL.search(text):
        return disk_full(f"The disk is full ({found[0]}).", tail)
    if found := NO_MEMORY.search(text):
        message = f"Memory ran out ({found[0]})."
        return Cause(kind=CauseKind.OUT_OF_MEMORY, message=message, log=tail)
    where = LOCATION.search(text)
    said = _sentence(text)
    if not errors:
        if not (where := CRASHED.search(text)):
            line = telling_line(evidence.console)
            code = f"Snakemake ended with exit code {evidence.exit_code}"
            message = f"{code}: {line}" if line else f"{code}."
            return Cause(kind=CauseKind.UNKNOWN, message=message, log=tail)
        said = where[3]
    place = f" ({_inside(where[1])}, line {where[2]})" if where else ""
    return Cause(
        kind=CauseKind.WORKFLOW_INVALID,
        message=f"Snakemake could not run the workflow{place}: {said}",
        log=tail,
        hint="The workflow's files or its parameters need a change; the same run would fail again.",
    )


def _sentence(text: str) -> str:
    """An error of Snakemake's in one line: its kind and the first lines that say something."""
    first, *rest = text.strip().splitlines() or [""]
    kind = first.split(" in ")[0].split(":")[0].strip()
    said = [first.partition(": ")[2].strip()] if ": " in first else []
    said += [line.strip() for line in rest if not line.startswith('  File "') and line != "None"]
    line = " ".join(part for part in said if part)[:LONGEST_LINE]
    return f"{kind}: {line}" if line else kind


def _inside(path: str) -> str:
    """A path as the workflow's authors know it: below the frozen copy, which is named by digest."""
    found = re.search(r"/workflows/[0-9a-f]{64}/(.+)$", path)
    return found[1] if found else path


def _told_of(records: Sequence[Mapping[str, Any]], failure: Mapping[str, Any]) -> str:
    """Snakemake's own words on a failed job; its error texts do not name the job."""
    texts = [str(record["text"]) for record in records if record.get("type") == "error"]
    marks = (str(failure.get("command") or "\0"), f"Job {failure['job']}  completed")
    return next((text for text in texts if any(mark in text for mark in marks)), "")


def _around(console: str, rule: str) -> str:
    """What a job without a log file left on the console, before Snakemake's word on it."""
    before, found, _ = console.partition(f"Error in rule {rule}:")
    if not found:
        return ""
    lines = [line for line in before.splitlines() if not FRAME.match(line)]
    return "\n".join(lines[-LOG_LINES:])


def _missing_files(told: str) -> str:
    names = re.findall(r"^(.+?) \(missing locally", told, re.M)
    return ", ".join(dict.fromkeys(names))


def _status(told: str) -> str:
    found = re.search(r"returned (non-zero exit status \d+)", told)
    return f"its command returned {found[1]}." if found else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
