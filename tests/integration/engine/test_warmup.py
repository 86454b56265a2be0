"""What the fork server does before it forks, in processes of their own: it changes the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from services.settings import HERE

#: Prints what a rehearsal did not restore.
REHEARSAL = """
import logging, os, signal, sys, threading
from services.engine import warmup

warmup.import_snakemake()
from snakemake import workflow
from snakemake.logging import logger
logging.basicConfig(level="INFO")


def state():
    return {
        "threads": threading.enumerate(),
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "path": list(sys.path),
        "arguments": list(sys.argv),
        "names": {name: id(value) for name, value in vars(workflow).items()},
        "handlers": (logging.getLogger().handlers[:], logger.handlers[:]),
        "files": sorted(os.listdir("/proc/self/fd")),
        "streams": [os.readlink(f"/proc/self/fd/{stream}") for stream in (1, 2)],
    }


before = state()
warmup.rehearse()
after = state()
print([name for name in before if before[name] != after[name]])
"""
FAILING = """
from services.engine import warmup

warmup.REHEARSAL_SNAKEFILE = warmup.REHEARSAL_SNAKEFILE.replace("echo", "exit 1; echo")
warmup.warm_up()
print("continues")
"""
COMPACT = """
import os
from services.engine import warmup

kept = [bytes([number % 251]) * 100_000 for number in range(300)]
warmup.compact()
print(all(block == bytes([number % 251]) * 100_000 for number, block in enumerate(kept)))
"""
#: Warms up and then executes a run, as a fork of the fork server does.
RUN = """
import logging, sys, tempfile, threading
from pathlib import Path
from services.engine import execution, report_pipe, snakemake_internals, warmup

logging.basicConfig(level="WARNING", format="%(levelname)s %(message)s")
warmup.warm_up()
assert threading.active_count() == 1
with tempfile.TemporaryDirectory() as folder:
    order = warmup._rehearsal_order(Path(folder).resolve())
    reports = Path(folder, "reports")
    try:
        with reports.open("wb") as file:
            reporting = report_pipe.PipeReporter(file.fileno())
            snakemake_internals.run_command(execution.prepare(order, reporting))
    except SystemExit as end:
        assert not end.code, end.code
    assert (order.target.rundir.results / "made").read_text() == "make\\n"
    assert '"type": "finished"' in reports.read_text()
print("completed")
"""
#: Hides a module from `snakemake_internals`, as if it had another name.
HIDE = """
import builtins

original, hidden = builtins.__import__, "{module}"


def hiding(name, globals=None, locals=None, fromlist=(), level=0):
    own = (globals or {{}}).get("__name__") == "services.engine.snakemake_internals"
    package, _, module = hidden.rpartition(".")
    if own and (name == hidden or (name == package and module in (fromlist or ()))):
        raise ImportError(f"No module named {{hidden!r}}")
    return original(name, globals, locals, fromlist, level)


builtins.__import__ = hiding
"""
#: Loads `snakemake.cli` with other names in it.
REWRITE = """
import importlib.util, sys
from pathlib import Path
import snakemake

spec = importlib.util.find_spec("snakemake.cli")
module = importlib.util.module_from_spec(spec)
source = Path(spec.origin).read_text()
assert "{old}" in source
sys.modules["snakemake.cli"] = snakemake.cli = module
exec(compile(source.replace("{old}", "{new}"), spec.origin, "exec"), vars(module))
"""
PARSER_STEPS = ["find the plugins of Snakemake", "reuse the argument parser of Snakemake"]


def run(script: str) -> tuple[str, str]:
    """Run a script, which must succeed; return its output of both streams."""
    done = subprocess.run([sys.executable, "-c", script], cwd=HERE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


def failed_steps(log: str) -> list[str]:
    """The steps that the warnings in a log name."""
    warnings = [line for line in log.splitlines() if "warm-up step failed" in line]
    return [line.rpartition(": ")[2] for line in warnings]


def test_rehearsal_restores_its_process():
    assert run(REHEARSAL) == ("[]", "")


def test_failing_rehearsal_is_logged_and_nothing_else_stops():
    output, log = run(FAILING)
    assert output == "continues"
    assert failed_steps(log) == ["rehearse a run"]


def test_memory_keeps_its_content_when_it_is_compacted():
    assert run(COMPACT) == ("True", "")


def test_no_step_fails_with_this_snakemake():
    output, log = run(RUN)
    assert output.endswith("completed")
    assert "warm-up" not in log


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("get_argument_parser", "create_argument_parser"),
        ("get_argument_parser(profiles=None)", "get_argument_parser(*, profiles=None, more=None)"),
    ],
    ids=["renamed", "other parameters"],
)
def test_runs_start_with_another_parser_function(old, new):
    output, log = run(REWRITE.format(old=old, new=new) + RUN)
    assert output.endswith("completed")
    assert failed_steps(log) == PARSER_STEPS
    assert (
        "Snakemake no longer has cli.get_argument_parser(profiles), which warmup.py uses; see"
        " docs/design/private-parts.md"
    ) in log


@pytest.mark.parametrize(
    ("module", "steps"),
    [
        ("snakemake.cli", PARSER_STEPS),
        ("snakemake.workflow", ["rehearse a run"]),
        ("snakemake.logging", ["rehearse a run"]),
    ],
)
def test_runs_start_without_a_module_of_snakemake(module, steps):
    output, log = run(HIDE.format(module=module) + RUN)
    assert output.endswith("completed")
    assert failed_steps(log) == steps


def test_runs_start_without_a_module_to_import_early():
    absent = "from services.engine import warmup\nwarmup.LAZY_MODULES += ('snakemake.absent',)\n"
    output, log = run(absent + RUN)
    assert output.endswith("completed")
    assert "cannot import snakemake.absent, runs start more slowly" in log
    assert failed_steps(log) == []
