"""The collection `runs` as a queue: order, claims and leases.

The number of an attempt is its fencing token: each claim increments it, and every write of an
attempt names it, so an attempt that was given up can no longer change anything.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.collection import Collection
from pymongo.database import Database

from services.database.driver_errors import translate_method_errors
from services.database.paging import milliseconds
from services.database.run_documents import Document, by_id, change, live, read
from services.errors import Message, TransitionRefused
from services.models import Progress, Run, State

ORDER = [("priority", DESCENDING), ("rank", ASCENDING), ("_id", ASCENDING)]
WAITING = {"state": State.QUEUED.value}
HOST_UNREACHABLE = Message("system_error", "The host {host} stopped responding.")
HOST_BACK = Message("ok", "The host {host} responds again.")


@dataclass(frozen=True)
class Claim:
    """A run that this host executes, under this attempt number."""

    run: Run
    attempt: int


@dataclass(frozen=True)
class Lease:
    """The host that holds a live run, and when its lease expires unless it is renewed."""

    run_id: str
    attempt: int
    state: State
    host: str
    until: datetime


@dataclass(frozen=True)
class Usage:
    """The number of live runs, their cores, and the number of runs of each owner."""

    runs: int = 0
    cores: int = 0
    owners: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class QueueEntry:
    """A waiting run, or a live run with the start of its attempt."""

    run_id: str
    workflow: str
    owner: str
    cores: int
    since: datetime | None = None  # start of the attempt; None: it waits
    not_before: datetime | None = None  # time of the next attempt after a failure


@translate_method_errors
class QueueStore:
    """Claims, leases and the order of waiting runs."""

    def __init__(self, database: Database[Document]) -> None:
        self._runs = database["runs"]

    def create_indexes(self) -> None:
        # Owner and cores are part of the index so that a claim does not read the runs it skips.
        keys = [*ORDER, ("owner", ASCENDING), ("cores", ASCENDING)]
        self._runs.create_index(keys, name="line", partialFilterExpression=WAITING)

    def claim(
        self,
        *,
        host: str,
        now: datetime,
        lease: timedelta,
        cores: int | None = None,
        passing: Sequence[str] = (),
    ) -> Claim | None:
        """Claim the next queued run: QUEUED → INITIALIZING. None when no run qualifies.

        Runs that need more than `cores` are skipped, and so are runs of the owners in `passing`
        and those that are not yet tried again after a failure.
        """
        now = milliseconds(now)
        number = {"$add": ["$attempt", 1]}
        attempt = {"number": number, "host": {"$literal": host}, "started": now}
        query: Document = {**WAITING, "not_before": {"$not": {"$gt": now}}}
        if cores is not None:
            query["cores"] = {"$lte": cores}
        if passing:
            query["owner"] = {"$nin": list(passing)}
        document = self._runs.find_one_and_update(
            query,
            [
                {
                    "$set": {
                        "state": State.INITIALIZING.value,
                        "attempt": number,
                        "attempts": {"$concatArrays": ["$attempts", [attempt]]},
                        "history": {
                            "$concatArrays": ["$history", [change(State.INITIALIZING, now)]]
                        },
                        "lease": {"host": {"$literal": host}, "until": now + lease},
                        "progress": Progress().model_dump(),
                    }
                },
                {"$unset": ["plan", "links", "not_before"]},
            ],
            sort=ORDER,
            return_document=ReturnDocument.AFTER,
        )
        return Claim(read(document), document["attempt"]) if document else None

    def renew(self, run_id: str, attempt: int, *, now: datetime, lease: timedelta) -> State:
        """Extend a lease and return the state of the run: CANCELING asks the holder to stop.

        Raises TransitionRefused when the attempt has ended or is not the present one.
        """
        now = milliseconds(now)
        before = self._runs.find_one_and_update(
            {**by_id(run_id), "attempt": attempt, **live()},
            {"$set": {"lease.until": now + lease}, "$unset": {"unreachable": ""}},
            projection={"state": 1, "unreachable": 1, "lease": 1},
        )
        if before is None:
            raise TransitionRefused
        state = State(before["state"])
        if "unreachable" in before:
            note = HOST_BACK(host=before["lease"]["host"])
            line = change(state, now, str(note))
            self._runs.update_one(
                {**by_id(run_id), "attempt": attempt}, {"$push": {"history": line}}
            )
        return state

    def leases(self) -> list[Lease]:
        """Return the leases of all live runs."""
        documents = self._runs.find(live(), {"attempt": 1, "state": 1, "lease": 1})
        return [
            Lease(
                str(document["_id"]),
                document["attempt"],
                State(document["state"]),
                document["lease"]["host"],
                document["lease"]["until"],
            )
            for document in documents
        ]

    def flag_unreachable(self, lease: Lease, *, now: datetime) -> bool:
        """Flag a run whose host does not renew its lease; False if flagged already or renewed.

        The run keeps its state and its holder: the next renewal removes the flag.
        """
        note = HOST_UNREACHABLE(host=lease.host)
        query = {
            **by_id(lease.run_id),
            "attempt": lease.attempt,
            "state": lease.state.value,
            "lease.until": lease.until,
            "unreachable": {"$exists": False},
        }
        update = {
            "$set": {"unreachable": lease.until},
            "$push": {"history": change(lease.state, milliseconds(now), str(note))},
        }
        return self._runs.update_one(query, update).modified_count == 1

    def usage(self, *, host: str) -> Usage:
        """Return what the live runs of a host use now."""
        query = {**live(), "lease.host": host}
        documents = list(self._runs.find(query, {"cores": 1, "owner": 1}))
        owners = Counter(document["owner"] for document in documents)
        return Usage(len(documents), sum(document["cores"] for document in documents), owners)

    def line(self, limit: int) -> list[QueueEntry]:
        """Return the first `limit` waiting runs, in the order in which they are claimed."""
        fields = {"workflow": 1, "owner": 1, "cores": 1, "not_before": 1}
        cursor = self._runs.find(WAITING, fields)
        return [_entry(document) for document in cursor.sort(ORDER).limit(limit)]

    def working(self) -> list[QueueEntry]:
        """Return the live runs whose host is reachable, each with the start of its attempt."""
        fields = {"workflow": 1, "owner": 1, "cores": 1, "attempts": {"$slice": -1}}
        query = {**live(), "unreachable": {"$exists": False}}
        return [_entry(document) for document in self._runs.find(query, fields)]

    def usual_seconds(self, workflow: str) -> float | None:
        """Return the median duration of the last 20 completed runs; None when there are none."""
        cursor = self._runs.find(
            {"workflow": workflow, "state": State.COMPLETE.value},
            {"started": 1, "ended": 1},
        )
        seconds = [
            (document["ended"] - document["started"]).total_seconds()
            for document in cursor.sort("ended", DESCENDING).limit(20)
            if "started" in document
        ]
        return statistics.median(seconds) if seconds else None


def rank(runs: Collection[dict[str, Any]], owner: str, priority: int) -> int:
    """Return the rank of an owner's next run among the waiting runs of a priority.

    Owners take turns: a new run ranks directly after the last waiting run of its owner, and never
    before the run that is claimed next (start-time fair queueing, SIGCOMM 1996).
    """
    waiting = {**WAITING, "priority": priority}
    first = runs.find_one(waiting, {"rank": 1}, sort=[("rank", ASCENDING)])
    own = runs.find_one({**waiting, "owner": owner}, {"rank": 1}, sort=[("rank", DESCENDING)])
    return max(first["rank"] if first else 0, own["rank"] + 1 if own else 0)


def _entry(document: Document) -> QueueEntry:
    attempts = document.get("attempts")
    since = attempts[0]["started"] if attempts else None
    return QueueEntry(
        str(document["_id"]),
        document["workflow"],
        document["owner"],
        document["cores"],
        since,
        document.get("not_before"),
    )
