"""What became of a run: each attempt and how it ended, and every change of its state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from services.models import Attempt, Run
from services.runs.views import RunView
from ui import context
from ui.formatting import LOOKS, clock, plain, rows_table


def draw(view: RunView) -> None:
    st.subheader("Attempts", anchor=False)
    _attempts(view.run.attempts)
    st.subheader("History", anchor=False)
    _history(view.run)


def _attempts(attempts: Sequence[Attempt]) -> None:
    if not attempts:
        st.caption("None yet: the run has not started.")
        return
    rows_table(
        [_row(attempt) for attempt in attempts],
        "attempts",
        {"No.": 45, "Host": 140, "Started": 160, "Took": 100, "Exit": 50, "Cause": 420},
    )


def _row(attempt: Attempt) -> dict[str, str]:
    ended = attempt.ended or datetime.now(UTC)
    took = clock((ended - attempt.started).total_seconds())
    return {
        "No.": str(attempt.number),
        "Host": attempt.host,
        "Started": context.local(attempt.started),
        "Took": took if attempt.ended else f"{took} so far",
        "Exit": "–" if attempt.exit_code is None else str(attempt.exit_code),
        "Cause": attempt.cause.message if attempt.cause else "–",
    }


def _history(run: Run) -> None:
    for change in run.history:
        look = LOOKS[change.state]
        note = f"  ·  {plain(change.note)}" if change.note else ""
        st.markdown(
            f":{look.color}[:material/{look.icon}:] {look.word}"
            f" :gray[{plain(context.local(change.at))}{note}]"
        )
