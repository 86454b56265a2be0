"""What the earlier jobs left, read again."""

import json
from pathlib import Path
from typing import Any

Document = dict[str, Any]


def read_inputs(given) -> tuple[Document, dict[str, Document], Document | None]:
    """Information, the metrics of each run by its key, and what was identified, if anything."""
    paths = [Path(path) for path in _several(given.metrics)]
    metrics = {path.stem: _read(path) for path in paths}
    identification = given.get("identification")
    return (
        _read(Path(given.information)),
        metrics,
        _read(Path(identification)) if identification else None,
    )


def _several(paths) -> list[str]:
    """Snakemake gives a list of one file as that file."""
    return [paths] if isinstance(paths, str) else list(paths)


def _read(path: Path) -> Document:
    return json.loads(path.read_text(encoding="utf-8"))
