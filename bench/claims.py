"""Claims per second from a long queue, by 1 to 16 processes.

`python -m bench.claims [--queue 20000] [--seconds 5]`. The peer is the pattern in which one query
finds queued runs *or* live runs with an expired lease; Rundesk requeues the latter in a separate
step. Same documents, indexes and server. No run may be claimed twice.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from bson import ObjectId
from pymongo import MongoClient, ReturnDocument
from pymongo.collection import Collection

from bench import stand
from services.database import Database
from services.database.queue import ORDER
from services.models import LIVE, State, Submission
from services.settings import Settings

NAME = "claims"
LEASE = timedelta(minutes=5)
CLAIMERS = (1, 2, 4, 8, 16)
Claimed = list[tuple[str, int]]  # runs with the number of the attempt


@dataclass(frozen=True)
class Task:
    """The task of a claimer: claim with the query `way` until a time."""

    uri: str
    way: str
    until: float  # seconds since the epoch


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--queue", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--claimers", type=int, nargs="+", default=CLAIMERS)
    chosen = parser.parse_args(arguments)
    with (
        stand.reported(f"claims: {chosen.queue} queued runs, {chosen.seconds:.0f} s each"),
        stand.folder() as place,
        stand.mongod(place) as server,
    ):
        uri = Settings(db_port=server.port).uri
        fill(uri, chosen.queue)
        for claimers in chosen.claimers:
            ours = measure(uri, "ours", claimers, chosen.seconds)
            peer = measure(uri, "peer", claimers, chosen.seconds)
            print(
                f"  {claimers:2} claimers: {ours:6.0f} claims/s   with $or {peer:6.0f}"
                f"   {ours / max(peer, 0.1):5.1f} times",
                flush=True,
            )
        print("  claimed twice: 0")


def fill(uri: str, runs: int) -> None:
    """Queue copies of a run."""
    database = Database(uri, NAME, patience=60)
    database.create_indexes()
    accepted = Submission(
        name="run",
        workflow="w",
        workflow_title="W",
        workflow_version="",
        digest="d",
        owner="ann",
        tags=[],
        params={"evalue": 1e-3, "queries": "x"},
        inputs=[],
        cores=1,
    )
    database.runs.add(accepted, now=datetime.now(UTC))
    database.close()
    with MongoClient[dict[str, Any]](uri) as client:
        stored = client[NAME]["runs"]
        first = stored.find_one() or {}
        stored.insert_many(
            [{**first, "_id": ObjectId(), "rank": rank} for rank in range(1, runs)], ordered=False
        )


def measure(uri: str, way: str, claimers: int, seconds: float) -> float:
    """Return claims per second. Raises SystemExit when a run was claimed twice."""
    requeue(uri)
    with multiprocessing.get_context("spawn").Pool(claimers) as pool:
        pool.map(ready, range(claimers), chunksize=1)
        begun = time.time()
        task = Task(uri, way, begun + seconds)
        results = pool.map(claim, [task] * claimers, chunksize=1)
        took = time.time() - begun
    claims = [claimed for result in results for claimed in result]
    if len(set(claims)) != len(claims):
        raise SystemExit(f"{len(claims) - len(set(claims))} runs were claimed twice")
    return len(claims) / took


def ready(_: int) -> None:
    """Occupy a process of the pool until all have started."""
    time.sleep(0.5)


def claim(task: Task) -> Claimed:
    """Claim until the time is up or the queue is empty."""
    database = Database(task.uri, NAME, patience=60)
    client = MongoClient[dict[str, Any]](task.uri)
    ways: dict[str, Callable[[], tuple[str, int] | None]] = {
        "ours": partial(by_us, database),
        "peer": partial(with_or, client[NAME]["runs"]),
    }
    claim_once, claimed = ways[task.way], []
    while time.time() < task.until and (run := claim_once()):
        claimed.append(run)
    database.close()
    client.close()
    return claimed


def by_us(database: Database) -> tuple[str, int] | None:
    found = database.queue.claim(host="bench", now=datetime.now(UTC), lease=LEASE)
    return (found.run.id, found.attempt) if found else None


def with_or(runs: Collection[dict[str, Any]]) -> tuple[str, int] | None:
    """Claim with one query, the pattern of many queues on MongoDB."""
    now = datetime.now(UTC)
    expired = {"state": {"$in": [state.value for state in LIVE]}, "lease.until": {"$lt": now}}
    found = runs.find_one_and_update(
        {"$or": [{"state": State.QUEUED.value}, expired]},
        {
            "$set": {
                "state": State.INITIALIZING.value,
                "lease": {"host": "bench", "until": now + LEASE},
            },
            "$inc": {"attempt": 1},
        },
        sort=ORDER,
        return_document=ReturnDocument.AFTER,
    )
    return (str(found["_id"]), found["attempt"]) if found else None


def requeue(uri: str) -> None:
    """Reset all runs to QUEUED."""
    with MongoClient[dict[str, Any]](uri) as client:
        client[NAME]["runs"].update_many(
            {"state": {"$ne": State.QUEUED.value}},
            {
                "$set": {"state": State.QUEUED.value, "attempt": 0, "attempts": [], "history": []},
                "$unset": {"lease": ""},
            },
        )


if __name__ == "__main__":
    main()
