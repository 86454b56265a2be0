"""Portal and API are two faces of one function: what one shows of a run, the other shows."""

from __future__ import annotations

import json

import pytest

from services.runs import Runs
from tests.helpers.api import client_of
from ui import context


@pytest.mark.parametrize("scene", ["waiting", "running", "complete", "failed", "canceled"])
def test_page_and_api_show_the_same_run_field_by_field(portal, scenes, monkeypatch, scene):
    run_id = getattr(scenes, scene)(tags=["pilot"]).id
    returned = []
    get = Runs.get

    def noted(*args):
        returned.append(get(*args))
        return returned[-1]

    monkeypatch.setattr(Runs, "get", noted)
    session = portal("run", id=run_id)
    assert not session.exception
    on_page = next(run for run in returned if run.id == run_id)
    returned.clear()

    reply = client_of(context.services()).get(f"/api/v1/runs/{run_id}")
    assert returned == [on_page]
    assert reply.get_json()["data"] == json.loads(on_page.model_dump_json())
