"""Private parts of Snakemake through which `recorder` watches a plan, checked with version 9.27.

Each function replaces a part by one that reports to a callback and then does the same. Only the
recorder's process calls them, so no run depends on them. `docs/design/private-parts.md` lists them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from services.engine.snakemake_internals import LAZY_MODULES

Planned = tuple[str, list[str], list[str], bool]  # rule, inputs, outputs, whether it would run


def import_for_planning() -> None:
    """Import what a plan needs, so that forked processes have it."""
    for name in (*LAZY_MODULES, "snakemake.dag", "snakemake.utils", "pandas"):
        importlib.import_module(name)


class Observer:
    """Watches the workflow that Snakemake reads in this process."""

    def __init__(self) -> None:
        self._workflow: Any = None

    def observe_configuration(
        self,
        configured: Callable[[str, Mapping[str, Any]], None],
        given_pep: Callable[[str], None],
    ) -> None:
        """Report each configuration file with the configuration after it, and each PEP."""
        from snakemake.workflow import Workflow

        start, configfile, pepfile = (
            Workflow.__post_init__,
            Workflow.configfile,
            Workflow.set_pepfile,
        )

        @wraps(start)
        def starting(workflow: Any, *words: Any, **options: Any) -> None:
            start(workflow, *words, **options)
            if self._workflow is None:
                self._workflow = workflow
                for path in workflow.overwrite_configfiles or ():
                    configured(str(path), workflow.config)

        @wraps(configfile)
        def reading(workflow: Any, path: Any) -> None:
            configfile(workflow, path)
            if workflow is self._workflow and not workflow.modifier.skip_configfile:
                configured(str(path), workflow.config)

        @wraps(pepfile)
        def taking(workflow: Any, path: Any) -> None:
            given_pep(str(path))
            pepfile(workflow, path)

        Workflow.__post_init__ = starting
        Workflow.configfile = reading
        Workflow.set_pepfile = taking

    def observe_validation(
        self, validated: Callable[..., None], filled: Callable[[Mapping[str, Any]], None]
    ) -> None:
        """Report each call of `validate` with its data and the path of its schema.

        Report the configuration again when its defaults were filled in.
        """
        from snakemake import utils

        validate = utils.validate

        @wraps(validate)
        def validating(data: Any, schema: Any, set_default: bool = True) -> None:
            workflow = self._workflow
            path = str(schema)
            if workflow is not None and not Path(path).is_absolute():
                path = str(workflow.current_basedir.join(path).get_path_or_uri(secret_free=True))
            config = getattr(workflow, "config", None)
            same = data is config or (isinstance(data, dict) and data == config)
            validated(data, path, is_config=same)
            validate(data, path, set_default=set_default)
            if same:
                filled(data)

        utils.validate = validating

    def observe_missing_inputs(self, missing: Callable[[Iterator[str]], None]) -> None:
        """Report the missing inputs of each job."""
        from snakemake.exceptions import MissingInputException

        start = MissingInputException.__init__

        @wraps(start)
        def starting(error: Any, job: Any, files: Any, *words: Any, **options: Any) -> None:
            files = list(files)
            missing(map(str, files))
            start(error, job, files, *words, **options)

        MissingInputException.__init__ = starting

    def observe_errors(self, failed: Callable[[BaseException, str], None]) -> None:
        """Report the error that ends Snakemake, with its text as Snakemake prints it."""
        from snakemake import api, cli, exceptions

        for module in (api, cli):
            setattr(module, "print_exception", self._printer(exceptions, failed))  # noqa: B010

    def _printer(self, exceptions: Any, failed: Callable[[BaseException, str], None]) -> Any:
        print_exception = exceptions.print_exception

        @wraps(print_exception)
        def printing(error: BaseException, linemaps: Any = None) -> None:
            try:
                text = str(exceptions.format_exception_to_string(error, linemaps))
            except Exception:  # a syntax error in a file that is included
                text = _located(error)
            failed(error, text)
            print_exception(error, linemaps)

        return printing

    def jobs(self) -> Iterator[Planned]:
        """Yield the jobs of the plan; none without a plan."""
        dag: Any = getattr(self._workflow, "_dag", None)
        for job in () if dag is None else dag.jobs:
            inputs, outputs = list(map(str, job.input)), list(map(str, job.output))
            yield job.rule.name, inputs, outputs, bool(dag.needrun(job))


def _located(error: BaseException) -> str:
    """Return the text of an error with its place, in Snakemake's words."""
    if isinstance(error, SyntaxError) and error.filename:
        return f'SyntaxError in file "{error.filename}", line {error.lineno}:\n{error.msg}'
    return str(error)
