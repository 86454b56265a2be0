"""The form of published workflows: untouched it gives their configuration."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from services.access.actors import local_actor
from services.catalogue import config_files
from services.catalogue.configuration import configuration_of
from services.models import Run, RunFilter

ME = local_actor()
REPOSITORIES = Path(__file__).parents[2] / "data" / "repositories"
NAMES = sorted(path.name for path in REPOSITORIES.iterdir())


@pytest.fixture
def settings(settings):
    return replace(settings, workflows=(REPOSITORIES,))


def form(portal, workflow):
    session = portal("new", workflow=workflow)
    assert not session.exception
    return session


def started(session, services) -> Run:
    """Press Start; return the run."""
    session.button(key="start").click().run()
    runs = services.runs.list(ME, RunFilter()).items
    assert runs, [error.value for error in session.error]
    return services.runs.get(ME, runs[0].id)


@pytest.mark.parametrize("workflow", NAMES)
def test_form_untouched_starts_a_run_with_the_configuration_of_the_workflow(
    portal, services, workflow
):
    run = started(form(portal, workflow), services)
    expected = configuration_of(REPOSITORIES / workflow).params
    assert config_files.same(run.params, expected)


def test_form_shows_a_switch_as_the_configuration_has_it(portal, services):
    session = form(portal, "config-values-lost")
    assert session.toggle(key="field-trimming.activate").value is True
    session.toggle(key="field-trimming.activate").set_value(False)
    session.text_input(key="field-trimming.quality").set_value("30")
    params = started(session, services).params
    assert params["trimming"] == {"activate": False, "quality": 30}


def test_form_of_inferred_values_takes_numbers_as_numbers(portal, services):
    session = form(portal, "inferred-types")
    session.text_input(key="field-alpha").set_value("0.05")
    session.text_input(key="field-limit").set_value("5")
    params = started(session, services).params
    assert (params["alpha"], params["limit"]) == (0.05, 5)


def test_form_of_named_entries_removes_one_and_adds_another(portal, services):
    session = form(portal, "mapping-cannot-shrink")
    assert session.text_input(key="field-contrasts-name-0").value == "example_contrast"
    session.button(key="field-contrasts-remove-0").click().run()
    session.button(key="field-contrasts-add").click().run()
    session.text_input(key="field-contrasts-name-1").set_value("mine")
    session.text_input(key="field-contrasts.1.of").set_value("a")
    session.text_input(key="field-contrasts.1.to").set_value("b").run()
    assert started(session, services).params == {"contrasts": {"mine": {"of": "a", "to": "b"}}}


@pytest.mark.parametrize(
    ("name", "words"), [("", "Give each entry a name."), ("same", "Two entries are named same.")]
)
def test_form_of_named_entries_refuses_names_that_cannot_be(portal, services, name, words):
    session = form(portal, "mapping-cannot-shrink")
    session.button(key="field-contrasts-add").click().run()
    session.text_input(key="field-contrasts-name-0").set_value("same")
    session.text_input(key="field-contrasts-name-1").set_value(name).run()
    session.button(key="start").click().run()
    said = [block.value for block in session.markdown]
    assert any(words.rstrip(".") in one for one in said), said
    assert services.runs.list(ME, RunFilter()).items == []


def configuration_field(session):
    return next(area for area in session.text_area if area.key.startswith("config-text-"))


def test_configuration_file_shows_the_values_of_the_form_and_its_comments(portal, services):
    session = form(portal, "configfile-elsewhere")
    session.text_input(key="field-threshold").set_value("8").run()
    assert configuration_field(session).value == "threshold: 8\n"


def test_configuration_file_edited_as_text_fills_the_form_and_is_what_the_run_reads(
    portal, services
):
    session = form(portal, "keys-beyond-schema")
    text = "samples: [C]\nparams:\n  threshold: 4\nadded: {deep: yes}\n"
    configuration_field(session).set_value(text)
    session.button(key="use-configuration").click().run()
    assert session.text_input(key="field-params.threshold").value == "4"
    assert session.toggle(key="field-added.deep").value is True
    run = started(session, services)
    assert (run.complete, run.params) == (
        True,
        {"samples": ["C"], "params": {"threshold": 4}, "added": {"deep": True}},
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [("samples: 3\n", "samples"), ("a: b: c\n", "cannot be read"), ("- 1\n", "must contain names")],
)
def test_configuration_file_with_a_mistake_is_refused_by_key(portal, services, text, words):
    session = form(portal, "keys-beyond-schema")
    configuration_field(session).set_value(text)
    session.button(key="use-configuration").click().run()
    assert any(":red[" in block.value and words in block.value for block in session.markdown)
    assert session.text_input(key="field-params.threshold").value == "3"


def test_registered_file_fills_the_form_and_what_does_not_fit_is_named_by_key(portal, services):
    good = services.files.register(ME, "mine.yaml", io.BytesIO(b"background: 9\n"))
    bad = services.files.register(ME, "bad.yaml", io.BytesIO(b"backgrounds: 9\nsamples: 1\n"))
    session = form(portal, "keys-beyond-schema")
    session.selectbox(key="chosen-configuration").set_value(bad.id).run()
    session.button(key="fill-from-file").click().run()
    said = " ".join(block.value for block in session.markdown if ":red[" in block.value)
    assert "**backgrounds**" in said
    assert "**samples**" in said
    session.selectbox(key="chosen-configuration").set_value(good.id).run()
    session.button(key="fill-from-file").click().run()
    params = started(session, services).params
    assert (params["background"], params["params"]) == (9, {"threshold": 3})
