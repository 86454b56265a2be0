"""Reading of the output of earlier jobs."""

import json
from pathlib import Path
from typing import Any

Document = dict[str, Any]


def read_inputs(inputs) -> tuple[Document, dict[str, Document], Document | None]:
    """Return information, metrics by run key, and identification (None without a search)."""
    paths = [Path(path) for path in _several(inputs.metrics)]
    metrics = {path.stem: _read(path) for path in paths}
    identification = inputs.get("identification")
    return (
        _read(Path(inputs.information)),
        metrics,
        _read(Path(identification)) if identification else None,
    )


def _several(paths) -> list[str]:
    """Return a list. Snakemake passes a list of one file as that file."""
    return [paths] if isinstance(paths, str) else list(paths)


def _read(path: Path) -> Document:
    return json.loads(path.read_text(encoding="utf-8"))
