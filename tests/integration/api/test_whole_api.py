"""Queue, limits, statistics, many runs at once, a run again, its report."""

from __future__ import annotations

import pytest

from services.access.actors import local_actor
from services.database import paging
from services.models import Actor, RunFilter, RunRequest, State
from tests.helpers.api import finished_run, refused

SETTINGS = {"max_runs": 2, "cores": 4}  # of module_services
RESULTS = {"results/hits.tsv": "a\tb\n", "results/report.html": "<!doctype html><p>Report"}


@pytest.fixture(scope="module", autouse=True)
def over(services):
    """A finished run; created first, because it takes the first run of the queue."""
    return finished_run(services, local_actor(), RESULTS)


def data(reply):
    assert reply.status_code < 300, reply.text
    return reply.get_json()["data"]


def submit(services, owner="local", **given):
    request = RunRequest(workflow="demo", example=True, **given)
    return services.runs.submit(Actor(id=owner), request)


def test_state_of_many_runs_in_one_request(services, client, over):
    waiting, anns = submit(services), submit(services, "ann")
    asked = f"id={over.id},{waiting.id}&id={'0' * 24}"
    found = {run["id"]: run["state"] for run in data(client.get(f"/api/v1/runs?{asked}"))["items"]}
    assert found == {over.id: "COMPLETE", waiting.id: "QUEUED"}
    only = data(client.get(f"/api/v1/runs?{asked}&state=QUEUED"))["items"]
    assert [run["id"] for run in only] == [waiting.id]
    page = services.runs.list(Actor(id="ben"), RunFilter(id=[anns.id]))
    assert page.items == []
    assert "query.id.0" in refused(client.get("/api/v1/runs?id=x"), 400, 40001)
    many = ",".join(["0" * 24] * 201)
    assert "query.id" in refused(client.get(f"/api/v1/runs?id={many}"), 400, 40001)


def test_run_again_is_a_new_run_of_the_same(services, client):
    first = submit(services, name="First", tags=["t"], retries=2)
    reply = client.post(f"/api/v1/runs/{first.id}/again", headers={"Idempotency-Key": "again"})
    again = data(reply)
    assert (reply.status_code, reply.headers["Location"]) == (201, f"/api/v1/runs/{again['id']}")
    assert again["id"] != first.id
    kept = first.model_dump(mode="json")
    for name in ("name", "tags", "params", "inputs", "retries", "workflow"):
        assert again[name] == kept[name]
    assert (
        data(client.post(f"/api/v1/runs/{first.id}/again", headers={"Idempotency-Key": "again"}))[
            "id"
        ]
        == again["id"]
    )
    refused(client.post(f"/api/v1/runs/{'0' * 24}/again"), 404, 40400)


def test_report_is_shown_in_a_sandbox(services, client, over):
    reply = client.get(f"/api/v1/runs/{over.id}/report")
    assert (reply.status_code, reply.text) == (200, RESULTS["results/report.html"])
    assert reply.headers["Content-Security-Policy"].startswith("sandbox ")
    refused(client.get(f"/api/v1/runs/{submit(services).id}/report"), 404, 40402)


def test_queue_limits_and_statistics(services, client):
    before = data(client.get("/api/v1/queue"))
    submit(services)
    line = data(client.get("/api/v1/queue"))
    assert line == {**before, "waiting": before["waiting"] + 1}
    assert (line["places"], line["cores"], line["working"], line["taken"]) == (2, 4, 0, 0)

    limits = data(client.get("/api/v1/limits"))
    assert limits["upload_bytes"] == services.files.max_bytes
    assert (limits["runs"], limits["runs_per_owner"], limits["seconds_per_attempt"]) == (
        2,
        None,
        None,
    )

    counted = data(client.get("/api/v1/statistics"))
    whole = services.runs.counts(local_actor())
    assert counted["runs"] == {state.value: whole[state] for state in State}
    (demo,) = counted["workflows"]
    assert (demo["workflow"], demo["runs"]) == ("demo", counted["runs"])
    assert demo["seconds"] >= 0
    assert services.installation.statistics(Actor(id="nobody")).workflows == []


def test_list_filter_with_brackets_is_read_as_a_list(services, client, over):
    waiting = submit(services)
    asked = f"id[]={over.id}&id%5B%5D={waiting.id}"
    found = {run["id"] for run in data(client.get(f"/api/v1/runs?{asked}"))["items"]}
    assert found == {over.id, waiting.id}
    both = data(client.get(f"/api/v1/runs?id={over.id}&id[]={waiting.id}"))["items"]
    assert {run["id"] for run in both} == found
    assert "query.text[]" in refused(client.get("/api/v1/runs?text[]=x"), 400)


def test_list_filter_that_is_empty_is_absent(services, client):
    every = data(client.get("/api/v1/runs"))["items"]
    for asked in ("state=", "state[]=", "id=&state=&owner=&text=&after="):
        assert data(client.get(f"/api/v1/runs?{asked}"))["items"] == every
    assert "query.state.0" in refused(client.get("/api/v1/runs?state=none"), 400)
    assert "query.after" in refused(client.get("/api/v1/runs?after=&after="), 400)
    assert "query.limit" in refused(client.get("/api/v1/runs?limit="), 400)
    assert "query.file" in refused(client.get("/api/v1/runs?file="), 400)


def test_list_has_totals_tags_dates_order_and_summaries(services, client):
    made = [submit(services, name=f"tagged {n}", tags=["a", f"t{n}"]) for n in range(3)]
    ids = [run.id for run in made]

    def found(asked):
        return data(client.get(f"/api/v1/runs?tag=a&{asked}"))

    page = found("limit=2")
    assert [run["id"] for run in page["items"]] == ids[:0:-1]
    assert (page["total"], page["total_capped"]) == (3, False)
    rest = found(f"limit=2&after={page['next']}")
    assert ([run["id"] for run in rest["items"]], rest["total"]) == (ids[:1], 3)
    page = found("limit=2&sort=created")
    assert [run["id"] for run in page["items"]] == ids[:2]
    rest = found(f"limit=2&sort=created&after={page['next']}")
    assert [run["id"] for run in rest["items"]] == ids[2:]
    assert [run["id"] for run in found("tag=t1")["items"]] == [ids[1]]
    middle = made[1].created.isoformat().replace("+00:00", "Z")
    assert [run["id"] for run in found(f"since={middle}&sort=created")["items"]] == ids[1:]
    assert [run["id"] for run in found(f"until={middle}")["items"]] == ids[:1]
    (run,) = found("tag=t2&view=summary")["items"]
    assert (run["name"], run["params"], run["inputs"], run["history"]) == ("tagged 2", {}, [], [])
    assert "query.sort" in refused(client.get("/api/v1/runs?sort=name"), 400)
    assert "query.since" in refused(client.get("/api/v1/runs?since=yesterday"), 400)


def test_total_is_capped_where_counting_takes_long(services, client, monkeypatch):
    monkeypatch.setattr(paging, "MAX_COUNTED", 1)
    for _ in range(3):
        submit(services, tags=["capped"])
    page = data(client.get("/api/v1/runs?tag=capped&limit=1"))
    assert (page["total"], page["total_capped"]) == (1, True)
