"""Runs: their documents and the state machine. One atomic statement per change."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from services.database.driver_errors import guarded
from services.database.paging import NEWEST_FIRST, milliseconds, page
from services.database.queue import rank
from services.database.run_documents import Document, change, live, matching, moved, one, read
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


@dataclass(frozen=True)
class Plan:
    """What an attempt set out to do: jobs per rule, and which rule waits for which."""

    attempt: int
    jobs: dict[str, int]
    links: list[tuple[str, str]]


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended; the fields are those of its entry in the run."""

    state: State
    exit_code: int | None = None
    failures: int | None = None
    limit: int | None = None


@guarded
class RunStore:
    """The collection `runs`. `owner=None` means any owner."""

    def __init__(self, database: Database[Document]) -> None:
        self._runs = database["runs"]

    def create_indexes(self) -> None:
        self._runs.create_indexes(
            [
                IndexModel("state"),
                IndexModel(NEWEST_FIRST),
                IndexModel([("owner", ASCENDING), *NEWEST_FIRST]),
                IndexModel([("owner", ASCENDING), ("state", ASCENDING), *NEWEST_FIRST]),
                IndexModel([("workflow", ASCENDING), ("state", ASCENDING), ("ended", DESCENDING)]),
                IndexModel("inputs.file"),
                IndexModel(
                    [("owner", ASCENDING), ("idempotency.key", ASCENDING)],
                    unique=True,
                    partialFilterExpression={"idempotency.key": {"$exists": True}},
                ),
            ]
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
            "rank": rank(self._runs, accepted.owner, accepted.priority),
            "attempt": 0,
            "resumed": 0,
            "attempts": [],
            "progress": Progress().model_dump(),
            "history": [change(State.QUEUED, now)],
        }
        if key is not None:
            document["idempotency"] = {"key": key, "body": body}
        try:
            self._runs.insert_one(document)
        except DuplicateKeyError:
            there = self._runs.find_one({"owner": accepted.owner, "idempotency.key": key})
            if there is None:
                raise
            return read(there), str(there["idempotency"]["body"])
        return read(document), body

    def by_key(self, owner: str, key: str) -> tuple[Run, str] | None:
        """The run submitted under an idempotency key, and the digest of its body."""
        there = self._runs.find_one({"owner": owner, "idempotency.key": str(key)})
        return (read(there), str(there["idempotency"]["body"])) if there else None

    def get(self, run_id: str, owner: str | None) -> Run | None:
        document = self._runs.find_one(one(run_id, owner))
        return read(document) if document else None

    def page(self, wanted: RunFilter, owner: str | None) -> Page[Run]:
        return page(self._runs, matching(wanted, owner), wanted.after, wanted.limit, read)

    def counts(self, owner: str | None) -> dict[State, int]:
        """Runs per state; every state is there."""
        match = {} if owner is None else {"owner": owner}
        grouped = self._runs.aggregate(
            [{"$match": match}, {"$group": {"_id": "$state", "n": {"$sum": 1}}}]
        )
        found = {group["_id"]: group["n"] for group in grouped}
        return {state: found.get(state.value, 0) for state in State}

    def tally(self, owner: str | None) -> dict[str, dict[State, int]]:
        """Runs per workflow, by name, and state; every state is there."""
        match = {} if owner is None else {"owner": owner}
        by_both = {"_id": {"workflow": "$workflow", "state": "$state"}, "n": {"$sum": 1}}
        found: dict[str, dict[State, int]] = {}
        for group in self._runs.aggregate([{"$match": match}, {"$group": by_both}]):
            states = found.setdefault(group["_id"]["workflow"], dict.fromkeys(State, 0))
            states[State(group["_id"]["state"])] = group["n"]
        return dict(sorted(found.items()))

    def plan(self, run_id: str) -> Plan | None:
        document = self._runs.find_one(one(run_id), {"attempt": 1, "plan": 1, "links": 1})
        if document is None:
            return None
        links = [(link[0], link[1]) for link in document.get("links", [])]
        jobs = {entry[0]: entry[1] for entry in document.get("plan", [])}
        return Plan(document["attempt"], jobs, links)

    def failures(self, run_id: str, before: int) -> Counter[State]:
        """How attempts before number `before` ended, of those since it was last resumed."""
        document = self._runs.find_one(one(run_id), {"resumed": 1, "attempts": 1}) or {}
        return Counter(
            State(attempt["state"])
            for attempt in document.get("attempts", ())
            if document.get("resumed", 0) < attempt["number"] < before and attempt.get("state")
        )

    def describe(self, run_id: str, **fields: Any) -> Run | None:
        """Set what people call a run; its state does not matter. None when it is gone."""
        document = self._runs.find_one_and_update(
            one(run_id), {"$set": fields}, return_document=ReturnDocument.AFTER
        )
        return read(document) if document else None

    def uses(self, file_id: str, owner: str | None = None) -> int:
        """How many runs (of an owner) have that file among their inputs; 1000 at most."""
        query = {"inputs.file": str(file_id)} | ({} if owner is None else {"owner": owner})
        return self._runs.count_documents(query, limit=1000)

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
        outcome: Outcome | None = None,
        ran: datetime | None = None,
    ) -> Run:
        """Move a run to `target` and append to its history, in one write.

        `ran`: by way of RUNNING, from then on; only a run that is INITIALIZING takes that way.
        The entry of an `attempt` that ends so gets its `outcome`, `target` by itself. Raises
        TransitionRefused when the present state does not allow that, or when `attempt` is given
        and is over or no longer the present one.
        """
        now = milliseconds(now)
        update = moved(target, now, note, cause)
        query, filters = one(run_id, owner), None
        if ran is not None:
            only_from, ran = [State.INITIALIZING], milliseconds(ran)
            lines = [change(State.RUNNING, ran), update["$push"]["history"]]
            update |= {"$push": {"history": {"$each": lines}}, "$min": {"started": ran}}
        if attempt is not None:  # what is over, or waits again, is not an attempt's to move
            query["attempt"] = attempt
            only_from = [state for state in only_from or LIVE if state in LIVE]
            if target.final or target is State.QUEUED:
                entry = vars(outcome or Outcome(target)) | {"ended": now, "cause": None}
                if cause is not None:
                    entry["cause"] = cause.model_dump(mode="json")
                update["$set"] |= {f"attempts.$[own].{name}": entry[name] for name in entry}
                filters = [{"own.number": attempt}]
        return self._moved(query, target, update, only_from, filters)

    def requeue(self, run: Run, *, now: datetime, note: str) -> Run:
        """Put a run that is over back into the queue, behind its owner's others.

        Its attempts are counted anew. Raises TransitionRefused unless it failed or was canceled.
        """
        update = moved(State.QUEUED, milliseconds(now), note, None)
        update["$set"] |= {
            "rank": rank(self._runs, run.owner, run.priority),
            "resumed": run.attempts[-1].number if run.attempts else 0,
        }
        return self._moved(one(run.id), State.QUEUED, update, list(FINAL))

    def _moved(
        self,
        query: Document,
        target: State,
        update: Document,
        only_from: Sequence[State] | None,
        filters: list[Document] | None = None,
    ) -> Run:
        allowed = sources(target)
        if only_from is not None:
            allowed = [state for state in allowed if state in only_from]
        query["state"] = {"$in": [state.value for state in allowed]}
        document = self._runs.find_one_and_update(
            query, update, array_filters=filters, return_document=ReturnDocument.AFTER
        )
        if document is None:
            raise TransitionRefused
        return read(document)

    def delete(self, run_id: str) -> bool:
        """Delete a run if it is over; whether it was."""
        over = {"$in": [state.value for state in FINAL]}
        return self._runs.delete_one({**one(run_id), "state": over}).deleted_count == 1

    def report(self, run_id: str, attempt: int, fields: dict[str, Any]) -> None:
        """Set reported fields (progress, plan, links) while the attempt is the live one."""
        self._runs.update_one({**one(run_id), "attempt": attempt, **live()}, {"$set": fields})
