"""Charts as plain values: Vega-Lite dicts and DOT text, no chart library."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.models import Graph, Job, Preview
from ui.formatting import LOOKS, amount, clock, look

BARS = 300  # jobs that a timeline shows at once
HEIGHT = 450  # px of a timeline with many jobs
THINNEST = 0.003  # share of the width that the bar of a short job takes
LABELLED = 60  # jobs up to which each bar has its label
UNITS = ((120.0, 1.0, "Seconds"), (7200.0, 60.0, "Minutes"), (float("inf"), 3600.0, "Hours"))
GREY = "#8593a0"

Rows = list[dict[str, Any]]
Spec = dict[str, Any]


def timeline(jobs: Sequence[Job], start: datetime, now: datetime) -> tuple[Rows, Spec]:
    """When each of some jobs ran, in time since `start`: rows and a Vega-Lite spec."""
    begun = [job for job in jobs if job.started]
    end = max(((job.ended or now) - start).total_seconds() for job in begun) if begun else 0.0
    _, unit, word = next(entry for entry in UNITS if end <= entry[0])
    rows = [_bar(job, start, now, unit) for job in begun]
    longest = max((row["to"] for row in rows), default=0.0) or 1.0
    seen: set[str] = set()
    for job, row in zip(begun, rows, strict=True):
        row["to"] = max(row["to"], row["from"] + THINNEST * longest)
        if row["job"] in seen:
            row["job"] += f" ({job.id})"  # one line each
        seen.add(row["job"])
    return rows, _timeline_spec(rows, word, longest)


def _bar(job: Job, start: datetime, now: datetime, unit: float) -> dict[str, Any]:
    begun = job.started or start
    ended = job.ended or now
    return {
        "job": label(job),
        "from": max(0.0, (begun - start).total_seconds()) / unit,
        "to": max(0.0, (ended - start).total_seconds()) / unit,
        "took": clock((ended - begun).total_seconds()),
        "state": LOOKS[job.state].word,
        "at": begun.isoformat(),
    }


def label(job: Job) -> str:
    """A job's rule and wildcards in a few words."""
    return " ".join([job.rule, *job.wildcards.values()])[:80]


def _timeline_spec(rows: Rows, unit: str, longest: float) -> Spec:
    words = list(dict.fromkeys(row["state"] for row in rows))
    tones = {one.word: one.tone for one in LOOKS.values()}
    many = len(rows) > LABELLED
    axis = {"title": None, "ticks": False, "domain": False, "labelFontSize": 11}
    axis |= {"labelLimit": 200, "labelOverlap": False, "labelFlush": False, "labelPadding": 8}
    zoom = {"type": "interval", "encodings": ["x"], "zoom": "wheel![event.shiftKey]"}
    return {
        "params": [{"name": "stretch", "select": zoom, "bind": "scales"}] if many else [],
        "mark": {"type": "bar", "clip": True, "cornerRadius": 3, "height": {"band": 0.7}},
        "height": {"step": min(6.0, HEIGHT / len(rows)) if many else 20},
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
                {"field": "took", "title": "Took"},
                {"field": "at", "type": "temporal", "title": "Started", "format": "%H:%M:%S"},
            ],
        },
    }


def dot(graph: Graph) -> str:
    """The rules of a run as DOT, coloured by state; the style sheet colours the text."""
    nodes = [
        (step.rule, f"{step.done} of {step.total}", look(step.state).tone) for step in graph.steps
    ]
    return _dot(nodes, graph.links)


def planned(preview: Preview) -> str:
    """The rules of a planned run as DOT, with how many jobs of each."""
    nodes = [(one.rule, amount(one.jobs, "job"), GREY) for one in preview.rules]
    return _dot(nodes, preview.links)


def _dot(nodes: Sequence[tuple[str, str, str]], links: Sequence[tuple[str, str]]) -> str:
    """Rules as DOT: their names, a line below, and their colours."""
    lines = [
        "digraph {",
        'rankdir=LR; bgcolor="transparent"; nodesep=.22; ranksep=.42;',
        'node [shape=box style="rounded,filled" fontname="Inter,Helvetica,Arial" fontsize=12'
        ' height=.44 margin=".14,.05" penwidth=1.3];',
        f'edge [color="{GREY}" arrowsize=.6];',
    ]
    known = {rule: number for number, (rule, _, _) in enumerate(nodes)}
    for rule, below, tone in nodes:
        text = f"{_quoted(rule)}\\n{below}"
        lines.append(f'n{known[rule]} [label="{text}" color="{tone}" fillcolor="{tone}22"];')
    for one, other in links:
        if one in known and other in known:
            lines.append(f"n{known[one]} -> n{known[other]};")
    return "\n".join([*lines, "}"])


def _quoted(text: str) -> str:
    """`text` inside a quoted DOT string."""
    return text.replace("\\", "\\\\").replace('"', '\\"')
