"""The transitions between states."""

from __future__ import annotations

import pytest

from services.models import FINAL, LIVE, TRANSITIONS, State, sources


def test_every_state_has_its_transitions():
    assert set(TRANSITIONS) == set(State)


def test_transitions_of_final_states_are_to_queued_only():
    for state in FINAL:
        assert TRANSITIONS[state] <= {State.QUEUED}


def test_transitions_of_complete_are_none():
    assert not TRANSITIONS[State.COMPLETE]


@pytest.mark.parametrize("state", sorted(LIVE))
def test_every_live_state_can_end(state):
    assert TRANSITIONS[state] & FINAL


def test_sources_inverts_the_transitions():
    assert sources(State.INITIALIZING) == [State.QUEUED]
    assert sources(State.CANCELING) == [State.INITIALIZING, State.RUNNING]
    for target in State:
        assert all(target in TRANSITIONS[source] for source in sources(target))
