"""The queue and the state machine on a real database."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from services.errors import TransitionRefused
from services.models import FINAL, Cause, CauseKind, RunFilter, State
from tests.support import LEASE, NOW, add_run, claim_run

LOST = Cause(kind=CauseKind.HOST_LOST, message="The processes vanished.")


@pytest.fixture
def store(database):
    return database.runs


def test_add_keeps_parameters_that_a_document_could_not_hold(store):
    run = add_run(store)
    assert store.get(run.id, "ann").params == {"$where": 1, "a.b": 2**70}
    assert run.state is State.QUEUED
    assert [change.state for change in run.history] == [State.QUEUED]


def test_add_same_key_gives_the_same_run_and_its_first_body(store):
    first = add_run(store, key="k", body="1")
    again, body = store.add(first, now=NOW, key="k", body="2")
    assert (again.id, body) == (first.id, "1")
    assert add_run(store, owner="ben", key="k").id != first.id


def test_claim_takes_the_oldest_and_starts_attempt_one(store):
    first, _ = add_run(store, "a"), add_run(store, "b")
    taken = claim_run(store)
    assert (taken.run.id, taken.attempt) == (first.id, 1)
    assert taken.run.state is State.INITIALIZING
    assert taken.run.attempts[0].host == "host"


def test_claim_of_an_empty_queue_is_nothing(store):
    assert claim_run(store) is None


def test_claim_passes_over_what_needs_more_cores(store):
    add_run(store, "wide", cores=8)
    narrow = add_run(store, "narrow", cores=2)
    assert claim_run(store, cores=4).run.id == narrow.id
    assert claim_run(store, cores=4) is None


def test_claim_by_many_at_once_gives_each_run_once(store):
    for number in range(60):
        add_run(store, str(number))
    taken, lock = [], threading.Lock()

    def work():
        while mine := claim_run(store):
            with lock:
                taken.append(mine.run.id)

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(taken) == len(set(taken)) == 60


def test_usage_and_leases_count_live_runs_only(store):
    for cores in (1, 2, 4):
        add_run(store, cores=cores)
    first, second = claim_run(store), claim_run(store)
    store.transition(first.run.id, State.COMPLETE, attempt=1, now=NOW, exit_code=0)
    assert (store.usage().runs, store.usage().cores) == (1, 2)
    (lease,) = store.leases()
    assert (lease.run_id, lease.host, lease.until) == (second.run.id, "host", NOW + LEASE)


def test_renew_tells_that_the_run_should_stop(store):
    add_run(store)
    taken = claim_run(store)
    later = NOW + timedelta(minutes=1)
    assert store.renew(taken.run.id, 1, until=later) is State.INITIALIZING
    store.transition(taken.run.id, State.CANCELING, now=NOW)
    assert store.renew(taken.run.id, 1, until=later) is State.CANCELING
    assert store.leases()[0].until == later


def test_stale_attempt_writes_nothing(store):
    add_run(store)
    run_id = claim_run(store).run.id
    store.transition(run_id, State.QUEUED, attempt=1, now=NOW, cause=LOST)
    assert claim_run(store).attempt == 2
    with pytest.raises(TransitionRefused):
        store.renew(run_id, 1, until=NOW)
    with pytest.raises(TransitionRefused):
        store.transition(run_id, State.COMPLETE, attempt=1, now=NOW)
    store.report(run_id, 1, {"progress.done": 9})
    run = store.get(run_id, None)
    assert (run.state, run.progress.done) == (State.INITIALIZING, 0)


def test_transition_to_an_end_closes_the_attempt_in_the_same_write(store):
    add_run(store)
    run_id = claim_run(store).run.id
    store.transition(run_id, State.RUNNING, attempt=1, now=NOW)
    run = store.transition(
        run_id, State.SYSTEM_ERROR, attempt=1, now=NOW, cause=LOST, exit_code=-9, note="n"
    )
    assert (run.state, run.started, run.ended) == (State.SYSTEM_ERROR, NOW, NOW)
    assert (run.error, run.cause) == ("The processes vanished.", LOST)
    assert (run.attempts[0].ended, run.attempts[0].exit_code) == (NOW, -9)
    assert run.attempts[0].cause == LOST
    assert [(c.state, c.note) for c in run.history][-1] == (State.SYSTEM_ERROR, "n")


def test_transition_back_to_the_queue_forgets_the_end(store):
    add_run(store)
    run_id = claim_run(store).run.id
    store.transition(run_id, State.SYSTEM_ERROR, attempt=1, now=NOW, cause=LOST)
    run = store.transition(run_id, State.QUEUED, now=NOW)
    assert (run.ended, run.error, run.cause) == (None, None, None)
    assert claim_run(store).attempt == 2


@pytest.mark.parametrize("end", sorted(FINAL))
def test_transition_two_ends_race_and_one_wins(store, end):
    add_run(store)
    run_id = claim_run(store).run.id
    store.transition(run_id, end, attempt=1, now=NOW)
    for target in FINAL:
        with pytest.raises(TransitionRefused):
            store.transition(run_id, target, attempt=1, now=NOW)
    assert store.get(run_id, None).state is end


def test_page_filters_by_state_workflow_owner_and_text(store):
    a, b = add_run(store, "alpha (1)"), add_run(store, "beta", owner="ben")
    claim_run(store)

    def found(owner=None, **wanted):
        return {run.id for run in store.page(RunFilter(**wanted), owner).items}

    assert found() == {a.id, b.id}
    assert found(state=["INITIALIZING"]) == {a.id}
    assert found(state=["INITIALIZING", "QUEUED"]) == {a.id, b.id}
    assert found(workflow="other") == set()
    assert found(owner="ben") == {b.id}
    assert found(owner="ben", text="alpha") == set()
    assert found(text="(1)") == {a.id}
    assert found(text=".*") == set()
    assert found(text=b.id) == {b.id}


def test_page_someone_elses_runs_stay_hidden_when_asked_for_by_owner(store):
    add_run(store, owner="ann")
    assert store.page(RunFilter(owner="ann"), "ben").items == []


def test_page_walks_through_runs_of_one_instant(store):
    ids = [add_run(store, str(n)).id for n in range(7)]
    seen, after = [], None
    while True:
        page = store.page(RunFilter(after=after, limit=2), None)
        seen += [run.id for run in page.items]
        if (after := page.next) is None:
            break
    assert seen == ids[::-1]


def test_counts_has_every_state(store):
    add_run(store), add_run(store, owner="ben")
    claim_run(store)
    assert store.counts("ben")[State.QUEUED] == 1
    assert store.counts(None)[State.INITIALIZING] == 1
    assert set(store.counts(None)) == set(State)


def test_claim_serves_owners_in_turn(store):
    for number in range(3):
        add_run(store, f"a{number}", owner="ann")
    for number in range(2):
        add_run(store, f"b{number}", owner="ben")
    order = [claim_run(store).run.name for _ in range(5)]
    assert order == ["a0", "b0", "a1", "b1", "a2"]


def test_claim_an_owner_who_comes_late_does_not_wait_for_the_whole_queue(store):
    for number in range(5):
        add_run(store, f"a{number}", owner="ann")
    assert [claim_run(store).run.name for _ in range(3)] == ["a0", "a1", "a2"]
    add_run(store, "b0", owner="ben")
    add_run(store, "b1", owner="ben")
    order = [claim_run(store).run.name for _ in range(4)]
    assert order == ["a3", "b0", "a4", "b1"]


def test_requeue_goes_behind_the_owners_others(store):
    first = add_run(store, "a0")
    claim_run(store)
    store.transition(first.id, State.CANCELED, attempt=1, now=NOW)
    add_run(store, "a1")
    store.requeue(first, now=NOW, note="n")
    assert [claim_run(store).run.name for _ in range(2)] == ["a1", "a0"]


def test_requeue_of_a_complete_or_live_run_is_refused(store):
    run = add_run(store)
    with pytest.raises(TransitionRefused):
        store.requeue(run, now=NOW, note="")
    claim_run(store)
    with pytest.raises(TransitionRefused):
        store.requeue(run, now=NOW, note="")
    store.transition(run.id, State.COMPLETE, attempt=1, now=NOW)
    with pytest.raises(TransitionRefused):
        store.requeue(run, now=NOW, note="")


def test_delete_only_what_is_over(store):
    run = add_run(store)
    assert not store.delete(run.id)
    store.transition(run.id, State.CANCELED, now=NOW)
    assert store.delete(run.id)
    assert store.get(run.id, None) is None
