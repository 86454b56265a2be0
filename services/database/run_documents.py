"""The documents of runs, and the queries and updates that several stores share."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from services.database.paging import identifier
from services.models import LIVE, Cause, Run, RunFilter, State

Document = dict[str, Any]

#: Fields that `Run` does not have. `resumed`: number of the last attempt before a resume.
#: `not_before`: time before which a failed run is not tried again.
HIDDEN = (
    *("_id", "attempt", "idempotency", "lease", "links"),
    *("not_before", "plan", "rank", "resumed"),
)


def read(document: Document) -> Run:
    """Return the run that a document holds."""
    fields = {key: value for key, value in document.items() if key not in HIDDEN}
    for absent in ("started", "ended", "error", "cause"):
        fields.setdefault(absent, None)
    return Run(id=str(document["_id"]), **{**fields, "params": json.loads(document["params"])})


def by_id(run_id: str, owner: str | None = None) -> Document:
    """Return the query for one run, if it belongs to `owner`."""
    query: Document = {"_id": identifier(run_id)}
    if owner is not None:
        query["owner"] = owner
    return query


def live() -> Document:
    """Return the query for runs that a host holds a lease on."""
    return {"state": {"$in": [state.value for state in State if state in LIVE]}}


def matching(filters: RunFilter, owner: str | None) -> Document:
    """Return the query for the runs that match a filter and that `owner` may see."""
    query: Document = {}
    if filters.owner is not None:
        query["owner"] = filters.owner
    if owner is not None:
        query = {"$and": [query, {"owner": owner}]}
    if filters.id:
        query["_id"] = {"$in": [identifier(run_id) for run_id in filters.id]}
    if filters.state:
        query["state"] = {"$in": [state.value for state in filters.state]}
    if filters.workflow is not None:
        query["workflow"] = filters.workflow
    if filters.file is not None:
        query["inputs.file"] = filters.file
    if filters.tag:
        query["tags"] = {"$all": filters.tag}
    times = {"$gte": filters.since, "$lt": filters.until}
    if any(times.values()):
        query["created"] = {key: time for key, time in times.items() if time is not None}
    if filters.text:
        part = {"$regex": re.escape(filters.text), "$options": "i"}
        alternatives: list[Document] = [
            {field: part} for field in ("name", "tags", "workflow", "workflow_title", "owner")
        ]
        if (exact := identifier(filters.text)) is not None:
            alternatives.append({"_id": exact})
        query["$or"] = alternatives
    return query


def change(state: State, now: datetime, note: str = "") -> Document:
    """Return a line of the history."""
    return {"state": state.value, "at": now, "note": note}


def update_for(
    target: State, now: datetime, note: str = "", cause: Cause | None = None
) -> Document:
    """Return the update that moves a run to `target` and appends that to its history."""
    put: Document = {"state": target.value}
    drop: Document = {}
    update: Document = {"$set": put, "$push": {"history": change(target, now, note)}}
    if target is State.RUNNING:
        update["$min"] = {"started": now}
    if target.final or target is State.QUEUED:
        drop |= {"lease": "", "unreachable": "", "not_before": "", "publishing": ""}
    if target is State.QUEUED:
        drop |= {"ended": "", "error": "", "cause": ""}
    if target.final:
        put["ended"] = now
        if cause is not None:
            put |= {"error": cause.message, "cause": cause.model_dump(mode="json")}
    if drop:
        update["$unset"] = drop
    return update
