from __future__ import annotations

import pytest

from services.errors import NotFound
from services.models import RunFilter, State

pytestmark = pytest.mark.usefixtures("services")

HOSTILE = "![x](http://evil.example/x.png) <b> :material/delete:"


def more(session, choice):
    return session.menu_button(key="more").click(choice).run()


def confirm(session, choice, key):
    """Press a button of the dialog, which a browser keeps open and AppTest draws once."""
    session.menu_button(key="more").click(choice)
    return session.button(key=key).click().run()


def texts(session):
    return [text.value for text in (*session.title, *session.markdown, *session.caption)]


def pick(session, *rows):
    """Tick rows of the list."""
    chosen = {"selection": {"rows": list(rows), "columns": [], "cells": []}}
    session.session_state["runs"] = chosen
    return session.run()


def toast(session):
    (shown,) = session.toast
    return shown.value


# ---- one run ----------------------------------------------------------------------------------


def test_rename_and_tag(portal, scenes):
    run = scenes.complete(name="old", tags=["a"])
    session = more(portal("run", id=run.id), "rename")
    assert session.text_input(key="new-name").value == "old"
    session.text_input(key="new-name").set_value(HOSTILE)
    session.multiselect(key="new-tags").set_value([])
    confirm(session, "rename", "rename-yes")
    assert not session.exception
    changed = scenes.services.runs.get(scenes.actor, run.id)
    assert (changed.name, changed.tags) == (HOSTILE, [])
    assert session.title[0].value.replace("\\", "").replace("\u2060", "") == HOSTILE


def test_share_shows_an_address_that_opens_the_run(portal, scenes):
    run = scenes.running()
    session = more(portal("run", id=run.id), "share")
    address = f"{scenes.services.settings.public_portal_url}/run?id={run.id}"
    assert address in [code.value for code in session.code]


def test_delete_asks_first_and_then_deletes(portal, scenes):
    run = scenes.complete(name=HOSTILE)
    session = more(portal("run", id=run.id), "delete")
    assert scenes.services.runs.get(scenes.actor, run.id).state is State.COMPLETE
    confirm(session, "delete", "delete-yes")
    assert session.title[0].value == "Runs"
    assert toast(session).startswith("Deleted")
    assert "![" not in toast(session)
    with pytest.raises(NotFound):
        scenes.services.runs.get(scenes.actor, run.id)


def test_delete_is_offered_only_for_finished_runs(portal, scenes):
    running, done = scenes.running(), scenes.canceled()
    assert portal("run", id=running.id).menu_button(key="more").options == [
        ":material/edit: Rename or tag",
        ":material/link: Share",
    ]
    assert len(portal("run", id=done.id).menu_button(key="more").options) == 3


def test_all_results_come_as_one_zip(portal, scenes):
    run = scenes.complete({"a.txt": "1", "b,c.txt": "2"})
    session = portal("run", id=run.id, tab="Results")
    links = {link.proto.label: link.proto.url for link in session.get("link_button")}
    assert f"/api/v1/runs/{run.id}/results.zip?" in links["Download all"]
    assert f"/api/v1/runs/{run.id}/crate?" in links["RO-Crate"]
    assert f"/api/v1/runs/{run.id}/snakemake-report?" in links["Snakemake report"]
    session.session_state["files"] = {"selection": {"rows": [1], "columns": [], "cells": []}}
    session.run()
    links = {link.proto.label: link.proto.url for link in session.get("link_button")}
    assert "paths=results%2Fb%2Cc.txt&" in links["Download 1 file (1 B)"]


def test_invalid_tag_shows_a_problem_and_is_kept(portal, scenes):
    run = scenes.complete(tags=["a"])
    session = more(portal("run", id=run.id), "rename")
    session.multiselect(key="new-tags").set_value(["a", "x" * 65])
    confirm(session, "rename", "rename-yes")
    assert session.error[0].value.replace("\\", "") == "Must have at most 64 characters."
    assert session.multiselect(key="new-tags").value == ["a", "x" * 65]
    assert scenes.services.runs.get(scenes.actor, run.id).tags == ["a"]


# ---- several runs -----------------------------------------------------------------------------


def test_several_runs_are_deleted_after_a_question(portal, scenes):
    done, failed, running = scenes.complete(name="x"), scenes.failed(name="y"), scenes.running()
    session = pick(portal(), 0, 1, 2)
    assert "**3 runs selected**" in texts(session)
    session.button(key="pick-delete").click().run()
    shown = " ".join(texts(session))
    assert "This permanently deletes 2 runs with their results and logs." in shown
    assert "1 other selected run has not finished and is kept." in shown
    assert len(scenes.services.runs.list(scenes.actor, RunFilter()).items) == 3
    session.button(key="all-delete-yes").click().run()
    assert toast(session) == "2 runs were deleted."
    left = scenes.services.runs.list(scenes.actor, RunFilter()).items
    assert [run.id for run in left] == [running.id]
    assert not any("selected" in text for text in texts(session))
    assert {done.id, failed.id}.isdisjoint(run.id for run in left)


def test_several_runs_are_canceled_and_refusals_are_shown(portal, scenes):
    first, second = scenes.waiting(name="one"), scenes.waiting(name=HOSTILE)
    session = pick(portal(), 0, 1)
    session.button(key="pick-cancel").click().run()
    scenes.services.runs.cancel(scenes.actor, second.id)
    session.button(key="all-cancel-yes").click().run()
    text = toast(session)
    assert text.startswith("1 run was canceled.")
    assert "1 run could not be canceled:" in text
    assert "The run has already finished" in text
    assert "![" not in text
    assert scenes.services.runs.get(scenes.actor, first.id).state is State.CANCELED


def test_several_runs_are_downloaded_as_one_zip(portal, scenes):
    done = scenes.complete()
    scenes.failed()
    session = pick(portal(), 0, 1)
    (link,) = session.get("link_button")
    assert f"/api/v1/results.zip?run={done.id}&" in link.proto.url


def test_selected_runs_stay_in_their_rows(portal, scenes):
    scenes.complete(name="first")
    session = pick(portal(), 0)
    scenes.waiting(name="came in since")
    session.run()
    table = next(found for found in session.dataframe if found.key == "runs")
    assert list(table.value["Name"]) == ["first"]
    session.button(key="pick-clear").click().run()
    table = next(found for found in session.dataframe if found.key == "runs")
    assert list(table.value["Name"]) == ["came in since", "first"]
