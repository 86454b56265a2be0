"""Writes what is known of a workflow as a `rundesk.yaml`, which its authors can take over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from services.catalogue.layout import form
from services.catalogue.overlays import overlay_of
from services.catalogue.recognition import recognise
from services.models import Workflow


def exported(folder: Path, workflow: Workflow) -> str:
    """Return the manifest of the workflow in a folder as YAML. Raises Broken."""
    own = form(folder)
    content: dict[str, Any] = {
        key: value
        for key in ("title", "summary", "category", "version", "takes", "gives", "license")
        if (value := getattr(workflow, key))
    }
    sheets: dict[str, Any] = {}
    files: dict[str, str] = {}
    folders: list[str] = []
    for fact in recognise(folder, own.configuration.values, {}):
        name = ".".join(fact.path)
        if fact.kind == "sheet":
            columns = (fact.rows or {}).get("properties", {})
            sheets[name] = {
                "columns": list(columns),
                "files": [key for key, column in columns.items() if "format" in column],
            }
        elif fact.kind == "folder":
            folders.append(name)
        else:
            files[name] = fact.pattern
    content |= {"sheets": sheets, "files": files, "folders": folders}
    content["texts"] = sorted(".".join(path) for path in overlay_of(folder).texts)
    kept = {key: value for key, value in content.items() if value}
    return str(yaml.safe_dump(kept, sort_keys=False, allow_unicode=True))
