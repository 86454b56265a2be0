"""The HTML report: one file that asks for nothing from anywhere."""

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
MOST_PROTEINS = 200  # rows of the report's table; proteins.tsv has all
MOST_SAMPLES = 2000


def build_page(
    information: Document,
    metrics: Mapping[str, Document],
    identification: Document | None,
    *,
    title: str,
    settings: Mapping[str, Any],
    made: datetime,
) -> str:
    """The whole page; every text from outside is escaped by the template."""
    return (
        environment()
        .get_template("report.html")
        .render(
            title=title.strip() or information["source"],
            information=information,
            samples=sample_rows(information),
            shown_samples=MOST_SAMPLES,
            loose_issues=[issue for issue in information["issues"] if not issue["row"]],
            runs=cards(information, metrics, identification),
            spectra=sum(found["spectra"] for found in metrics.values()),
            identification=identification,
            shown_proteins=MOST_PROTEINS,
            settings=settings,
            version=version("pyopenms"),
            made=made.strftime("%Y-%m-%d %H:%M UTC"),
            data=Markup(script_safe(drawn(metrics, identification))),
            style=Markup(source("report.css")),
            script=Markup(source("report.js")),
        )
    )


def environment() -> jinja2.Environment:
    """Templates in which every value is escaped and an unknown name is an error."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= figures.FILTERS
    return made


def source(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def sample_rows(information: Document) -> list[dict[str, Any]]:
    """The rows of the table with their cells in the order of the columns, and what is wrong."""
    columns = [column["name"] for column in information["columns"]]
    headers = [column["header"] for column in information["columns"]]
    wrong = defaultdict(list)
    for issue in information["issues"]:
        if issue["row"]:
            wrong[issue["row"], issue["column"]].append(issue)
    shown = []
    for row in information["rows"]:
        number = row["row"]
        cells = [
            {"value": row["values"].get(name), "issues": wrong[number, header]}
            for name, header in zip(columns, headers, strict=True)
        ]
        told = [issue for issue in information["issues"] if issue["row"] == number]
        elsewhere = [issue for issue in told if issue["column"] not in headers]
        shown.append({**row, "cells": cells, "issues": elsewhere, "told": len(told)})
    return shown


def cards(
    information: Document, metrics: Mapping[str, Document], identification: Document | None
) -> list[dict[str, Any]]:
    """Each run with its figures, samples and matches, in the order the runs were sent."""
    samples, waits = samples_of(information["rows"]), since_previous(metrics)
    told = identification["runs"] if identification else {}
    return [
        {
            **found,
            "key": key,
            "samples": samples.get(key, []),
            "wait_min": waits.get(key),
            "matches": told.get(key),
            "errors": figures.histogram(told[key]["errors_ppm"]) if key in told else None,
        }
        for key, found in metrics.items()
    ]


def drawn(metrics: Mapping[str, Document], identification: Document | None) -> dict[str, Any]:
    """What the script draws: points of the chromatograms, and when peptides were identified."""
    told = identification["runs"] if identification else {}
    return {
        key: {
            "points": [
                [figures.rounded(figure) for figure in point] for point in found["chromatogram"]
            ],
            "identified": [round(time, 3) for time in told.get(key, {}).get("times_min", [])],
        }
        for key, found in metrics.items()
    }


def script_safe(data: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text
