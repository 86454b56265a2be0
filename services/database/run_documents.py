"""How a run stands in its document, and the pieces of queries and updates that several need."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from services.database.paging import identifier
from services.models import LIVE, Cause, Run, RunFilter, State

Document = dict[str, Any]

#: Fields for us alone. `resumed` is the number of the last attempt before the run was resumed.
HIDDEN = ("_id", "attempt", "idempotency", "lease", "links", "plan", "rank", "resumed")


def read(document: Document) -> Run:
    """The run in a document."""
    fields = {key: value for key, value in document.items() if key not in HIDDEN}
    for absent in ("started", "ended", "error", "cause"):
        fields.setdefault(absent, None)
    return Run(id=str(document["_id"]), **{**fields, "params": json.loads(document["params"])})


def one(run_id: str, owner: str | None = None) -> Document:
    """Matches one run, if it is the owner's."""
    query: Document = {"_id": identifier(run_id)}
    if owner is not None:
        query["owner"] = owner
    return query


def live() -> Document:
    """Matches runs that somebody holds a lease on."""
    return {"state": {"$in": [state.value for state in State if state in LIVE]}}


def matching(wanted: RunFilter, owner: str | None) -> Document:
    """Matches what a filter asks for, as far as `owner` may see it."""
    query: Document = {}
    if wanted.owner is not None:
        query["owner"] = wanted.owner
    if owner is not None:
        query = {"$and": [query, {"owner": owner}]}
    if wanted.id:
        query["_id"] = {"$in": [identifier(run_id) for run_id in wanted.id]}
    if wanted.state:
        query["state"] = {"$in": [state.value for state in wanted.state]}
    if wanted.workflow is not None:
        query["workflow"] = wanted.workflow
    if wanted.file is not None:
        query["inputs.file"] = wanted.file
    if wanted.text:
        part = {"$regex": re.escape(wanted.text), "$options": "i"}
        ways: list[Document] = [
            {field: part} for field in ("name", "tags", "workflow", "workflow_title", "owner")
        ]
        if (exact := identifier(wanted.text)) is not None:
            ways.append({"_id": exact})
        query["$or"] = ways
    return query


def change(state: State, now: datetime, note: str = "") -> Document:
    """A line of the history."""
    return {"state": state.value, "at": now, "note": note}


def moved(target: State, now: datetime, note: str, cause: Cause | None) -> Document:
    """The update that brings a run to `target`."""
    put: Document = {"state": target.value}
    drop: Document = {}
    update: Document = {"$set": put, "$push": {"history": change(target, now, note)}}
    if target is State.RUNNING:
        update["$min"] = {"started": now}
    if target.final or target is State.QUEUED:
        drop |= {"lease": "", "unreachable": ""}
    if target is State.QUEUED:
        drop |= {"ended": "", "error": "", "cause": ""}
    if target.final:
        put["ended"] = now
        if cause is not None:
            put |= {"error": cause.message, "cause": cause.model_dump(mode="json")}
    if drop:
        update["$unset"] = drop
    return update
