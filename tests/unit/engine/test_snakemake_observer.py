"""The private parts of Snakemake that the recorder of plans replaces are still there."""

from __future__ import annotations

import inspect

from snakemake import api, cli, exceptions, utils
from snakemake.dag import DAG
from snakemake.workflow import Workflow


def parameters(function: object) -> list[str]:
    return [*inspect.signature(function).parameters]  # type: ignore[arg-type]


def test_workflow_has_the_parts_that_are_observed():
    assert parameters(Workflow.configfile) == ["self", "fp"]
    assert parameters(Workflow.set_pepfile) == ["self", "path"]
    for name in ("__post_init__", "overwrite_configfiles", "current_basedir", "config"):
        assert hasattr(Workflow, name), name
    source = inspect.getsource(Workflow)
    for words in ("self._dag = DAG(", "self.modifier.skip_configfile"):
        assert words in source, words


def test_plan_has_jobs_and_tells_which_would_run():
    assert isinstance(inspect.getattr_static(DAG, "jobs"), property)
    assert parameters(DAG.needrun) == ["self", "job"]


def test_functions_that_report_are_called_by_their_names():
    assert parameters(utils.validate) == ["data", "schema", "set_default"]
    assert parameters(exceptions.MissingInputException.__init__)[:3] == ["self", "job", "files"]
    assert parameters(exceptions.format_exception_to_string) == ["ex", "linemaps"]
    for module in (api, cli):
        assert module.print_exception is exceptions.print_exception
