"""Arrays of objects in a form: a table if they hold single values, else one frame per object."""

from __future__ import annotations

import json

import pytest

from services.models import RunFilter
from tests.helpers.grids import edit, grid

pytestmark = pytest.mark.usefixtures("services")

CONTRAST = {"name": "heat", "against": "mock", "fold": "1.5", "paired": "true"}


@pytest.fixture
def form(portal, services, settings, actor):
    """The form, with its file chosen."""
    with (settings.workflows[0] / "shapes/example/table.tsv").open("rb") as stream:
        file = services.files.register(actor, "mine.tsv", stream)
    session = portal("new", workflow="shapes")
    session.selectbox(key="field-table").set_value(file.id)
    return session


def problems(session):
    texts = [text.value.replace("\\", "") for text in session.markdown]
    return [text for text in texts if text.startswith(":red[:material/error:")]


def params(scenes):
    (run,) = scenes.services.runs.list(scenes.actor, RunFilter()).items
    return run.params


def send(session, rows):
    session.button(key="start").click()
    return edit(session, added=rows)


def test_objects_of_single_values_are_rows_of_a_table(form, scenes):
    columns = json.loads(grid(form).proto.columns)
    assert columns["name"]["label"] == "Name *"
    assert columns["against"]["default"] == "mock"
    choices = [columns[name]["type_config"]["options"] for name in ("against", "paired")]
    values = [{one if isinstance(one, str) else one["value"] for one in many} for many in choices]
    assert values == [{"control", "mock"}, {"true", "false"}]
    session = send(form, [{**CONTRAST, "fold": "0"}, {"name": "<b>"}])
    assert [problem[len(":red[:material/error: ") : -1] for problem in problems(session)] == [
        "Row 1, Fold: Must be at least 1.",
        "Row 2, Against: Required.",
        "Row 2, Name: Does not have the required format.",
    ]
    assert session.error[0].value == "Fix 3 problems before starting: Contrasts."
    session = send(session, [CONTRAST])
    assert not session.exception
    assert params(scenes)["contrasts"] == [
        {"name": "heat", "against": "mock", "fold": 1.5, "paired": True}
    ]


def test_other_objects_have_frames_that_keep_their_values(form, scenes):
    for _ in range(2):
        form.button(key="field-stages-add").click().run()
    assert form.button(key="field-stages-add").disabled  # two are allowed
    form.text_input(key="field-stages.0.tool").set_value("gone")
    form.text_input(key="field-stages.1.tool").set_value("kept")
    form.text_input(key="field-stages.1.trim.to").set_value("4")
    form.button(key="field-stages-remove-0").click().run()
    form.button(key="field-stages-add").click().run()
    assert form.text_input(key="field-stages.1.tool").value == "kept"
    assert form.text_input(key="field-stages.2.tool").value == ""
    form.button(key="start").click().run()
    (problem,) = problems(form)
    assert "Required." in problem
    assert form.error[0].value == "Fix 1 problem before starting: Tool."
    form.text_input(key="field-stages.2.tool").set_value("next").run()
    assert problems(form) == []
    form.button(key="start").click().run()
    assert not form.exception
    assert params(scenes)["stages"] == [{"tool": "kept", "trim": {"to": 4}}, {"tool": "next"}]


def test_run_again_fills_in_arrays(portal, form, scenes):
    form.button(key="field-stages-add").click().run()
    form.text_input(key="field-stages.0.tool").set_value("first")
    send(form, [CONTRAST])
    before = params(scenes)
    (run,) = scenes.services.runs.list(scenes.actor, RunFilter()).items
    session = portal("new", **{"from": run.id})
    assert session.text_input(key="field-stages.0.tool").value == "first"
    assert list(grid(session).value["fold"]) == ["1.5"]
    session.button(key="start").click().run()
    newest, _ = scenes.services.runs.list(scenes.actor, RunFilter()).items
    assert newest.params == before


def test_cleared_values_do_not_become_the_default(form, scenes):
    form.multiselect(key="field-sizes").set_value([])
    form.button(key="start").click().run()
    assert params(scenes)["sizes"] == []
