"""What every view shares: states in words and colours, times, sizes, and text made safe."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import streamlit as st

from services.models import Job, Run, State, Waiting

MANY = 30  # rows of a table from which on it scrolls in itself
JOINER = "\u2060"  # takes no room; breaks up what Streamlit would read as an icon or a link
MARKED = re.compile(r"([!-/:-@\[-`{-~])")  # ASCII punctuation, all of which Markdown lets us escape
ACTIVE = re.compile(r":(?!\d\d\b)(?=\S)|(?<=[wW]{3})(?=\.)|@(?=\S)")  # :icon:, https:, www., a@b
ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Look:
    """How a state is shown."""

    word: str
    color: str  # of Streamlit's badges
    icon: str
    tone: str  # of charts, readable on light and on dark


LOOKS = {
    State.QUEUED: Look("Waiting", "gray", "schedule", "#8593a0"),
    State.INITIALIZING: Look("Starting", "blue", "hourglass_top", "#6aa1f8"),
    State.RUNNING: Look("Running", "blue", "progress_activity", "#3b82f6"),
    State.CANCELING: Look("Stopping", "orange", "pending", "#e0892b"),
    State.COMPLETE: Look("Done", "green", "check_circle", "#169b6b"),
    State.EXECUTOR_ERROR: Look("Failed", "red", "error", "#d64550"),
    State.SYSTEM_ERROR: Look("Desk failed", "red", "report", "#b03a6b"),
    State.CANCELED: Look("Canceled", "orange", "block", "#e0892b"),
}
NOT_RUN = Look("Not run", "gray", "remove", "#8593a0")  # a step that the run never came to


def look(state: State | None) -> Look:
    """How the state of a step is shown, also of one that has none."""
    return NOT_RUN if state is None else LOOKS[state]


def badge(state: State) -> str:
    """A state as a coloured chip, in Markdown."""
    shown = LOOKS[state]
    return f":{shown.color}-badge[:material/{shown.icon}: {shown.word}]"


def chip(state: State | None) -> list[str]:
    """A state as the cell of a `chip_column`."""
    return [look(state).word]


def chip_column(label: str = "State", width: int = 112) -> Any:
    """The column of a table that shows states as coloured chips."""
    looks = [*LOOKS.values(), NOT_RUN]
    words = [one.word for one in looks]
    colors = [one.color for one in looks]  # of the theme, so that dark stays dark
    return st.column_config.MultiselectColumn(label, width=width, options=words, color=colors)


def table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as Streamlit sends them; by way of pandas, which makes frames first, it takes longer."""
    return pa.Table.from_pylist(list(rows))


def rows_table(rows: Sequence[Mapping[str, str]], key: str, widths: Mapping[str, int]) -> None:
    """Rows of text as a table to read; columns in pixels, where that matters."""
    columns = {name: st.column_config.TextColumn(width=width) for name, width in widths.items()}
    st.dataframe(
        table(rows),
        key=key,
        hide_index=True,
        height="content" if len(rows) <= MANY else 560,
        row_height=32,
        column_config=columns,
    )


def title(run: Run) -> str:
    """What a run is called: its name, or what it does."""
    return run.name or run.workflow_title


def clock(seconds: float | None) -> str:
    """A duration as people say it."""
    if seconds is None:
        return "–"
    if 0.05 <= seconds < 10:
        return f"{seconds:.1f} s"
    hours, rest = divmod(int(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    if hours >= 48:
        return f"{hours // 24} d {hours % 24:02d} h"
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def line(queue: Waiting) -> str:
    """Where a run stands in the queue."""
    return "next in line" if queue.position <= 1 else f"number {queue.position} in line"


def roughly(seconds: float) -> str:
    """A duration that is a guess: "about 3 min", "a few seconds"."""
    words = about(seconds)
    return words if words.startswith("a ") else f"about {words}"


def about(seconds: float) -> str:
    """A duration that is a guess, in few words."""
    if seconds < 8:
        return "a few seconds"
    if seconds < 55:
        return f"{math.ceil(seconds / 10) * 10} s"
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours = round(minutes / 60)
    return f"{hours} h" if hours < 48 else f"{round(hours / 24)} days"


def taken(item: Run | Job, now: datetime) -> float | None:
    """Seconds that a run or a job has taken so far, or None before it starts."""
    if item.started is None:
        return None
    return max(0.0, ((item.ended or now) - item.started).total_seconds())


def size(count: float) -> str:
    """A number of bytes as people say it (decimal units)."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def amount(count: int, thing: str) -> str:
    """'1 run', '2 runs'."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def plain(text: str) -> str:
    """`text` for Markdown, shown as it is: no markup, no directive, no icon, no link, no image."""
    one_line = " ".join(CONTROL.sub("", text).split())
    return MARKED.sub(r"\\\1", ACTIVE.sub(lambda found: found[0] + JOINER, one_line))


def printable(text: str) -> str:
    """Log text without colour codes and control characters, for `st.code`."""
    return CONTROL.sub("", ANSI.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
