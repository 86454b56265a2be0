"""The configuration of workflows and runs as text: to show, to edit, and to save."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.catalogue import Catalogue, config_files
from services.catalogue.configuration import Broken, Configuration
from services.catalogue.layout import form, snapshot_folder
from services.engine.arguments import own_configuration
from services.engine.staging import run_configuration
from services.errors import Invalid, Message, NotFound
from services.files import Files
from services.models import Actor, Run
from services.params import validation
from services.rundir import RunDir
from services.runs import run_files
from services.runs.samplesheets import Registered
from services.runs.service import Runs
from services.settings import Settings

MAX_EDITED_BYTES = 256 * 1024  # of a file that the form shows as text

WORKFLOW_GONE = Message("gone", "The workflow files of this run are no longer on this server.")
NOT_PREPARED = Message("not_found", "The run has no configuration file yet.")
NO_SUCH_FILE = Message("not_found", "The config folder of the workflow has no file {path}.")
NOT_TEXT = Message("unreadable_file", "{path} is not UTF-8 text, or larger than {limit} bytes.")


@dataclass(frozen=True)
class EditedForm:
    """The form for a text of the configuration, which takes the place of the workflow's own."""

    schema: dict[str, Any]
    params: dict[str, Any]  # the values in the text


class Configurations:
    """Reads and writes configurations; nothing is stored."""

    def __init__(self, settings: Settings, files: Files, workflows: Catalogue, runs: Runs) -> None:
        self._data = settings.data
        self._files = files
        self._workflows = workflows
        self._runs = runs

    def text(self, actor: Actor, workflow: str, params: Mapping[str, Any]) -> str:
        """Return the configuration of a workflow with these parameters as YAML or JSON.

        Files have their ids as values. Raises NotFound.
        """
        self._workflows.get(actor, workflow)
        try:
            return _text(own_configuration(self._workflows.folder(workflow)), params)
        except Broken as error:
            raise NotFound(error.text) from error

    def filled_from(self, actor: Actor, workflow: str, file_id: str) -> str:
        """Return the configuration of a workflow with the values in a registered YAML or JSON file.

        Raises NotFound for the workflow, and Invalid with every value that does not fit, by key.
        """
        values = run_files.config_values(Registered(self._files, actor), file_id)
        try:
            schema = self._workflows.get(actor, workflow).params_schema
            params = validation.check(schema, values)
        except Invalid as error:
            raise run_files.named_by_file(error, {}) from error
        return self.text(actor, workflow, params)

    def edited(self, actor: Actor, workflow: str, text: str) -> EditedForm:
        """Return the form for the text of a configuration.

        Raises NotFound, and Invalid with every value that does not fit the schema of the workflow.
        """
        params = run_files.parameters_in(text, "configuration")
        validation.check_whole(self._workflows.get(actor, workflow).params_schema, params)
        folder = self._workflows.folder(workflow)
        try:
            paths = list(own_configuration(folder).paths)
            replaced = {**dict.fromkeys(paths, ""), paths[-1]: text}
            return EditedForm(form(folder, replaced).schema, params)
        except Broken as error:
            raise Invalid(error.text, field="configuration") from error

    def other_files(self, actor: Actor, workflow: str) -> list[str]:
        """Return the other files of the config folder, which runs may replace. Raises NotFound."""
        return self._workflows.get(actor, workflow).config_files

    def file(self, actor: Actor, workflow: str, path: str = "") -> str:
        """Return the text of a file of the config folder, by default of the configuration.

        Raises NotFound, Invalid.
        """
        if not path:
            schema = self._workflows.get(actor, workflow).params_schema
            return self.text(actor, workflow, validation.defaults(schema))
        if path not in self.other_files(actor, workflow):
            raise NotFound(NO_SUCH_FILE(path=path), field="path")
        place = self._workflows.folder(workflow) / path
        try:
            if place.stat().st_size > MAX_EDITED_BYTES:
                raise ValueError
            return place.read_bytes().decode("utf-8")
        except ValueError:
            text = NOT_TEXT(path=path, limit=MAX_EDITED_BYTES)
            raise Invalid(text, field="path") from None

    def of_run(self, actor: Actor, run_id: str, *, staged: bool = False) -> str:
        """Return the configuration of a run, with the ids of its files as values.

        With `staged` it is what Snakemake reads: files have their paths in the run directory.
        Raises NotFound.
        """
        run = self._runs.get(actor, run_id)
        try:
            configuration = run_configuration(run, snapshot_folder(self._data, run.digest))
        except Broken as error:
            raise NotFound(WORKFLOW_GONE()) from error
        if not configuration.files or not snapshot_folder(self._data, run.digest).is_dir():
            raise NotFound(WORKFLOW_GONE())
        if staged:
            return self._staged(run, configuration)
        return _text(configuration, run.params)

    def _staged(self, run: Run, configuration: Configuration) -> str:
        """Return the merged content of the configuration files in a run directory."""
        root = RunDir.of(self._data, run.id).root
        texts = [_read(root / file.path, root) for file in configuration.files]
        if len(texts) == 1:
            return texts[0]
        values: config_files.Values = {}
        for text in texts:
            config_files.update(values, config_files.parsed(text) or {})
        return config_files.written("", values)


def _text(configuration: Configuration, params: Mapping[str, Any]) -> str:
    texts = configuration.texts(params)
    if len(texts) == 1:
        return next(iter(texts.values()))
    return config_files.written("", config_files.with_values(configuration.values, dict(params)))


def _read(path: Path, root: Path) -> str:
    """Return the text of a file in a run directory, whose jobs could have put a link there."""
    try:
        if not path.parent.resolve().is_relative_to(root.resolve()):
            raise FileNotFoundError
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        raise NotFound(NOT_PREPARED()) from None
