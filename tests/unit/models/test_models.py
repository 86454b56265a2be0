"""The state machine as a table."""

from __future__ import annotations

import pytest

from services.models import FINAL, LIVE, TRANSITIONS, State, sources


def test_every_state_has_its_transitions():
    assert set(TRANSITIONS) == set(State)


def test_a_final_state_leads_nowhere_but_back_to_the_queue():
    for state in FINAL:
        assert TRANSITIONS[state] <= {State.QUEUED}


def test_what_is_complete_stays_complete():
    assert not TRANSITIONS[State.COMPLETE]


@pytest.mark.parametrize("state", sorted(LIVE))
def test_every_live_state_can_end(state):
    assert TRANSITIONS[state] & FINAL


def test_sources_is_the_table_read_backwards():
    assert sources(State.INITIALIZING) == [State.QUEUED]
    assert sources(State.CANCELING) == [State.INITIALIZING, State.RUNNING]
    for target in State:
        assert all(target in TRANSITIONS[source] for source in sources(target))
