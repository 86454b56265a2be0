"""The vocabulary of run crates: profiles, types, ids and simple entities."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from services.models import Result, State

Entity = dict[str, Any]

METADATA = "ro-crate-metadata.json"
CONTEXT = [
    "https://w3id.org/ro/crate/1.1/context",
    "https://w3id.org/ro/terms/workflow-run/context",
]
RO_CRATE = "https://w3id.org/ro/crate/1.1"
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    WORKFLOW_CRATE: ("Workflow RO-Crate", "1.0"),
}
BIOSCHEMAS = "https://bioschemas.org/profiles"
FORMAL_PARAMETER = f"{BIOSCHEMAS}/FormalParameter/1.0-RELEASE"
COMPUTATIONAL_WORKFLOW = f"{BIOSCHEMAS}/ComputationalWorkflow/1.0-RELEASE"
LANGUAGE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
SNAKEMAKE = "https://snakemake.readthedocs.io"
NO_LICENSE = "No license is specified. Ask the owner of the run before you share this crate."
NO_WORKFLOW_LICENSE = "No license is specified."
TYPES = {"boolean": "Boolean", "integer": "Integer", "number": "Float", "string": "Text"}
STATUS = {
    State.COMPLETE: "http://schema.org/CompletedActionStatus",
    State.EXECUTOR_ERROR: "http://schema.org/FailedActionStatus",
}


def file(name: str, path: str) -> Entity:
    media_type = mimetypes.guess_type(path)[0]
    entity = {"@id": name, "@type": "File", "name": PurePosixPath(path).name}
    return entity | ({"encodingFormat": media_type} if media_type else {})


def formal(name: str, title: str, kind: str, field: Mapping[str, Any]) -> Entity:
    description = field.get("description") or field.get("title")
    return {
        "@id": name,
        "@type": "FormalParameter",
        "name": title,
        "additionalType": kind,
        "conformsTo": {"@id": FORMAL_PARAMETER},
        **({"description": description} if description else {}),
    }


def kind_of(field: Mapping[str, Any], is_file: bool) -> str:
    kind = field.get("type")
    return "File" if is_file else TYPES.get(kind if isinstance(kind, str) else "", "PropertyValue")


def parameter(name: str) -> str:
    return f"#param/{quote(name, safe='')}"


def value(name: str) -> str:
    return f"#value/{quote(name, safe='')}"


def output(result: Result) -> str:
    return f"#output/{quote(result.path)}"


def references(names: Iterable[str]) -> Entity | list[Entity]:
    """Return references to entities; a single one is not a list (RO-Crate 1.1, JSON-LD)."""
    items = [{"@id": name} for name in dict.fromkeys(names)]
    return items[0] if len(items) == 1 else items


def time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
