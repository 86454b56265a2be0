"""Reading of the output of earlier jobs."""

import json
from pathlib import Path
from typing import Any

from ms_report.ending import InputProblem

Document = dict[str, Any]


def read_inputs(inputs) -> tuple[Document, dict[str, Document], Document | None]:
    """Return information, metrics by run key, and identification (None without a search).

    Raises InputProblem if no run could be measured.
    """
    paths = [Path(path) for path in _several(inputs.metrics)]
    metrics = {path.stem: _read(path) for path in paths}
    _require_a_run(metrics)
    identification = inputs.get("identification")
    return (
        _read(Path(inputs.information)),
        metrics,
        _read(Path(identification)) if identification else None,
    )


def _require_a_run(metrics: dict[str, Document]) -> None:
    problems = [figures["problem"] for figures in metrics.values()]
    if all(problems):
        start = ["None of the runs can be used."] if len(problems) > 1 else []
        raise InputProblem(" ".join([*start, *problems]))


def _several(paths) -> list[str]:
    """Return a list. Snakemake passes a list of one file as that file."""
    return [paths] if isinstance(paths, str) else list(paths)


def _read(path: Path) -> Document:
    return json.loads(path.read_text(encoding="utf-8"))
