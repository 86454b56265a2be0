"""Charts as plain values: Vega-Lite specifications and DOT text, without a chart library."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.models import Graph, Job, Preview
from ui.formatting import LOOKS, amount, duration, look

MAX_BARS = 300  # jobs in a timeline
MAX_HEIGHT_PX = 450  # of a timeline without labels
MIN_BAR_SHARE = 0.003  # of the width; the bar of a job without duration stays visible
MAX_LABELED_BARS = 60
UNITS = ((120.0, 1.0, "Seconds"), (7200.0, 60.0, "Minutes"), (float("inf"), 3600.0, "Hours"))
GRAY = "#8593a0"

Rows = list[dict[str, Any]]
Spec = dict[str, Any]


def timeline(jobs: Sequence[Job], start: datetime, now: datetime) -> tuple[Rows, Spec]:
    """Return the rows and the Vega-Lite specification of a chart of when jobs ran since `start`."""
    started = [job for job in jobs if job.started]
    end = max(((job.ended or now) - start).total_seconds() for job in started) if started else 0.0
    _, unit, word = next(entry for entry in UNITS if end <= entry[0])
    rows = [_bar(job, start, now, unit) for job in started]
    longest = max((row["to"] for row in rows), default=0.0) or 1.0
    seen: set[str] = set()
    for job, row in zip(started, rows, strict=True):
        row["to"] = max(row["to"], row["from"] + MIN_BAR_SHARE * longest)
        if row["job"] in seen:
            row["job"] += f" ({job.id})"  # each job has a row of its own
        seen.add(row["job"])
    return rows, _timeline_spec(rows, word, longest)


def _bar(job: Job, start: datetime, now: datetime, unit: float) -> dict[str, Any]:
    started = job.started or start
    ended = job.ended or now
    return {
        "job": label(job),
        "from": max(0.0, (started - start).total_seconds()) / unit,
        "to": max(0.0, (ended - start).total_seconds()) / unit,
        "took": duration((ended - started).total_seconds()),
        "state": LOOKS[job.state].word,
        "at": started.isoformat(),
    }


def label(job: Job) -> str:
    """Return the rule and the wildcards of a job as a short text."""
    return " ".join([job.rule, *job.wildcards.values()])[:80]


def _timeline_spec(rows: Rows, unit: str, longest: float) -> Spec:
    words = list(dict.fromkeys(row["state"] for row in rows))
    tones = {each.word: each.tone for each in LOOKS.values()}
    many = len(rows) > MAX_LABELED_BARS
    axis = {"title": None, "ticks": False, "domain": False, "labelFontSize": 11}
    axis |= {"labelLimit": 200, "labelOverlap": False, "labelFlush": False, "labelPadding": 8}
    zoom = {"type": "interval", "encodings": ["x"], "zoom": "wheel![event.shiftKey]"}
    return {
        "params": [{"name": "stretch", "select": zoom, "bind": "scales"}] if many else [],
        "mark": {"type": "bar", "clip": True, "cornerRadius": 3, "height": {"band": 0.7}},
        "height": {"step": min(6.0, MAX_HEIGHT_PX / len(rows)) if many else 20},
        "autosize": {"type": "fit-x", "contains": "padding"},
        "padding": {"top": 0, "left": 0, "right": 6, "bottom": 0},
        "encoding": {
            "y": {
                "field": "job",
                "type": "nominal",
                "sort": None,
                "axis": None if many else axis,
            },
            "x": {
                "field": "from",
                "type": "quantitative",
                "axis": {"title": f"{unit} since the start", "grid": True, "tickCount": 8},
                "scale": {"domain": [0, longest], "nice": True},
            },
            "x2": {"field": "to"},
            "color": {
                "field": "state",
                "type": "nominal",
                "scale": {"domain": words, "range": [tones[word] for word in words]},
                "legend": {"orient": "top", "title": None, "symbolType": "circle", "offset": 4},
            },
            "tooltip": [
                {"field": "job", "title": "Job"},
                {"field": "state", "title": "State"},
                {"field": "took", "title": "Duration"},
                {"field": "at", "type": "temporal", "title": "Started", "format": "%H:%M:%S"},
            ],
        },
    }


def dot(graph: Graph) -> str:
    """Return the graph of a run as DOT, colored by state; the style sheet colors the text."""
    nodes = [
        (step.rule, f"{step.done} of {step.total}", look(step.state).tone) for step in graph.steps
    ]
    return _dot(nodes, graph.links)


def plan_dot(preview: Preview) -> str:
    """Return the graph of a planned run as DOT, with the number of jobs of each rule."""
    nodes = [(rule.rule, amount(rule.jobs, "job"), GRAY) for rule in preview.rules]
    return _dot(nodes, preview.links)


def _dot(nodes: Sequence[tuple[str, str, str]], links: Sequence[tuple[str, str]]) -> str:
    """Return a graph as DOT. A node is a rule, its second line of text, and its color."""
    lines = [
        "digraph {",
        'rankdir=LR; bgcolor="transparent"; nodesep=.22; ranksep=.42;',
        'node [shape=box style="rounded,filled" fontname="Inter,Helvetica,Arial" fontsize=12'
        ' height=.44 margin=".14,.05" penwidth=1.3];',
        f'edge [color="{GRAY}" arrowsize=.6];',
    ]
    known = {rule: number for number, (rule, _, _) in enumerate(nodes)}
    for rule, below, tone in nodes:
        text = f"{_quoted(rule)}\\n{below}"
        lines.append(f'n{known[rule]} [label="{text}" color="{tone}" fillcolor="{tone}22"];')
    for source, target in links:
        if source in known and target in known:
            lines.append(f"n{known[source]} -> n{known[target]};")
    return "\n".join([*lines, "}"])


def _quoted(text: str) -> str:
    """Escape `text` for a quoted string of DOT."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
