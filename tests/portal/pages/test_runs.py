from __future__ import annotations

import pytest

from services.models import RunFilter
from ui.pages import runs

pytestmark = pytest.mark.usefixtures("services")


def names(session):
    table = next((t for t in session.dataframe if t.key == "runs"), None)
    return [] if table is None else list(table.value["Name"])


def counters(session):
    return {metric.label.split()[-1]: metric.value for metric in session.metric}


def test_empty_list_offers_the_examples(portal, services, actor):
    session = portal()
    assert not session.exception
    assert "Welcome" in session.markdown[0].value
    assert not session.dataframe
    session.button(key="example-welcome-sequence-search").click().run()
    assert not session.exception
    (run,) = services.runs.list(actor, RunFilter()).items
    assert (run.workflow, len(run.inputs)) == ("sequence-search", 2)
    assert session.title[0].value.replace("\\", "") == run.name
    assert session.query_params["id"] == run.id


def test_list_shows_every_state_in_plain_words(portal, scenes):
    scenes.complete(name="one")
    scenes.failed(name="two", tags=["pilot"])
    scenes.lost(name="three")
    scenes.canceled(name="four")
    scenes.canceling(name="five")
    scenes.running(name="six")
    scenes.starting(name="seven")
    scenes.waiting(name="eight")
    session = portal()
    table = session.dataframe[0].value
    assert list(table["Name"]) == ["eight", "seven", "six", "five", "four", "three", "two", "one"]
    assert [cell[0] for cell in table["State"]] == [
        "Waiting",
        "Starting",
        "Running",
        "Stopping",
        "Canceled",
        "System error",
        "Failed",
        "Done",
    ]
    assert list(table["Tags"][6]) == ["pilot"]
    assert table["Progress"][2] == 0.5
    assert table["Time"][0] == "#1 in queue, starts in a few seconds"
    assert table["Time"][2].endswith(" s, longer than usual")
    assert "Owner" not in list(session.dataframe[0].proto.column_order)
    assert counters(session) == {"Running": "3", "Waiting": "1", "Done": "1", "Failed": "2"}
    running, *others = [metric.delta for metric in session.metric]
    assert running.endswith(" busy")
    assert others == ["Next starts in a few seconds", "33% succeeded", "Can be resumed"]
    by_keyboard = session.selectbox(key="runs-list")
    assert by_keyboard.options[:2] == ["eight, Waiting", "seven, Starting"]
    by_keyboard.select_index(1).run()
    assert session.title[0].value == "seven"


def test_filters_come_from_the_url(portal, scenes):
    scenes.complete(name="one", tags=["pilot"])
    scenes.failed(name="two")
    scenes.waiting(workflow="shapes", name="three")
    assert names(portal(state="Failed")) == ["two"]
    assert names(portal(state=["Failed", "Done"])) == ["two", "one"]
    assert names(portal(q="PILOT")) == ["one"]
    assert names(portal(flow="Shapes *of* fields")) == ["three"]
    session = portal(q="nothing like it")
    assert names(session) == []
    assert any("No matching runs" in text.value for text in session.markdown)
    session.text_input(key="q").set_value("two").run()
    assert names(session) == ["two"]


def test_unknown_values_in_the_url_are_ignored(portal, scenes):
    scenes.complete(name="one")
    for query in ({"state": "Nonsense"}, {"flow": "none"}, {"after": "not-a-token"}):
        session = portal(**query)
        assert not session.exception
        assert names(session) == ["one"]


def test_older_runs_are_on_the_next_page(portal, scenes, monkeypatch):
    monkeypatch.setattr(runs, "PAGE_SIZE", 2)
    for name in ("one", "two", "three"):
        scenes.waiting(name=name)
    session = portal()
    assert names(session) == ["three", "two"]
    session.button(key="older").click().run()
    assert names(session) == ["one"]
    session.button(key="newest").click().run()
    assert names(session) == ["three", "two"]
    assert "after" not in session.query_params


def test_clicked_row_opens_the_run_that_was_drawn_there(portal, scenes):
    first = scenes.waiting(name="first")
    session = portal()
    scenes.waiting(name="came in since")
    chosen = {"selection": {"rows": [], "columns": [], "cells": [(0, "Name")]}}
    session.session_state["runs"] = chosen
    session.run()
    assert session.title[0].value == "first"
    assert session.query_params["id"] == first.id


def test_list_without_live_runs_polls_slowly(portal, scenes):
    run = scenes.waiting()
    session = portal()
    assert session.session_state["live"] is True
    scenes.services.runs.cancel(scenes.actor, run.id)
    assert session.run().session_state["live"] is False
