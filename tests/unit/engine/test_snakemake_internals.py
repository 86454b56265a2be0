"""The private parts of Snakemake that Rundesk uses are still there.

Each test of this module names the part that a new version of Snakemake no longer has.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import inspect
import logging
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from logging.handlers import QueueHandler
from pathlib import Path
from queue import Queue
from types import SimpleNamespace
from typing import Any

import pytest

from services.engine import snakemake_internals as internals
from services.engine.snakemake_internals import SnakemakeChanged

JOB_INFO_FIELDS = (
    *("jobid", "rule_name", "wildcards", "input", "output", "log", "threads", "resources"),
    *("reason", "shellcmd"),
)


def require(present: object, part: str, user: str) -> None:
    """Fail with a sentence that names the part when it is not present."""
    assert present, str(SnakemakeChanged(part, user))


def module_of(name: str, user: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return pytest.fail(str(SnakemakeChanged(name, user)))


@cache
def source(module: str) -> str:
    """The source of a module of Snakemake; "" when there is none."""
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return ""
    return Path(spec.origin).read_text() if spec and spec.origin else ""


@cache
def event_fields() -> dict[str, set[str]]:
    """The fields that Snakemake gives the records of each log event, wherever it logs it."""
    fields: dict[str, set[str]] = {}
    folder = Path(module_of("snakemake", "the logger plugin").__file__).parent
    for path in folder.rglob("*.py"):
        text = path.read_text()
        for call in ast.walk(ast.parse(text)) if "event=LogEvent." in text else ():
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
                values = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
                if call.func.id == "dict" and isinstance(values.get("event"), ast.Attribute):
                    name = values["event"].attr.lower()
                    fields[name] = fields.get(name, set(values)) & set(values)
    return fields


# ---- modules and functions -----------------------------------------------------------------------


@pytest.mark.parametrize("name", internals.LAZY_MODULES)
def test_module_that_is_imported_early_exists(name):
    require(importlib.util.find_spec(name), f"the module {name}", "warmup.py")


def test_command_exists_and_accepts_arguments():
    main = getattr(module_of("snakemake.cli", "execution.py"), "main", None)
    require(main, "cli.main", "execution.py")
    require("argv" in inspect.signature(main).parameters, "cli.main(argv)", "execution.py")
    require(source("snakemake.__main__"), "`python -m snakemake`", "execution.py")


def test_parser_factory_is_what_is_replaced():
    cli = module_of("snakemake.cli", "warmup.py")
    create = getattr(cli, "get_argument_parser", None)
    require(create, "cli.get_argument_parser", "warmup.py")
    parameters = inspect.signature(create).parameters
    require([*parameters] == ["profiles"], "cli.get_argument_parser(profiles)", "warmup.py")
    require(parameters["profiles"].default is None, "cli.get_argument_parser()", "warmup.py")
    parser = create()
    require(isinstance(parser, argparse.ArgumentParser), "an ArgumentParser", "warmup.py")
    calls = "parser = get_argument_parser()" in inspect.getsource(cli.parse_args)
    require(calls, "a call of get_argument_parser() in cli.parse_args", "warmup.py")


def test_function_that_executes_a_run_block_is_what_is_replaced():
    local = module_of("snakemake.executors.local", "the logger plugin")
    part = "executors.local.run_wrapper(job_rule, …)"
    run = getattr(local, "run_wrapper", None)
    require(run and "job_rule" in inspect.signature(run).parameters, part, "the logger plugin")
    calls = "self.pool.submit(\n                self.cached_or_run, job, run_wrapper," in source(
        "snakemake.executors.local"
    )
    require(calls, f"a call of {part} by its name in the module", "the logger plugin")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("no column mz", "no column mz"),
        (3, "The code of the rule exited with status 3"),
        (0, ""),
        (None, ""),
    ],
)
def test_job_of_a_run_block_that_exits_fails_with_its_words(monkeypatch, code, words):
    local = module_of("snakemake.executors.local", "the logger plugin")

    def run_wrapper(job_rule):
        sys.exit(code)

    monkeypatch.setattr(local, "run_wrapper", run_wrapper)
    internals.fail_jobs_that_exit()
    if not words:
        assert local.run_wrapper("rule") is None
        return
    with pytest.raises(module_of("snakemake.exceptions", "").WorkflowError) as failed:
        local.run_wrapper("rule")
    assert str(failed.value) == words


def test_run_block_is_left_as_it_is_when_snakemake_changed(monkeypatch):
    local = module_of("snakemake.executors.local", "the logger plugin")
    monkeypatch.setattr(local, "run_wrapper", changed := lambda rule: None)
    with pytest.raises(SnakemakeChanged):
        internals.fail_jobs_that_exit()
    assert local.run_wrapper is changed


def test_namespace_of_snakefiles_is_that_of_the_workflow_module():
    module_of("snakemake.workflow", "warmup.py")
    used = "globals()" in source("snakemake.workflow")
    require(used, "globals() of snakemake.workflow as namespace of Snakefiles", "warmup.py")


def test_logger_is_one_of_the_standard_library():
    logger = getattr(module_of("snakemake.logging", "the logger plugin"), "logger", None)
    present = isinstance(logger, logging.Logger)
    require(present, "the logging.Logger snakemake.logging.logger", "the logger plugin")


def test_queue_of_logger_plugins_is_a_queue_handler_added_after_the_plugins():
    text = source("snakemake.logging")
    creation, queue = text.find("_init_plugin_handler("), text.find("handlers.QueueHandler(")
    require(0 < creation < queue, "a QueueHandler added after the plugins", "the logger plugin")


def test_settings_of_logger_plugins_name_all_of_them():
    types = module_of("snakemake.settings.types", "the logger plugin")
    names = getattr(types.OutputSettings, "__dataclass_fields__", {})
    part = "OutputSettings.log_handler_settings"
    require("log_handler_settings" in names, part, "the logger plugin")


def test_sigterm_handler_is_installed_by_the_scheduler():
    text = source("snakemake.scheduling.job_scheduler")
    require("signal.SIGTERM" in text, "a handler of SIGTERM that warmup.py removes", "warmup.py")


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ("run_info", ["stats"]),
        ("rulegraph", ["rulegraph"]),
        ("progress", ["done", "total"]),
        ("job_info", JOB_INFO_FIELDS),
        ("job_finished", ["job_id"]),
        ("job_error", ["jobid", "rule_name", "log", "shellcmd"]),
        ("error", ["exception"]),
    ],
)
def test_log_event_has_the_fields_that_are_read(event, fields):
    known = event_fields().get(event, set())
    require(known, f"the log event {event}", "the logger plugin")
    for field in fields:
        require(field in known, f"the field {field} of the event {event}", "the logger plugin")


@pytest.mark.parametrize("key", ["links", "sourcerule", "targetrule"])
def test_rule_graph_has_the_keys_that_are_read(key):
    present = f'"{key}":' in source("snakemake.workflow")
    require(present, f"the key {key} of the rule graph", "the logger plugin")


# ---- the folder `.snakemake` ---------------------------------------------------------------------


@pytest.fixture
def persistence(tmp_path) -> Any:
    """Snakemake's own records in a run directory."""
    module = module_of("snakemake.persistence.file", "snakemake_metadata.py")
    create = getattr(module, "FilePersistence", None)
    require(create, "FilePersistence", "snakemake_metadata.py")
    return create(path=tmp_path / internals.FOLDER, nolock=True)


@pytest.mark.parametrize(
    ("attribute", "path"),
    [
        ("_lockdir", internals.LOCKS),
        ("_metadata_path", internals.METADATA),
        ("_incomplete_path", internals.INCOMPLETE),
    ],
)
def test_folder_of_records_is_where_snakemake_has_it(persistence, tmp_path, attribute, path):
    actual = getattr(persistence, attribute, None)
    present = actual is not None and Path(actual) == tmp_path / path
    require(present, f"the folder {path} of a run", "snakemake_metadata.py")


@pytest.mark.parametrize("output", ["results/a.txt", "grüße/<b>.txt", "long/" * 60 + "a.txt"])
def test_record_of_an_output_has_the_name_that_snakemake_gives_it(persistence, tmp_path, output):
    limit = internals.max_name_bytes(tmp_path)
    folder = str(tmp_path / internals.METADATA)
    name = Path(persistence._record_path(folder, output)).relative_to(folder)
    part = "the encoding of record names (FilePersistence._record_path)"
    require(internals.record_path(output, limit) == name, part, "snakemake_metadata.py")
    assert internals.recorded_output(name) == output


def test_marker_of_an_incomplete_output_is_that_of_snakemake(persistence, tmp_path):
    persistence._mark_incomplete("a.txt", None)
    path = tmp_path / internals.INCOMPLETE / internals.record_path("a.txt", 255)
    present = path.exists() and path.read_text() == internals.MARKER
    require(present, "the content of a marker of an incomplete output", "snakemake_metadata.py")
    path.unlink()
    path.write_text(internals.MARKER)
    marked = persistence._filter_incomplete_keys(["a.txt", "b.txt"]) == {"a.txt"}
    require(marked, "an incomplete output by the existence of its marker", "snakemake_metadata.py")


def test_locks_are_removed_and_nothing_else(persistence, tmp_path):
    (tmp_path / internals.LOCKS / "0.input.lock").touch()
    internals.remove_locks(tmp_path)
    internals.remove_locks(tmp_path)
    assert not (tmp_path / internals.LOCKS).exists()
    assert (tmp_path / internals.METADATA).exists()


# ---- texts ---------------------------------------------------------------------------------------


def test_missing_output_is_reported_as_expected():
    exceptions = module_of("snakemake.exceptions", "the logger plugin")
    text = str(exceptions.MissingOutputException("Missing files: a.txt", jobid=7))
    match = internals.MISSING_OUTPUT.search(text)
    part = "the text of a MissingOutputException"
    require(match and match[1] == "7", part, "the logger plugin and causes.py")
    require(f"Job {7}  completed" in text, part, "causes.py")
    require("(missing locally" in source("snakemake.io"), f"{part} about each file", "causes.py")


def test_rejected_outputs_are_read_from_the_text_about_them():
    text = (
        'WorkflowError in rule a in file "/x/Snakefile", line 4:\n'
        f"{internals.EMPTY_OUTPUT} Something went wrong.\n"
        "/x/.snakemake/shadow/tmp1/results/a.txt (rule a, line 11, /x/Snakefile)"
    )
    rule, files = internals.rejected_outputs(text)
    assert rule == "a"
    assert "results/a.txt" in files
    assert internals.rejected_outputs("WorkflowError:\nother") == ("", set())


def test_location_of_an_error_is_reported_as_expected():
    exceptions = module_of("snakemake.exceptions", "causes.py")
    text = exceptions.format_error(ValueError("x"), 3, snakefile="/x/Snakefile")
    match = internals.LOCATION.search(text)
    present = match and match.groups() == ("/x/Snakefile", "3")
    require(present, "the location of an error in its text", "causes.py")


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("snakemake.scheduling.job_scheduler", "Trying to restart job {"),
        ("snakemake.workflow", internals.JOBS_FAILED),
        ("snakemake.logging", "f\"Error in rule {msg['rule_name']}:\""),
        ("snakemake.scheduling.job_scheduler", "Exiting because a job execution failed"),
        ("snakemake.scheduling.job_scheduler", "Select jobs to execute..."),
        ("snakemake.scheduling.job_scheduler", "Execute {len(run)} jobs..."),
        ("snakemake.scheduling.job_scheduler", "Finished jobid: {"),
        ("snakemake.scheduling.job_scheduler", "Terminating processes on user request"),
        ("snakemake.scheduling.job_scheduler", "Shutting down, this might take some time."),
        ("snakemake.logging", "Complete log(s): {"),
        ("snakemake.logging", "{done} of {total} steps ("),
        ("snakemake.workflow", "Elapsed time: {"),
        ("snakemake.jobs", "Removing output files of failed job {"),
        ("snakemake.dag", internals.EMPTY_OUTPUT.removesuffix(".")),
        ("snakemake.dag", internals.WRONG_CHECKSUM),
        ("snakemake.script", "snakemake preamble end"),
    ],
)
def test_text_on_the_console_is_printed_by_snakemake(module, text):
    require(text in source(module), f"the text {text!r} in {module}", "causes.py")


@pytest.mark.parametrize(
    ("code", "killed"), [(-signal.SIGKILL, "SIGKILL"), (137, "137"), (1, None)]
)
def test_end_of_a_command_is_reported_as_expected(code, killed):
    text = str(subprocess.CalledProcessError(code, "align reads"))
    match = internals.KILLED.search(text)
    assert (match and (match[1] or match[2])) == killed
    assert internals.QUOTED_COMMAND.sub("It ", text).startswith(("It returned ", "It died "))
    assert bool(internals.EXIT_STATUS.search(text)) is (code > 0)


# ---- what happens when a part is missing ---------------------------------------------------------


@pytest.fixture
def cli(monkeypatch) -> Iterator[Any]:
    """Snakemake's command line module, restored afterwards."""
    module = module_of("snakemake.cli", "warmup.py")
    original = module.get_argument_parser
    yield module
    module.get_argument_parser = original


def test_parser_is_created_once_and_for_profiles_again(cli):
    def create(profiles=None):
        return argparse.ArgumentParser(description=str(profiles))

    cli.get_argument_parser = create
    internals.reuse_parser()
    assert cli.get_argument_parser() is cli.get_argument_parser()
    assert cli.get_argument_parser(profiles=["a"]).description == "['a']"


@pytest.mark.parametrize("replacement", [None, lambda: None, lambda profiles, more: None])
def test_parser_factory_that_changed_is_not_replaced(cli, monkeypatch, replacement):
    monkeypatch.setattr(cli, "get_argument_parser", replacement)
    for step in (internals.load_plugins, internals.reuse_parser):
        with pytest.raises(SnakemakeChanged, match="Snakemake no longer has cli"):
            step()
    assert cli.get_argument_parser is replacement


def test_parser_factory_with_another_result_is_not_replaced(cli, monkeypatch):
    def factory(profiles=None):
        return None

    monkeypatch.setattr(cli, "get_argument_parser", factory)
    with pytest.raises(SnakemakeChanged, match="Snakemake no longer has an ArgumentParser"):
        internals.reuse_parser()
    assert cli.get_argument_parser is factory


def test_command_without_main_is_the_documented_one(cli, monkeypatch):
    ran: list[tuple[str, str, list[str]]] = []
    monkeypatch.delattr(cli, "main")
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setattr(
        runpy,
        "run_module",
        lambda name, run_name, alter_sys: ran.append((name, run_name, sys.argv)),
    )
    internals.run_command(["--version"])
    assert ran == [("snakemake", "__main__", ["snakemake", "--version"])]


def test_other_plugins_are_assumed_where_snakemake_does_not_name_them():
    assert not internals.is_only_logger_plugin(SimpleNamespace())
    assert internals.is_only_logger_plugin(SimpleNamespace(log_handler_settings={"rundesk": None}))


def test_state_of_snakemake_is_restored():
    workflow = module_of("snakemake.workflow", "warmup.py")
    logger = module_of("snakemake.logging", "warmup.py").logger
    handlers, level = logger.handlers[:], logger.level
    with internals.state_restored():
        workflow.added = 1
        logger.addHandler(QueueHandler(Queue()))
        logger.setLevel(logging.CRITICAL)
    assert not hasattr(workflow, "added")
    assert (logger.handlers, logger.level) == (handlers, level)


def test_module_imports_nothing_but_the_standard_library():
    """The portal imports it, and every job of a `run:` rule."""
    code = "import sys; from services.engine import snakemake_internals; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    top = {name.partition(".")[0] for name in done.stdout.split()}
    assert "snakemake" not in top
    assert top - {"services", "__main__"} <= {*sys.stdlib_module_names, *startup_modules()}


def startup_modules() -> set[str]:
    """What Python itself imports at its start, as files of site-packages may have it do."""
    code = "import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_function_that_counts_planned_jobs_is_what_is_replaced():
    dag = module_of("snakemake.dag", "the logger plugin")
    count = inspect.unwrap(dag.DAG.stats)
    require([*inspect.signature(count).parameters] == ["self"], "dag.DAG.stats(self)", "the plugin")
    require(callable(dag.DAG.needrun_jobs), "dag.DAG.needrun_jobs()", "the plugin")
    calls = source("snakemake.workflow")
    require("self.dag.stats()" in calls, "calls of dag.stats() before the jobs", "the plugin")


@pytest.mark.parametrize(
    ("output", "within"),
    [
        ("results/a.txt", True),
        ("../a.txt", False),
        ("/etc/a.txt", False),
        ("results/../../a.txt", False),
        ("results/../a.txt", True),
    ],
)
def test_output_is_within_the_run_directory(tmp_path, monkeypatch, output, within):
    monkeypatch.chdir(tmp_path)
    root = str(tmp_path.resolve())
    assert internals._is_within(output, root) == within
    assert internals._is_within(f"{root}/{output}", root) == (within or output.startswith("/"))
