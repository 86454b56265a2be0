"""Hosts that execute runs, and the runs of a lost one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.admin.hosts import Hosts
from services.errors import Conflict, NotFound, TransitionRefused
from services.models import CauseKind, State
from tests.helpers.runs import LEASE, NOW, add_run, claim_run

LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def hosts(database):
    database.hosts.remove("host")
    database.hosts.beat("host", now=NOW)
    return Hosts(database, lambda: LATER)


def test_hosts_are_listed_with_their_runs(hosts, database):
    add_run(database.runs)
    claim_run(database.queue)
    database.hosts.beat("other", now=LATER, reason="Low disk space.")
    listed = [(host.name, host.reason, runs) for host, runs in hosts.list()]
    assert listed == [("host", "", 1), ("other", "Low disk space.", 0)]


def test_runs_of_a_lost_host_return_to_the_queue_and_its_writes_are_refused(hosts, database):
    run, canceled = (add_run(database.runs, name) for name in ("kept", "canceled"))
    for _ in range(2):
        claim_run(database.queue)
    database.runs.start(run.id, 1, now=NOW)
    database.runs.move(canceled.id, State.CANCELING, now=NOW)
    assert hosts.lose("host") == 2
    again = database.runs.get(run.id, None)
    assert again.state is State.QUEUED
    assert again.attempts[0].cause.kind is CauseKind.HOST_LOST
    assert database.runs.get(canceled.id, None).state is State.CANCELED
    with pytest.raises(TransitionRefused):
        database.queue.renew(run.id, 1, now=LATER, lease=LEASE)
    with pytest.raises(TransitionRefused):
        database.runs.end(run.id, 1, State.COMPLETE, now=LATER)
    assert database.queue.claim(host="other", now=LATER, lease=LEASE).attempt == 2
    with pytest.raises(TransitionRefused):
        database.runs.end(run.id, 1, State.COMPLETE, now=LATER)
    assert [host.name for host, _ in hosts.list()] == ["other"]


def test_host_whose_runner_is_alive_is_not_lost(hosts, database):
    database.hosts.beat("host", now=LATER - timedelta(seconds=7))
    with pytest.raises(Conflict, match="was alive 7 s ago"):
        hosts.lose("host")


def test_unknown_host_is_refused(hosts):
    with pytest.raises(NotFound, match="There is no host typo"):
        hosts.lose("typo")
