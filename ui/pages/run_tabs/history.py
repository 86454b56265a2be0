"""The attempts of a run with their causes of failure, and the changes of its state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from services.models import Attempt, Run
from services.runs.views import RunView
from ui import context
from ui.formatting import LOOKS, draw_rows, duration, plain


def draw(view: RunView) -> None:
    """Draw the attempts and the history of a run."""
    st.subheader("Attempts", anchor=False)
    _attempts(view.run.attempts)
    st.subheader("State changes", anchor=False)
    _history(view.run)


def _attempts(attempts: Sequence[Attempt]) -> None:
    if not attempts:
        st.caption("The run has not started yet.")
        return
    draw_rows(
        [_row(attempt) for attempt in attempts],
        "attempts",
        {"No.": 45, "Host": 140, "Started": 160, "Duration": 140, "Exit code": 75, "Cause": 360},
    )


def _row(attempt: Attempt) -> dict[str, str]:
    ended = attempt.ended or datetime.now(UTC)
    time = duration((ended - attempt.started).total_seconds())
    return {
        "No.": str(attempt.number),
        "Host": attempt.host,
        "Started": context.local_time(attempt.started),
        "Duration": time if attempt.ended else f"running for {time}",
        "Exit code": "–" if attempt.exit_code is None else str(attempt.exit_code),
        "Cause": attempt.cause.message if attempt.cause else "–",
    }


def _history(run: Run) -> None:
    for change in run.history:
        look = LOOKS[change.state]
        note = f"  ·  {plain(change.note)}" if change.note else ""
        st.markdown(
            f":{look.color}[:material/{look.icon}:] {look.word}"
            f" :gray[{plain(context.local_time(change.at))}{note}]"
        )
