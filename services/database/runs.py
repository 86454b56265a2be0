"""Runs: the queue, the state machine and the leases. One atomic statement per change.

The number of an attempt is its fencing token: each claim makes the next one, and every write of an
attempt names it, so that one which was given up can no longer change anything.
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from services.database.guard import guarded
from services.database.paging import NEWEST_FIRST, identifier, milliseconds, page
from services.errors import TransitionRefused
from services.models import (
    FINAL,
    LIVE,
    Cause,
    Page,
    Progress,
    Run,
    RunFilter,
    State,
    Submission,
    sources,
)

QUEUE_ORDER = [("priority", DESCENDING), ("rank", ASCENDING), ("_id", ASCENDING)]
HIDDEN = ("_id", "attempt", "idempotency", "lease", "links", "plan", "priority", "rank")


@dataclass(frozen=True)
class Claim:
    """A run that is ours to execute, under this attempt number."""

    run: Run
    attempt: int


@dataclass(frozen=True)
class Lease:
    """Who holds a live run, and until when without a sign of life."""

    run_id: str
    attempt: int
    state: State
    host: str
    until: datetime


@dataclass(frozen=True)
class Usage:
    """What the live runs take."""

    runs: int
    cores: int


@dataclass(frozen=True)
class Plan:
    """What an attempt set out to do: jobs per rule, and which rule waits for which."""

    attempt: int
    jobs: dict[str, int]
    links: list[tuple[str, str]]


@guarded
class RunStore:
    """The collection `runs`. `owner=None` means any owner."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._runs = database["runs"]

    def create_indexes(self) -> None:
        queued = {"state": State.QUEUED.value}
        self._runs.create_index(QUEUE_ORDER, name="queue", partialFilterExpression=queued)
        self._runs.create_index("state")
        self._runs.create_index(NEWEST_FIRST)
        self._runs.create_index([("owner", ASCENDING), *NEWEST_FIRST])
        self._runs.create_index([("owner", ASCENDING), ("state", ASCENDING), *NEWEST_FIRST])
        self._runs.create_index(
            [("workflow", ASCENDING), ("state", ASCENDING), ("ended", DESCENDING)]
        )
        self._runs.create_index("inputs.file")
        self._runs.create_index(
            [("owner", ASCENDING), ("idempotency.key", ASCENDING)],
            unique=True,
            partialFilterExpression={"idempotency.key": {"$exists": True}},
        )

    # ---- submission and reading ------------------------------------------------------------

    def add(
        self, accepted: Submission, *, now: datetime, key: str | None = None, body: str = ""
    ) -> tuple[Run, str]:
        """Store a run as QUEUED; the same owner and `key` again gives the run that is there.

        Returns the run and the digest of the body it was submitted with.
        """
        now = milliseconds(now)
        document = {
            **accepted.model_dump(mode="json", include=set(Submission.model_fields)),
            "_id": ObjectId(),
            "params": json.dumps(accepted.params),
            "state": State.QUEUED.value,
            "created": now,
            "priority": 0,
            "rank": self._rank(accepted.owner),
            "attempt": 0,
            "attempts": [],
            "progress": Progress().model_dump(),
            "history": [_change(State.QUEUED, now, "")],
        }
        if key is not None:
            document["idempotency"] = {"key": key, "body": body}
        try:
            self._runs.insert_one(document)
        except DuplicateKeyError:
            there = self._runs.find_one({"owner": accepted.owner, "idempotency.key": key})
            if there is None:
                raise
            return _run(there), str(there["idempotency"]["body"])
        return _run(document), body

    def by_key(self, owner: str, key: str) -> tuple[Run, str] | None:
        """The run submitted under an idempotency key, and the digest of its body."""
        there = self._runs.find_one({"owner": owner, "idempotency.key": str(key)})
        return (_run(there), str(there["idempotency"]["body"])) if there else None

    def get(self, run_id: str, owner: str | None) -> Run | None:
        document = self._runs.find_one(_one(run_id, owner))
        return _run(document) if document else None

    def page(self, wanted: RunFilter, owner: str | None) -> Page[Run]:
        return page(self._runs, _matching(wanted, owner), wanted.after, wanted.limit, _run)

    def counts(self, owner: str | None) -> dict[State, int]:
        """Runs per state; every state is there."""
        match = {} if owner is None else {"owner": owner}
        grouped = self._runs.aggregate(
            [{"$match": match}, {"$group": {"_id": "$state", "n": {"$sum": 1}}}]
        )
        found = {group["_id"]: group["n"] for group in grouped}
        return {state: found.get(state.value, 0) for state in State}

    def plan(self, run_id: str) -> Plan | None:
        document = self._runs.find_one(_one(run_id, None), {"attempt": 1, "plan": 1, "links": 1})
        if document is None:
            return None
        links = [(link[0], link[1]) for link in document.get("links", [])]
        jobs = {entry[0]: entry[1] for entry in document.get("plan", [])}
        return Plan(document["attempt"], jobs, links)

    def uses(self, file_id: str) -> int:
        """How many runs have that file among their inputs."""
        return self._runs.count_documents({"inputs.file": str(file_id)}, limit=1000)

    # ---- the queue -------------------------------------------------------------------------

    def claim(
        self, *, host: str, now: datetime, lease: timedelta, cores: int | None = None
    ) -> Claim | None:
        """Take the next queued run that needs at most `cores`: QUEUED → INITIALIZING."""
        now = milliseconds(now)
        number = {"$add": ["$attempt", 1]}
        attempt = {"number": number, "host": {"$literal": host}, "started": now}
        change = _change(State.INITIALIZING, now, "")
        query: dict[str, Any] = {"state": State.QUEUED.value}
        if cores is not None:
            query["cores"] = {"$lte": cores}
        document = self._runs.find_one_and_update(
            query,
            [
                {
                    "$set": {
                        "state": State.INITIALIZING.value,
                        "attempt": number,
                        "attempts": {"$concatArrays": ["$attempts", [attempt]]},
                        "history": {"$concatArrays": ["$history", [change]]},
                        "lease": {"host": {"$literal": host}, "until": now + lease},
                        "progress": Progress().model_dump(),
                    }
                },
                {"$unset": ["plan", "links"]},
            ],
            sort=QUEUE_ORDER,
            return_document=ReturnDocument.AFTER,
        )
        return Claim(_run(document), document["attempt"]) if document else None

    def line(self, limit: int) -> list[tuple[str, str]]:
        """The waiting runs as (id, workflow), in the order in which they are served."""
        found = self._runs.find({"state": State.QUEUED.value}, {"workflow": 1})
        return [
            (str(document["_id"]), document["workflow"])
            for document in found.sort(QUEUE_ORDER).limit(limit)
        ]

    def working(self) -> list[tuple[str, datetime]]:
        """The live runs as (workflow, start of the attempt)."""
        found = self._runs.find(_live(), {"workflow": 1, "attempts": {"$slice": -1}})
        return [(document["workflow"], document["attempts"][0]["started"]) for document in found]

    def usual_seconds(self, workflow: str) -> float | None:
        """Median time of the last 20 completed runs of a workflow; None when there is none."""
        found = self._runs.find(
            {"workflow": workflow, "state": State.COMPLETE.value},
            {"started": 1, "ended": 1},
        )
        seconds = [
            (document["ended"] - document["started"]).total_seconds()
            for document in found.sort("ended", DESCENDING).limit(20)
            if "started" in document
        ]
        return statistics.median(seconds) if seconds else None

    def usage(self) -> Usage:
        """Runs and cores that are taken now."""
        cores = [found["cores"] for found in self._runs.find(_live(), {"cores": 1})]
        return Usage(len(cores), sum(cores))

    def leases(self) -> list[Lease]:
        """All live runs."""
        found = self._runs.find(_live(), {"attempt": 1, "state": 1, "lease": 1})
        return [
            Lease(
                str(document["_id"]),
                document["attempt"],
                State(document["state"]),
                document["lease"]["host"],
                document["lease"]["until"],
            )
            for document in found
        ]

    def renew(self, run_id: str, attempt: int, *, until: datetime) -> State:
        """Prolong a lease and tell the state now: CANCELING asks the holder to stop.

        Raises TransitionRefused when the attempt is over or another one has begun.
        """
        document = self._runs.find_one_and_update(
            {**_one(run_id, None), "attempt": attempt, **_live()},
            {"$set": {"lease.until": until}},
            projection={"state": 1},
        )
        if document is None:
            raise TransitionRefused
        return State(document["state"])

    # ---- the state machine -----------------------------------------------------------------

    def transition(
        self,
        run_id: str,
        target: State,
        *,
        now: datetime,
        attempt: int | None = None,
        owner: str | None = None,
        only_from: Sequence[State] | None = None,
        note: str = "",
        cause: Cause | None = None,
        exit_code: int | None = None,
    ) -> Run:
        """Move a run to `target` and append to its history, in one write.

        Raises TransitionRefused when its present state does not allow that, or when `attempt` is
        given and is no longer the present one.
        """
        allowed = sources(target)
        if only_from is not None:
            allowed = [state for state in allowed if state in only_from]
        query = {**_one(run_id, owner), "state": {"$in": [state.value for state in allowed]}}
        if attempt is not None:
            query["attempt"] = attempt
        update, filters = _moved(target, milliseconds(now), attempt, note, cause, exit_code)
        document = self._runs.find_one_and_update(
            query, update, array_filters=filters, return_document=ReturnDocument.AFTER
        )
        if document is None:
            raise TransitionRefused
        return _run(document)

    def requeue(self, run: Run, *, now: datetime, note: str) -> Run:
        """Put a run that is over back into the queue, behind its owner's others.

        Raises TransitionRefused unless it failed or was canceled.
        """
        run = self.transition(run.id, State.QUEUED, now=now, only_from=list(FINAL), note=note)
        self._runs.update_one(_one(run.id, None), {"$set": {"rank": self._rank(run.owner)}})
        return run

    def delete(self, run_id: str) -> bool:
        """Delete a run if it is over; whether it was."""
        over = {"$in": [state.value for state in FINAL]}
        return self._runs.delete_one({**_one(run_id, None), "state": over}).deleted_count == 1

    def _rank(self, owner: str) -> int:
        """Where an owner's next run stands among the waiting ones.

        Owners are served in turn: each run of an owner ranks one behind the owner's last one, and
        nobody ranks before the run that is served next (start-time fair queueing, SIGCOMM 1996).
        """
        waiting = {"state": State.QUEUED.value}
        served = self._runs.find_one(waiting, {"rank": 1}, sort=[("rank", ASCENDING)])
        own = self._runs.find_one(
            {**waiting, "owner": owner}, {"rank": 1}, sort=[("rank", DESCENDING)]
        )
        return max(served["rank"] if served else 0, own["rank"] + 1 if own else 0)

    def report(self, run_id: str, attempt: int, fields: dict[str, Any]) -> None:
        """Set reported fields (progress, plan, links) while the attempt is the live one."""
        self._runs.update_one(
            {**_one(run_id, None), "attempt": attempt, **_live()}, {"$set": fields}
        )


def _moved(
    target: State,
    now: datetime,
    attempt: int | None,
    note: str,
    cause: Cause | None,
    exit_code: int | None,
) -> tuple[dict[str, Any], list[dict[str, Any]] | None]:
    """The update that performs a transition, and its array filters."""
    put: dict[str, Any] = {"state": target.value}
    drop: dict[str, Any] = {}
    update: dict[str, Any] = {"$set": put, "$push": {"history": _change(target, now, note)}}
    if target is State.RUNNING:
        update["$min"] = {"started": now}
    if target.final or target is State.QUEUED:
        drop["lease"] = ""
    if target is State.QUEUED:
        drop |= {"ended": "", "error": "", "cause": ""}
    if target.final:
        put["ended"] = now
        if cause is not None:
            put |= {"error": cause.message, "cause": cause.model_dump(mode="json")}
    filters = None
    if attempt is not None and (target.final or target is State.QUEUED):
        put["attempts.$[own].ended"] = now
        put["attempts.$[own].exit_code"] = exit_code
        put["attempts.$[own].cause"] = cause.model_dump(mode="json") if cause else None
        filters = [{"own.number": attempt}]
    if drop:
        update["$unset"] = drop
    return update, filters


def _matching(wanted: RunFilter, owner: str | None) -> dict[str, Any]:
    query: dict[str, Any] = {}
    if wanted.owner is not None:
        query["owner"] = wanted.owner
    if owner is not None:
        query = {"$and": [query, {"owner": owner}]}
    if wanted.state:
        query["state"] = {"$in": [state.value for state in wanted.state]}
    if wanted.workflow is not None:
        query["workflow"] = wanted.workflow
    if wanted.text:
        part = {"$regex": re.escape(wanted.text), "$options": "i"}
        ways: list[dict[str, Any]] = [
            {field: part} for field in ("name", "tags", "workflow", "workflow_title", "owner")
        ]
        if (exact := identifier(wanted.text)) is not None:
            ways.append({"_id": exact})
        query["$or"] = ways
    return query


def _live() -> dict[str, Any]:
    return {"state": {"$in": [state.value for state in State if state in LIVE]}}


def _one(run_id: str, owner: str | None) -> dict[str, Any]:
    query: dict[str, Any] = {"_id": identifier(run_id)}
    if owner is not None:
        query["owner"] = owner
    return query


def _change(state: State, now: datetime, note: str) -> dict[str, Any]:
    return {"state": state.value, "at": now, "note": note}


def _run(document: dict[str, Any]) -> Run:
    fields = {key: value for key, value in document.items() if key not in HIDDEN}
    for absent in ("started", "ended", "error", "cause"):
        fields.setdefault(absent, None)
    return Run(id=str(document["_id"]), **{**fields, "params": json.loads(document["params"])})
