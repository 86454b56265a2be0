"""The queue on a real database: order, claims and leases."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from pymongo import MongoClient

from services.database.queue import ORDER
from services.models import State
from tests.helpers.runs import LEASE, NOW, add_run, claim_run


@pytest.fixture
def store(database):
    return database.runs


@pytest.fixture
def queue(database):
    return database.queue


def test_claim_takes_the_oldest_and_starts_attempt_one(store, queue):
    first, _ = add_run(store, "a"), add_run(store, "b")
    taken = claim_run(queue)
    assert (taken.run.id, taken.attempt) == (first.id, 1)
    assert taken.run.state is State.INITIALIZING
    assert taken.run.attempts[0].host == "host"


def test_claim_of_an_empty_queue_is_none(store, queue):
    assert claim_run(queue) is None


def test_claim_skips_runs_that_need_more_cores(store, queue):
    add_run(store, "wide", cores=8)
    narrow = add_run(store, "narrow", cores=2)
    assert claim_run(queue, cores=4).run.id == narrow.id
    assert claim_run(queue, cores=4) is None


def test_claim_by_concurrent_threads_returns_each_run_once(store, queue):
    for number in range(60):
        add_run(store, str(number))
    taken, lock = [], threading.Lock()

    def work():
        while mine := claim_run(queue):
            with lock:
                taken.append(mine.run.id)

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(taken) == len(set(taken)) == 60


def test_usage_and_leases_count_live_runs_only(store, queue):
    for cores in (1, 2, 4):
        add_run(store, cores=cores)
    first, second = claim_run(queue), claim_run(queue)
    store.end(first.run.id, 1, State.COMPLETE, now=NOW)
    assert (queue.usage(host="host").runs, queue.usage(host="host").cores) == (1, 2)
    (lease,) = queue.leases()
    assert (lease.run_id, lease.host, lease.until) == (second.run.id, "host", NOW + LEASE)


def test_renew_returns_canceling_when_the_run_should_stop(store, queue):
    add_run(store)
    taken = claim_run(queue)
    later = NOW + timedelta(minutes=1)
    assert queue.renew(taken.run.id, 1, now=later, lease=LEASE) is State.INITIALIZING
    store.move(taken.run.id, State.CANCELING, now=NOW)
    assert queue.renew(taken.run.id, 1, now=later, lease=LEASE) is State.CANCELING
    assert queue.leases()[0].until == later + LEASE


def test_claim_serves_owners_in_turn(store, queue):
    for number in range(3):
        add_run(store, f"a{number}", owner="ann")
    for number in range(2):
        add_run(store, f"b{number}", owner="ben")
    order = [claim_run(queue).run.name for _ in range(5)]
    assert order == ["a0", "b0", "a1", "b1", "a2"]


def test_claim_serves_a_new_owner_before_the_end_of_the_queue(store, queue):
    for number in range(5):
        add_run(store, f"a{number}", owner="ann")
    assert [claim_run(queue).run.name for _ in range(3)] == ["a0", "a1", "a2"]
    add_run(store, "b0", owner="ben")
    add_run(store, "b1", owner="ben")
    order = [claim_run(queue).run.name for _ in range(4)]
    assert order == ["a3", "b0", "a4", "b1"]


def test_requeue_ranks_last_among_the_runs_of_the_owner(store, queue):
    first = add_run(store, "a0")
    claim_run(queue)
    store.end(first.id, 1, State.CANCELED, now=NOW)
    add_run(store, "a1")
    store.requeue(first, now=NOW, note="n")
    assert [claim_run(queue).run.name for _ in range(2)] == ["a1", "a0"]


def names(queue, number: int, **limits) -> list[str]:
    """Claim runs one after the other; return their names."""
    taken = [claim_run(queue, **limits) for _ in range(number)]
    return [claim.run.name if claim else "" for claim in taken]


def test_claim_skips_owners_at_their_limit(store, queue):
    add_run(store, "a", owner="ann")
    add_run(store, "b", owner="ben")
    add_run(store, "c", owner="cy")
    assert names(queue, 2, passing=["ann", "ben"]) == ["c", ""]
    assert names(queue, 2, passing=["ann"]) == ["b", ""]


def test_claim_takes_the_highest_priority_first(store, queue):
    for name, priority in (("low", -1), ("usual", 0), ("high", 3), ("later", 3)):
        add_run(store, name, priority=priority)
    assert names(queue, 4) == ["high", "later", "usual", "low"]


def test_claim_ignores_runs_of_lower_priority_when_owners_take_turns(store, queue):
    for number in range(3):
        add_run(store, f"idle{number}", priority=-10)
    add_run(store, "b0", owner="ben")
    add_run(store, "b1", owner="ben")
    add_run(store, "a0")
    assert names(queue, 3) == ["b0", "a0", "b1"]


def test_usage_counts_the_runs_of_each_owner_on_a_host(store, queue):
    for owner in ("ann", "ann", "ben"):
        add_run(store, owner=owner, cores=2)
        claim_run(queue)
    add_run(store, owner="cy")
    queue.claim(host="elsewhere", now=NOW, lease=LEASE)
    usage = queue.usage(host="host")
    assert (usage.runs, usage.cores, usage.owners) == (3, 6, {"ann": 2, "ben": 1})
    assert queue.usage(host="elsewhere").owners == {"cy": 1}


def test_line_and_working_return_waiting_and_live_runs(store, queue):
    add_run(store, owner="ann", cores=3)
    add_run(store, owner="ben")
    first = claim_run(queue)
    (waiting,) = queue.line(10)
    (live,) = queue.working()
    assert (live.run_id, live.owner, live.cores, live.since) == (first.run.id, "ann", 3, NOW)
    assert (waiting.owner, waiting.since) == ("ben", None)


def test_claim_reads_no_run_that_it_skips(store, settings):
    for number in range(20):
        add_run(store, str(number))
    skipped = {"state": "QUEUED", "owner": {"$nin": ["ann"]}, "cores": {"$lte": 4}}
    with MongoClient(settings.uri) as client:
        cursor = client[settings.database]["runs"].find(skipped).sort(ORDER).limit(1)
        assert cursor.explain()["executionStats"]["totalDocsExamined"] == 0
