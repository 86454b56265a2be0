"""Formatting that all pages share: states, times, sizes, counts, and safe Markdown."""

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

MAX_UNSCROLLED_ROWS = 30  # a longer table has a fixed height and scrolls
WORD_JOINER = "\u2060"  # has no width; breaks up what Streamlit would read as an icon or a link
PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")  # of ASCII; Markdown lets us escape all of it
#: Text that Streamlit reads as an icon or a link: :icon:, https:, www., a@b
DIRECTIVES = re.compile(r":(?!\d\d\b)(?=\S)|(?<=[wW]{3})(?=\.)|@(?=\S)")
ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Look:
    """The word, colors and icon of a state."""

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
    State.SYSTEM_ERROR: Look("System error", "red", "report", "#b03a6b"),
    State.CANCELED: Look("Canceled", "orange", "block", "#e0892b"),
}
NOT_RUN = Look("Not run", "gray", "remove", "#8593a0")  # a step whose jobs never started


def look(state: State | None) -> Look:
    """Return the look of a state; None is the state of a step that did not run."""
    return NOT_RUN if state is None else LOOKS[state]


def badge(state: State) -> str:
    """Return a state as a colored badge in Markdown."""
    shown = LOOKS[state]
    return f":{shown.color}-badge[:material/{shown.icon}: {shown.word}]"


def chip(state: State | None) -> list[str]:
    """Return a state as the value of a cell in a `chip_column`."""
    return [look(state).word]


def chip_column(label: str = "State", width: int = 112) -> Any:
    """Return the configuration of a column that shows states as colored badges."""
    looks = [*LOOKS.values(), NOT_RUN]
    words = [each.word for each in looks]
    colors = [each.color for each in looks]  # names, so that the theme chooses the shade
    return st.column_config.MultiselectColumn(label, width=width, options=words, color=colors)


def table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows as an Arrow table, which Streamlit sends faster than a pandas data frame."""
    return pa.Table.from_pylist(list(rows))


def draw_rows(rows: Sequence[Mapping[str, str]], key: str, widths: Mapping[str, int]) -> None:
    """Draw rows of text as a table. `widths` are the widths of some columns in pixels."""
    columns = {name: st.column_config.TextColumn(width=width) for name, width in widths.items()}
    st.dataframe(
        table(rows),
        key=key,
        hide_index=True,
        height="content" if len(rows) <= MAX_UNSCROLLED_ROWS else 560,
        row_height=32,
        column_config=columns,
    )


def title(run: Run) -> str:
    """Return the name of a run, or the title of its workflow if it has none."""
    return run.name or run.workflow_title


def duration(seconds: float | None) -> str:
    """Return a measured duration as text: "9.5 s", "2 min 05 s", "3 d 01 h"."""
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


def queue_position(queue: Waiting) -> str:
    """Return the position of a run in the queue as text: "#3 in queue"."""
    return f"#{queue.position:,} in queue"


def estimate(seconds: float) -> str:
    """Return an estimated duration as text: "about 3 min", "a few seconds"."""
    text = short_estimate(seconds)
    return text if text.startswith("a ") else f"about {text}"


def short_estimate(seconds: float) -> str:
    """Return an estimated duration as short text: "3 min", "a few seconds"."""
    if seconds < 8:
        return "a few seconds"
    if seconds < 55:
        return f"{math.ceil(seconds / 10) * 10} s"
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours = round(minutes / 60)
    return f"{hours} h" if hours < 48 else f"{round(hours / 24)} days"


def elapsed(item: Run | Job, now: datetime) -> float | None:
    """Return the seconds a run or job took, or has taken until `now`; None before it starts."""
    if item.started is None:
        return None
    return max(0.0, ((item.ended or now) - item.started).total_seconds())


def size(count: float) -> str:
    """Return a number of bytes as text with a decimal unit: "1.5 kB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def amount(count: int, thing: str) -> str:
    """Return a count with its noun, for labels: "1 run", "2 runs"."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def plural(count: int, one: str, many: str, **values: str) -> str:
    """Return `one` if `count` is 1, else `many`, with {count} and `values` filled in."""
    return (one if count == 1 else many).format(count=f"{count:,}", **values)


def sentences(*texts: str) -> str:
    """Return whole sentences one after the other; empty ones are left out."""
    return " ".join(filter(None, texts))


def plain(text: str) -> str:
    """Return `text` escaped for Markdown: no markup, directive, icon or link takes effect."""
    one_line = " ".join(CONTROL.sub("", text).split())
    return PUNCTUATION.sub(r"\\\1", DIRECTIVES.sub(lambda match: match[0] + WORD_JOINER, one_line))


def printable(text: str) -> str:
    """Return log text without color codes and control characters, for `st.code`."""
    return CONTROL.sub("", ANSI.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
