"""The collection `runs` as a queue: who is next, who holds what, and until when.

The number of an attempt is its fencing token: each claim makes the next one, and every write of an
attempt names it, so that one which was given up can no longer change anything.
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

from services.database.driver_errors import guarded
from services.database.paging import milliseconds
from services.database.run_documents import Document, change, live, one, read
from services.errors import TransitionRefused
from services.models import Progress, Run, State

ORDER = [("priority", DESCENDING), ("rank", ASCENDING), ("_id", ASCENDING)]
WAITING = {"state": State.QUEUED.value}


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
    """What the live runs take: how many they are, their cores, and how many each owner has."""

    runs: int = 0
    cores: int = 0
    owners: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """A run that waits, or one at work since `since`."""

    run_id: str
    workflow: str
    owner: str
    cores: int
    since: datetime | None = None


@guarded
class QueueStore:
    """Claims, leases and the line of waiting runs."""

    def __init__(self, database: Database[Document]) -> None:
        self._runs = database["runs"]

    def create_indexes(self) -> None:
        # Owner and cores at its end: runs that a claim passes over need not be read for that.
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
        """Take the next queued run: QUEUED → INITIALIZING.

        `cores` is what it may need at most; runs of the owners in `passing` are passed over.
        """
        now = milliseconds(now)
        number = {"$add": ["$attempt", 1]}
        attempt = {"number": number, "host": {"$literal": host}, "started": now}
        query: Document = dict(WAITING)
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
                {"$unset": ["plan", "links"]},
            ],
            sort=ORDER,
            return_document=ReturnDocument.AFTER,
        )
        return Claim(read(document), document["attempt"]) if document else None

    def renew(self, run_id: str, attempt: int, *, now: datetime, lease: timedelta) -> State:
        """Prolong a lease and tell the state now: CANCELING asks the holder to stop.

        Raises TransitionRefused when the attempt is over or another one has begun.
        """
        now = milliseconds(now)
        before = self._runs.find_one_and_update(
            {**one(run_id), "attempt": attempt, **live()},
            {"$set": {"lease.until": now + lease}, "$unset": {"unreachable": ""}},
            projection={"state": 1, "unreachable": 1, "lease": 1},
        )
        if before is None:
            raise TransitionRefused
        state = State(before["state"])
        if "unreachable" in before:
            note = f"The host {before['lease']['host']} is back."
            line = change(state, now, note)
            self._runs.update_one({**one(run_id), "attempt": attempt}, {"$push": {"history": line}})
        return state

    def leases(self) -> list[Lease]:
        """All live runs."""
        found = self._runs.find(live(), {"attempt": 1, "state": 1, "lease": 1})
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

    def flag_unreachable(self, lease: Lease, *, now: datetime) -> bool:
        """Say that the holder of a lease gave no sign of life; False when that is known or wrong.

        The run stays what it is, and its holder's: the next renewal takes the flag away.
        """
        note = f"The host {lease.host} gives no sign of life."
        query = {
            **one(lease.run_id),
            "attempt": lease.attempt,
            "state": lease.state.value,
            "lease.until": lease.until,
            "unreachable": {"$exists": False},
        }
        update = {
            "$set": {"unreachable": lease.until},
            "$push": {"history": change(lease.state, milliseconds(now), note)},
        }
        return self._runs.update_one(query, update).modified_count == 1

    def usage(self, *, host: str) -> Usage:
        """What the live runs of a host take now."""
        query = {**live(), "lease.host": host}
        found = list(self._runs.find(query, {"cores": 1, "owner": 1}))
        owners = Counter(document["owner"] for document in found)
        return Usage(len(found), sum(document["cores"] for document in found), owners)

    def line(self, limit: int) -> list[Place]:
        """The waiting runs, in the order in which they are served."""
        found = self._runs.find(WAITING, {"workflow": 1, "owner": 1, "cores": 1})
        return [_place(document) for document in found.sort(ORDER).limit(limit)]

    def working(self) -> list[Place]:
        """The live runs whose host answers, each with the start of its attempt."""
        fields = {"workflow": 1, "owner": 1, "cores": 1, "attempts": {"$slice": -1}}
        query = {**live(), "unreachable": {"$exists": False}}
        return [_place(document) for document in self._runs.find(query, fields)]

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


def rank(runs: Collection[dict[str, Any]], owner: str, priority: int) -> int:
    """Where an owner's next run stands among the waiting ones of that priority.

    Owners are served in turn: each run of an owner ranks one behind the owner's last one, and
    nobody ranks before the run that is served next (start-time fair queueing, SIGCOMM 1996).
    """
    waiting = {**WAITING, "priority": priority}
    served = runs.find_one(waiting, {"rank": 1}, sort=[("rank", ASCENDING)])
    own = runs.find_one({**waiting, "owner": owner}, {"rank": 1}, sort=[("rank", DESCENDING)])
    return max(served["rank"] if served else 0, own["rank"] + 1 if own else 0)


def _place(document: Document) -> Place:
    attempts = document.get("attempts")
    since = attempts[0]["started"] if attempts else None
    return Place(
        str(document["_id"]), document["workflow"], document["owner"], document["cores"], since
    )
