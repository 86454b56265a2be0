"""The queue and the state machine on a real database."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from services.database.runs import Outcome
from services.errors import TransitionRefused
from services.models import FINAL, Cause, CauseKind, RunFilter, State
from tests.helpers.runs import LEASE, NOW, add_run, claim_run

LOST = Cause(kind=CauseKind.HOST_LOST, message="The processes vanished.")


@pytest.fixture
def store(database):
    return database.runs


@pytest.fixture
def queue(database):
    return database.queue


def test_add_stores_parameters_that_a_document_cannot_hold(store):
    run = add_run(store)
    assert store.get(run.id, "ann").params == {"$where": 1, "a.b": 2**70}
    assert run.state is State.QUEUED
    assert [change.state for change in run.history] == [State.QUEUED]


def test_add_with_a_known_key_returns_the_first_run_and_body(store):
    first = add_run(store, key="k", body="1")
    again, body = store.add(first, now=NOW, key="k", body="2")
    assert (again.id, body) == (first.id, "1")
    assert add_run(store, owner="ben", key="k").id != first.id


def test_stale_attempt_cannot_write(store, queue):
    add_run(store)
    run_id = claim_run(queue).run.id
    store.end(run_id, 1, State.QUEUED, now=NOW, cause=LOST)
    assert claim_run(queue).attempt == 2
    with pytest.raises(TransitionRefused):
        queue.renew(run_id, 1, now=NOW, lease=LEASE)
    with pytest.raises(TransitionRefused):
        store.end(run_id, 1, State.COMPLETE, now=NOW)
    store.report(run_id, 1, {"progress.done": 9})
    run = store.get(run_id, None)
    assert (run.state, run.progress.done) == (State.INITIALIZING, 0)


def test_end_with_a_final_state_closes_the_attempt(store, queue):
    add_run(store)
    run_id = claim_run(queue).run.id
    store.start(run_id, 1, now=NOW)
    run = store.end(
        run_id,
        1,
        State.SYSTEM_ERROR,
        now=NOW,
        cause=LOST,
        outcome=Outcome(State.SYSTEM_ERROR, -9, 3, 3),
        note="n",
    )
    assert (run.state, run.started, run.ended) == (State.SYSTEM_ERROR, NOW, NOW)
    assert (run.error, run.cause) == ("The processes vanished.", LOST)
    assert (run.attempts[0].ended, run.attempts[0].exit_code) == (NOW, -9)
    assert run.attempts[0].cause == LOST
    assert [(c.state, c.note) for c in run.history][-1] == (State.SYSTEM_ERROR, "n")


def test_move_to_queued_clears_end_and_error(store, queue):
    add_run(store)
    run_id = claim_run(queue).run.id
    store.end(run_id, 1, State.SYSTEM_ERROR, now=NOW, cause=LOST)
    run = store.move(run_id, State.QUEUED, now=NOW)
    assert (run.ended, run.error, run.cause) == (None, None, None)
    assert claim_run(queue).attempt == 2


@pytest.mark.parametrize("end", sorted(FINAL - {State.COMPLETE}))
def test_end_of_a_closed_attempt_is_refused(store, queue, end):
    """Its request for another attempt can arrive late, after a cancel, or twice."""
    add_run(store)
    run_id = claim_run(queue).run.id
    run = store.end(run_id, 1, end, now=NOW)
    for target in (State.QUEUED, State.CANCELED):
        with pytest.raises(TransitionRefused):
            store.end(run_id, 1, target, now=NOW)
    with pytest.raises(TransitionRefused):
        store.start(run_id, 1, now=NOW)
    assert store.get(run_id, None) == run


@pytest.mark.parametrize("end", sorted(FINAL))
def test_end_twice_refuses_the_second(store, queue, end):
    add_run(store)
    run_id = claim_run(queue).run.id
    store.end(run_id, 1, end, now=NOW)
    for target in FINAL:
        with pytest.raises(TransitionRefused):
            store.end(run_id, 1, target, now=NOW)
    assert store.get(run_id, None).state is end


def test_page_filters_by_state_workflow_owner_and_text(store, queue):
    a, b = add_run(store, "alpha (1)"), add_run(store, "beta", owner="ben")
    claim_run(queue)

    def ids(owner=None, **filters):
        return {run.id for run in store.page(RunFilter(**filters), owner).items}

    assert ids() == {a.id, b.id}
    assert ids(state=["INITIALIZING"]) == {a.id}
    assert ids(state=["INITIALIZING", "QUEUED"]) == {a.id, b.id}
    assert ids(workflow="other") == set()
    assert ids(owner="ben") == {b.id}
    assert ids(owner="ben", text="alpha") == set()
    assert ids(text="(1)") == {a.id}
    assert ids(text=".*") == set()
    assert ids(text=b.id) == {b.id}


def test_page_hides_the_runs_of_other_owners(store):
    add_run(store, owner="ann")
    assert store.page(RunFilter(owner="ann"), "ben").items == []


def test_page_returns_every_run_of_the_same_millisecond_once(store):
    ids = [add_run(store, str(n)).id for n in range(7)]
    seen, after = [], None
    while True:
        page = store.page(RunFilter(after=after, limit=2), None)
        seen += [run.id for run in page.items]
        if (after := page.next) is None:
            break
    assert seen == ids[::-1]


def test_counts_has_every_state(store, queue):
    add_run(store), add_run(store, owner="ben")
    claim_run(queue)
    assert store.counts("ben")[State.QUEUED] == 1
    assert store.counts(None)[State.INITIALIZING] == 1
    assert set(store.counts(None)) == set(State)


def test_requeue_of_a_complete_or_live_run_is_refused(store, queue):
    run = add_run(store)
    with pytest.raises(TransitionRefused):
        store.requeue(run, now=NOW, note="")
    claim_run(queue)
    with pytest.raises(TransitionRefused):
        store.requeue(run, now=NOW, note="")
    store.end(run.id, 1, State.COMPLETE, now=NOW)
    with pytest.raises(TransitionRefused):
        store.requeue(run, now=NOW, note="")


def test_delete_refuses_a_run_that_has_not_finished(store):
    run = add_run(store)
    assert not store.delete(run.id)
    store.move(run.id, State.CANCELED, now=NOW)
    assert store.delete(run.id)
    assert store.get(run.id, None) is None


def fail(store, queue, run_id: str, state: State, *, final: bool = False) -> int:
    """Claim a run and fail the attempt; return how many such failures it has then."""
    claim = claim_run(queue)
    assert claim.run.id == run_id
    count = store.failures(run_id, claim.attempt)[state] + 1
    target = state if final else State.QUEUED
    outcome = Outcome(state, 1, count, 9)
    store.end(run_id, claim.attempt, target, now=NOW, outcome=outcome)
    return count


def test_failures_counts_executor_and_system_errors_separately(store, queue):
    run_id = add_run(store).id
    assert fail(store, queue, run_id, State.SYSTEM_ERROR) == 1
    assert fail(store, queue, run_id, State.EXECUTOR_ERROR) == 1
    assert fail(store, queue, run_id, State.SYSTEM_ERROR) == 2
    attempts = store.get(run_id, None).attempts
    assert [attempt.failures for attempt in attempts] == [1, 1, 2]
    assert {attempt.limit for attempt in attempts} == {9}


def test_failures_restarts_at_zero_after_a_resume(store, queue):
    run_id = add_run(store).id
    fail(store, queue, run_id, State.SYSTEM_ERROR)
    assert fail(store, queue, run_id, State.SYSTEM_ERROR, final=True) == 2
    store.requeue(store.get(run_id, None), now=NOW, note="")
    assert fail(store, queue, run_id, State.SYSTEM_ERROR) == 1
    assert fail(store, queue, run_id, State.SYSTEM_ERROR) == 2


def test_failures_of_an_attempt_that_ends_twice_are_the_same(store, queue):
    run_id = add_run(store).id
    fail(store, queue, run_id, State.SYSTEM_ERROR)
    assert store.failures(run_id, 1)[State.SYSTEM_ERROR] == 0
    assert store.failures(run_id, 2)[State.SYSTEM_ERROR] == 1


def test_end_with_a_start_time_passes_through_running(store, queue):
    run = add_run(store)
    claim = claim_run(queue)
    assert claim
    began, finished = NOW + timedelta(seconds=1), NOW + timedelta(seconds=2)
    end = partial(store.end, run.id, 1, State.COMPLETE, now=finished)
    ended = end(started=began)
    assert [(line.state, line.at) for line in ended.history[-2:]] == [
        (State.RUNNING, began),
        (State.COMPLETE, finished),
    ]
    assert (ended.started, ended.ended) == (began, finished)
    with pytest.raises(TransitionRefused):
        end(started=began)


def test_end_with_a_start_time_is_refused_when_running(store, queue):
    run = add_run(store)
    claim_run(queue)
    store.start(run.id, 1, now=NOW)
    with pytest.raises(TransitionRefused):
        store.end(run.id, 1, State.COMPLETE, now=NOW, started=NOW)
    assert store.end(run.id, 1, State.COMPLETE, now=NOW).state.final


def test_document_that_cannot_be_read_hides_no_other_run(database, caplog):
    good, bad, odd = (add_run(database.runs, name) for name in ("good", "bad", "odd"))
    runs = database.runs._runs
    runs.update_one({"name": bad.name}, {"$unset": {"params": "", "workflow": ""}})
    runs.update_one({"name": odd.name}, {"$set": {"state": "OF_A_NEWER_VERSION"}})
    page = database.runs.page(RunFilter(), None)
    assert [run.id for run in page.items] == [good.id]
    assert "cannot be read" in caplog.text
    assert database.runs.counts(None)[State.QUEUED] == 2
    assert database.runs.tally(None)["w"][State.QUEUED] == 1
