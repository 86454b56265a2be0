"""Every private or undocumented part of Snakemake that Rundesk uses, checked with version 9.27.

`docs/design/private-parts.md` lists them with the consequence of a change. A function that replaces
a part first checks that the part is what it expects, and raises SnakemakeChanged otherwise.
`tests/unit/engine/test_snakemake_internals.py` names each part that a new version no longer has.

The module imports Snakemake only inside functions, because portal and API import it too, and
importing Snakemake takes a second. The logger plugin imports it in every job of a `run:` rule.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import functools
import inspect
import json
import logging
import os
import re
import runpy
import shutil
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from logging.handlers import QueueHandler
from pathlib import Path
from typing import Any

DOCUMENT = "docs/design/private-parts.md"
#: The words of the error about an output outside of the run directory.
OUTSIDE_OUTPUT = (
    "The output {output} of rule {rule} is outside of the run directory. Use a relative path."
)

# ---- modules and functions -----------------------------------------------------------------------

#: Modules that Snakemake imports while it runs. The fork server imports them before any fork.
LAZY_MODULES = (
    "snakemake.cli",
    "snakemake.api",
    "snakemake.caching.local",
    "snakemake.workflow",
    "snakemake.profiles",
    "snakemake.storage",
    "snakemake.executors.local",
    "snakemake.scheduling.job_scheduler",
    "snakemake.persistence.file",
    "snakemake.report.rulegraph_spec",
    "snakemake.script",
    "snakemake.linting.rules",
)


WAITING_FOR_ENVIRONMENT = "Another run is creating the conda environment {file}. Waiting for it."


class SnakemakeChanged(Exception):
    """Snakemake no longer has a part that Rundesk uses."""

    def __init__(self, part: str, user: str) -> None:
        super().__init__(f"Snakemake no longer has {part}, which {user} uses; see {DOCUMENT}")


def run_command(arguments: Sequence[str]) -> None:
    """Run Snakemake's command line in this process. Always raises SystemExit.

    Falls back to the documented `python -m snakemake` in a version without `snakemake.cli.main`.
    """
    sys.argv = ["snakemake", *arguments]
    try:
        from snakemake.cli import main
    except ImportError:
        runpy.run_module("snakemake", run_name="__main__", alter_sys=True)
    else:
        main(list(arguments))


def load_plugins() -> None:
    """Have Snakemake find its plugins; it does so once per process. Raises SnakemakeChanged."""
    _parser_factory()()


def reuse_parser() -> None:
    """Have Snakemake create its argument parser once instead of at each start.

    Creating it takes a tenth of the start of Snakemake. Calls with profiles, which runs never make,
    still create a parser. Raises SnakemakeChanged.
    """
    from snakemake import cli

    create = _parser_factory()
    parser = create()
    if not isinstance(parser, argparse.ArgumentParser):
        raise SnakemakeChanged("an ArgumentParser made by cli.get_argument_parser()", "warmup.py")

    def get_argument_parser(profiles: Any = None) -> argparse.ArgumentParser:
        return parser if profiles is None else create(profiles=profiles)

    cli.get_argument_parser = get_argument_parser


def _parser_factory() -> Callable[..., Any]:
    from snakemake import cli

    create = getattr(cli, "get_argument_parser", None)
    if create is None or [*inspect.signature(create).parameters] != ["profiles"]:
        raise SnakemakeChanged("cli.get_argument_parser(profiles)", "warmup.py")
    return create  # type: ignore[no-any-return]


@contextlib.contextmanager
def state_restored() -> Iterator[None]:
    """Restore afterwards what one execution of Snakemake changes inside Snakemake.

    Snakemake executes a Snakefile in the namespace of `snakemake.workflow` and adds handlers to its
    logger. Raises SnakemakeChanged before anything was changed.
    """
    try:
        from snakemake import workflow
        from snakemake.logging import logger
    except ImportError as error:
        raise SnakemakeChanged("snakemake.workflow and snakemake.logging", "warmup.py") from error
    names = dict(vars(workflow))
    handlers, level = logger.handlers[:], logger.level
    logger.handlers.clear()
    try:
        yield
    finally:
        vars(workflow).clear()
        vars(workflow).update(names)
        logger.handlers[:] = handlers
        logger.setLevel(level)


def fail_jobs_that_exit() -> None:
    """Have a job fail when the code of its `run:` block calls `sys.exit` with a message or status.

    Snakemake executes the block in a thread and takes the SystemExit for no end of the job: it
    waits for the job forever. Raises SnakemakeChanged.
    """
    from snakemake.exceptions import WorkflowError
    from snakemake.executors import local

    run = getattr(local, "run_wrapper", None)
    if run is None or "job_rule" not in inspect.signature(run).parameters:
        raise SnakemakeChanged("executors.local.run_wrapper(job_rule, …)", "the logger plugin")

    @functools.wraps(run)
    def run_wrapper(*arguments: Any) -> None:
        try:
            run(*arguments)
        except SystemExit as end:
            if not end.code:
                return
            words = EXITED.format(status=end.code) if isinstance(end.code, int) else str(end.code)
            raise WorkflowError(words).with_traceback(end.__traceback__) from None

    local.run_wrapper = run_wrapper


def refuse_outputs_outside() -> None:
    """Have Snakemake refuse a plan whose jobs would write outputs outside of the run directory.

    Nothing would be found there, and runs would overwrite each other's outputs. Snakemake counts
    the planned jobs before it starts the first one. Raises SnakemakeChanged.
    """
    from snakemake.dag import DAG
    from snakemake.exceptions import WorkflowError

    count = getattr(DAG, "stats", None)
    if count is None or [*inspect.signature(count).parameters] != ["self"]:
        raise SnakemakeChanged("dag.DAG.stats(self)", "the logger plugin")

    @functools.wraps(count)
    def stats(dag: Any) -> Any:
        root = os.path.realpath(getattr(dag.workflow, "overwrite_workdir", None) or os.curdir)
        for job in dag.needrun_jobs():
            for output in map(str, job.output):
                if not _is_within(output, root):
                    text = OUTSIDE_OUTPUT.format(output=output, rule=job.rule.name)
                    raise WorkflowError(text)
        return count(dag)

    DAG.stats = stats


def _is_within(output: str, root: str) -> bool:
    """Whether the path of an output, relative to the present folder, is in the folder `root`."""
    path = os.path.normpath(f"{os.path.realpath(os.curdir)}/{output}")
    if output.startswith("/"):
        path = os.path.normpath(output)
    return path.startswith(f"{root}/") or os.path.realpath(path).startswith(f"{root}/")


def create_environments_one_by_one(locks: Path) -> None:
    """Have one process at a time create a conda environment; the others wait and then use it.

    Snakemake has no lock for an environment that several runs share: each would remove what the
    other has installed. `locks` is a folder for the locks. Raises SnakemakeChanged.
    """
    from snakemake.deployment.conda import Env
    from snakemake.logging import logger

    create = getattr(Env, "create", None)
    if create is None or [*inspect.signature(create).parameters] != ["self", "dryrun"]:
        raise SnakemakeChanged("Env.create(dryrun) of snakemake.deployment.conda", "execution.py")

    def creating(env: Any, dryrun: bool = False) -> Any:
        if dryrun or env.name or env.dir:
            return create(env, dryrun)
        locks.mkdir(parents=True, exist_ok=True)
        with (locks / f"{env.hash}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                name = Path(str(env.file.simplify_path())).name
                logger.info(WAITING_FOR_ENVIRONMENT.format(file=name))
                fcntl.flock(lock, fcntl.LOCK_EX)
            return create(env, dryrun)

    Env.create = creating


# ---- the logger ----------------------------------------------------------------------------------


def add_log_handler(handler: logging.Handler) -> None:
    """Add a handler in front of the queue through which Snakemake serves its logger plugins.

    Raises SnakemakeChanged; then events arrive only through that queue.
    """
    try:
        from snakemake.logging import logger
    except ImportError as error:
        raise SnakemakeChanged("snakemake.logging.logger", "the logger plugin") from error
    logger.addHandler(handler)


def is_only_logger_plugin(common_settings: object) -> bool:
    """Return whether no other logger plugin is used; False when Snakemake does not say."""
    return len(getattr(common_settings, "log_handler_settings", ())) == 1


def close_plugin_queue() -> None:
    """Keep events out of the queue for logger plugins, if there is one.

    Snakemake adds the queue after it has created the plugins, so this works from the first event.
    """
    from snakemake.logging import logger  # `add_log_handler` has found it

    for handler in logger.handlers:
        if isinstance(handler, QueueHandler):
            handler.addFilter(lambda _: False)


# ---- the folder `.snakemake` ---------------------------------------------------------------------

FOLDER = ".snakemake"
LOCKS = Path(FOLDER, "locks")
METADATA = Path(FOLDER, "metadata")  # one record per output that a job has finished
INCOMPLETE = Path(FOLDER, "incomplete")  # one marker per output that a job has started
MARKER = json.dumps({"external_jobid": None})  # as for a job that no cluster executes


def remove_locks(folder: Path) -> None:
    """Remove the locks of a dead Snakemake from a run directory, as `snakemake --unlock` does."""
    shutil.rmtree(folder / LOCKS, ignore_errors=True)


def record_path(output: str, max_name_bytes: int) -> Path:
    """Return the path of the record of an output, relative to METADATA or INCOMPLETE.

    It is the output's path in base64, split into folders `@…` where it is longer than a file name
    may be (`FilePersistence._record_path`). Raises UnicodeEncodeError for a path that is not UTF-8.
    """
    name, size = urlsafe_b64encode(output.encode()).decode(), max_name_bytes - 1
    *folders, last = (name[start : start + size] for start in range(0, len(name), size))
    return Path(*(f"@{folder}" for folder in folders), last)


def recorded_output(path: Path) -> str:
    """Return the output that a record is about; the reverse of `record_path`. Raises ValueError."""
    return urlsafe_b64decode("".join(part.removeprefix("@") for part in path.parts)).decode()


def max_name_bytes(folder: Path) -> int:
    """Return the size limit of a file name in a folder, as Snakemake determines it."""
    return os.pathconf(folder, "PC_NAME_MAX") or 255


# ---- texts ---------------------------------------------------------------------------------------

#: Printed when `--retries` starts a failed job again.
JOB_RESTARTED = re.compile(r"Trying to restart job (\d+)\.")
#: The only report of a job that did not create an output: there is no event for it.
MISSING_OUTPUT = re.compile(r"Job (\d+) +completed successfully, but some output files are missing")
MISSING_FILE = re.compile(r"^(.+?) \(missing locally", re.M)
#: The end of the error text of a run in which a job failed; it says nothing about the job.
JOBS_FAILED = "At least one job did not complete successfully."
#: Precedes the details of a failed job on the console.
ERROR_IN_RULE = "Error in rule {rule}:"
#: The command of a failed job, quoted by subprocess.CalledProcessError.
QUOTED_COMMAND = re.compile(r"Command '.*' (?=returned |died )", re.S)
#: Printed for a `run:` block that called `sys.exit` with a status; see `fail_jobs_that_exit`.
EXITED = "The code of the rule exited with status {status}"
EXIT_STATUS = re.compile(r"returned non-zero exit status (\d+)")
#: A signal by its name, or by the exit status that a shell derives from it.
KILLED = re.compile(r"died with <Signals\.(SIG[A-Z0-9]+)|exit status (1(?:29|3\d|4\d|5\d))\b")
#: File and line of an error in a workflow.
LOCATION = re.compile(r'in file "([^"]+)", line (\d+)')
#: Some syntax errors make Snakemake itself fail: then there is only Python's traceback.
SYNTAX_ERROR = re.compile(
    r'File "([^"]+)", line (\d+)\n(?:.*\n){0,3}?((?:Syntax|Indentation)Error: .+)'
)
#: Exceptions about the outputs of a job that has ended; the first line names only the rule.
OUTPUT_REJECTED = re.compile(r'^\w+ in rule (\w+) in file "[^"\n]+", line \d+:\n(.+)', re.S)
EMPTY_OUTPUT = "Detected unexpected empty output files."
WRONG_CHECKSUM = "Output files have checksums that differ from the expected ones"
#: An output in these texts: alone in its line, perhaps followed by the rule and its location.
REJECTED_FILE = re.compile(r"^ *(.+?)(?: \((?:rule|checkpoint) \w+, line \d+, [^\n]+\))?$", re.M)
#: The folder in which a job of a `shadow` rule is executed.
SHADOW = re.compile(r"^.*\.snakemake/shadow/[^/]+/")
#: Precedes the error text of a job. A job that ends its output without a newline is glued to it.
RULE_EXCEPTION = "RuleException:\n"
#: The text that repeats the command of a failed job.
COMMAND_FAILED = re.compile(
    r'RuleException:\nCalledProcessError in file "[^"\n]*", line \d+:\n'
    r"Command '.*?' (?:returned non-zero exit status \d+|died with [^\n]+?)\.(?=\n|$)",
    re.S,
)
SCRIPT_PREAMBLE_LINES = 3  # added by Snakemake before a script in Python
#: The start of a job on the console, up to and including its number. `{rule}` and `{job}`.
JOB_STARTED = (
    r"^(?:local)?(?:rule|checkpoint) {rule}:\n(?: {{4}}.*\n)*?    jobid: {job}\n"
    r"(?: {{4}}\w[\w-]*: .*\n)*"
    r"|^Job {job}: .*\n(?:Reason: .*\n)?"
)
#: The details of a failed job on the console.
JOB_ENDED = r"^Error in (?:rule|checkpoint) {rule}:\n(?:    .*\n)*?    jobid: {job}$"
#: Lines that Snakemake prints before and about jobs; they do not say why one failed.
JOB_FRAME = re.compile(
    r"^(\[\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4}\]|RuleException:|WorkflowError:"
    r"|CalledProcessError in file.*|Command '.*|Error in rule .*"
    r"|Exiting because a job execution failed.*|Complete log\(s\).*"
    r"|Elapsed time: .*|Select jobs to execute.*|Execute \d+ jobs.*|Finished jobid.*"
    r"|\d+ of \d+ steps .*|Trying to restart job.*|(local)?(rule|checkpoint) \w+:"
    r"| {4}(message|input|output|log|jobid|benchmark|reason|wildcards|threads|priority|resources"
    r"|shell|conda-env|container|group|cluster_jobid|external_jobid|params): .*| {4}shell:"
    r"| +\(command exited with non-zero exit code\)|Job \d+: .*|Reason: Missing output .*"
    r"|At least one job did not complete successfully\.|Removing output files of failed job.*"
    r"|Terminating processes on user request.*|Shutting down, this might take some time.*"
    r"|Write-protecting output file .*|Touching output file .*|DAG of jobs will be updated.*"
    r"|Updating checkpoint dependencies.*|Removing temporary output .*|Waiting at most .* seconds.*"
    r"|Activating (conda|singularity|apptainer|env).*|Assuming unrestricted shared .*|SNAKEMAKE"
    r"|host: .*|Building DAG of jobs.*|Using shell: .*|Provided cores: .*|Rules claiming more .*"
    r"|Output file cache activated.*|Using workflow specific profile .*|None"
    r"|  (Date|Workflow ID|Platform|Host|User|Snakemake version|Python version|Command|Snakefile"
    r"|Base directory|Run directory|Working directory|Config file\(s\)|Config MD5): .*"
    r"|Will exit after finishing currently running jobs.*)$"
)
#: The table of the planned jobs, which ends with an empty line.
JOB_TABLE = re.compile(r"^Job stats:\n(?:.+\n)*", re.M)
#: Precedes what an installer of software printed, in the text of its failure.
INSTALLER_OUTPUT = "\nOutput:\n"
#: Lines that start details of an error which its message does not need.
ERROR_DETAILS = ("Failed validating ", "Traceback:")


def rejected_outputs(text: str) -> tuple[str, set[str]]:
    """Return the rule and the outputs that an error text is about; ("", set()) for other texts.

    The set may contain other lines of the text.
    """
    match = OUTPUT_REJECTED.match(text)
    if not match:
        return "", set()
    return match[1], {SHADOW.sub("", name) for name in REJECTED_FILE.findall(match[2])}
