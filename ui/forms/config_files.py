"""The configuration of a workflow as files: the last tabs of the form of a new run."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import streamlit as st

from services.errors import Invalid, NotFound, RundeskError
from services.models import Run, Workflow
from services.params import validation
from ui import context
from ui.formatting import plain, sentences
from ui.forms import file_fields, form_state
from ui.forms.form_state import keep, restore
from ui.forms.form_values import Form

EDITED = "edited-configuration"  # in the session: the text that takes the place of the file
TEXT, FILE = "config-text-", "config-file-"  # before the keys of the fields of the tabs
CHOSEN = "chosen-configuration"  # key of the field for a file of the user
CONFIG_NAME = r"\.(ya?ml|json)$"
MAX_FILES = 50  # of a config folder that can be edited in the form


@dataclass
class Replaced:
    """What takes the place of files of the config folder."""

    ids: dict[str, str] = field(default_factory=dict)  # path → id of a registered file
    texts: dict[str, str] = field(default_factory=dict)  # path → edited text

    def registered(self) -> dict[str, str]:
        """Register edited texts as files of the user, and return the ids of all, by path."""
        files, actor = context.services().files, context.actor()
        made = {
            path: files.register(actor, PurePosixPath(path).name, io.BytesIO(text.encode())).id
            for path, text in self.texts.items()
        }
        return self.ids | made


def begin(workflow: Workflow, run: Run | None) -> None:
    """Start a new form: with the text of a run whose whole configuration was given."""
    st.session_state.pop(EDITED, None)
    if run is not None and run.complete:
        service = context.services().configurations
        try:
            _use(workflow, service.of_run(context.actor(), run.id))
        except RundeskError as error:
            context.flash(plain(error.message))


def schema_of(workflow: Workflow) -> dict[str, Any]:
    """Return the schema of the form: that of the edited text, or of the workflow."""
    edited = st.session_state.get(EDITED)
    return edited[1] if edited else workflow.params_schema


def request_fields(workflow: Workflow, form: Form) -> dict[str, Any]:
    """Return the parameters as fields of a RunRequest."""
    if st.session_state.get(EDITED) is None:
        return {"params": form.values}
    params = validation.filled(schema_of(workflow), form.values)
    return {"params": params, "complete": True}


def draw_text(workflow: Workflow, form: Form) -> None:
    """Draw the configuration file with the values of the form, to be edited as text."""
    st.caption("The configuration that the run reads. Files are named by their ids.")
    service = context.services().configurations
    params = validation.filled(schema_of(workflow), form.values)
    text = service.text(context.actor(), workflow.name, params)
    key = TEXT + hashlib.sha256(text.encode()).hexdigest()[:16]
    typed = st.text_area(
        "Configuration", value=text, key=key, height=420, label_visibility="collapsed"
    )
    _draw_chooser(workflow)
    with st.container(horizontal=True):
        if st.button(
            "Use this text",
            key="use-configuration",
            icon=":material/check:",
            help="Checks the text and fills the form with it.",
            disabled=not context.may_change(),
        ):
            _check_and_use(workflow, lambda: typed)
        st.download_button(
            "Download",
            data=typed.encode,  # a file for each text would end with the next one
            file_name=f"{workflow.name}.yaml",
            mime="text/plain",
            key="download-configuration",
            icon=":material/download:",
            on_click="ignore",
        )
        if st.session_state.get(EDITED) is not None and st.button(
            "Back to the configuration of the workflow",
            key="reset-configuration",
            icon=":material/undo:",
            type="tertiary",
        ):
            st.session_state.pop(EDITED)
            form_state.forget()
            st.rerun()


def _draw_chooser(workflow: Workflow) -> None:
    """Draw a field for a file of the user, and a button that fills the form with it."""
    common = {
        "label": "Configuration file of yours",
        "key": CHOSEN,
        "help": "YAML or JSON. Settings that it does not have keep the values of the workflow.",
    }
    chosen, _ = file_fields.draw_single(None, CONFIG_NAME, common)
    if chosen and st.button("Fill the form from this file", key="fill-from-file"):
        service = context.services().configurations
        _check_and_use(
            workflow, lambda: service.filled_from(context.actor(), workflow.name, chosen)
        )


def _check_and_use(workflow: Workflow, read: Callable[[], str]) -> None:
    """Fill the form with a text, or draw what is wrong with it."""
    try:
        _use(workflow, read())
    except Invalid as error:
        for problem in error.problems or ():
            name = problem.field.partition(".")[2]
            said = sentences(problem.message, problem.hint)
            st.markdown(f":red[:material/error: **{plain(name)}** {plain(said)}]")
        if not error.problems:
            st.markdown(f":red[:material/error: {plain(sentences(error.message, error.hint))}]")
        return
    form_state.forget()
    st.rerun()


def _use(workflow: Workflow, text: str) -> None:
    edited = context.services().configurations.edited(context.actor(), workflow.name, text)
    st.session_state[EDITED] = (text, edited.schema)


def draw_files(workflow: Workflow) -> Replaced:
    """Draw the other files of the config folder; return what takes their place in the run."""
    replaced = Replaced()
    if workflow.config_files:
        st.caption("Files of the config folder. What you change here applies to this run only.")
    for path in workflow.config_files[:MAX_FILES]:
        key = FILE + path
        with st.expander(plain(path), key=f"expander-{key}"):
            chosen, _ = file_fields.draw_single(
                None,
                None,
                {"label": f"File in place of {plain(path)}", "key": key, "help": None},
            )
            keep(key)
            if chosen:
                replaced.ids[path] = chosen
                continue
            if (text := _own_text(workflow, path)) is None:
                continue
            own = f"{key}-text"
            typed = st.text_area(
                f"Content of {plain(path)}", value=restore(own, text), key=own, height=300
            )
            keep(own)
            if typed != text:
                replaced.texts[path] = typed
    return replaced


def _own_text(workflow: Workflow, path: str) -> str | None:
    try:
        return context.services().configurations.file(context.actor(), workflow.name, path)
    except (Invalid, NotFound) as error:
        st.caption(plain(error.message))
        return None
