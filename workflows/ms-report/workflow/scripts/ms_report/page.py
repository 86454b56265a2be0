"""The HTML report, one self-contained file."""

import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ms_report import figures
from ms_report.information import samples_of
from ms_report.overview import since_previous

Document = Mapping[str, Any]
TEMPLATES = Path(__file__).parent / "templates"
MAX_PROTEINS = 200  # rows in the report; proteins.tsv has all
MAX_SAMPLES = 2000  # rows in the report; information.json has all


def build_page(
    information: Document,
    metrics: Mapping[str, Document],
    identification: Document | None,
    *,
    title: str,
    settings: Mapping[str, Any],
    made: datetime,
) -> str:
    """Return the page. The template escapes all input."""
    return (
        environment()
        .get_template("report.html")
        .render(
            title=title.strip() or information["source"],
            information=information,
            samples=sample_rows(information),
            shown_samples=MAX_SAMPLES,
            loose_issues=[issue for issue in information["issues"] if not issue["row"]],
            runs=cards(information, metrics, identification),
            spectra=sum(measured["spectra"] for measured in metrics.values()),
            identification=identification,
            shown_proteins=MAX_PROTEINS,
            settings=settings,
            version=version("pyopenms"),
            made=made.strftime("%Y-%m-%d %H:%M UTC"),
            data=Markup(script_safe(chart_data(metrics, identification))),
            style=Markup(source("report.css")),
            script=Markup(source("report.js")),
        )
    )


def environment() -> jinja2.Environment:
    """Return templates that escape every value and raise for an unknown name."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= figures.FILTERS
    return templates


def source(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def sample_rows(information: Document) -> list[dict[str, Any]]:
    """Return the rows of the table with their cells in column order, and their issues."""
    columns = [column["name"] for column in information["columns"]]
    headers = [column["header"] for column in information["columns"]]
    by_cell = defaultdict(list)
    for issue in information["issues"]:
        if issue["row"]:
            by_cell[issue["row"], issue["column"]].append(issue)
    rows = []
    for row in information["rows"]:
        number = row["row"]
        cells = [
            {"value": row["values"].get(name), "issues": by_cell[number, header]}
            for name, header in zip(columns, headers, strict=True)
        ]
        issues = [issue for issue in information["issues"] if issue["row"] == number]
        of_row = [issue for issue in issues if issue["column"] not in headers]
        rows.append({**row, "cells": cells, "issues": of_row})
    return rows


def cards(
    information: Document, metrics: Mapping[str, Document], identification: Document | None
) -> list[dict[str, Any]]:
    """Return each run with its metrics, samples and matches, in input order."""
    samples, waits = samples_of(information["rows"]), since_previous(metrics)
    matches = identification["runs"] if identification else {}
    return [
        {
            **measured,
            "key": key,
            "samples": samples.get(key, []),
            "wait_min": waits.get(key),
            "matches": matches.get(key),
            "errors": figures.histogram(matches[key]["errors_ppm"]) if key in matches else None,
        }
        for key, measured in metrics.items()
    ]


def chart_data(metrics: Mapping[str, Document], identification: Document | None) -> dict[str, Any]:
    """Return the points of the chromatograms and the times of identified spectra, by run."""
    matches = identification["runs"] if identification else {}
    return {
        key: {
            "points": [
                [figures.rounded(figure) for figure in point] for point in measured["chromatogram"]
            ],
            "identified": [round(time, 3) for time in matches.get(key, {}).get("times_min", [])],
        }
        for key, measured in metrics.items()
    }


def script_safe(data: Any) -> str:
    """Return JSON that cannot close the script element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text
