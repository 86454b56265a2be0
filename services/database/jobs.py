"""Jobs: one document each, read by prefix of `_id` = "<run>:<attempt>:<job>"."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pymongo import ASCENDING, UpdateOne
from pymongo.database import Database

from services.database.driver_errors import translate_method_errors
from services.database.runs import RunStore
from services.models import Job, JobFilter, State

JobRecord = dict[str, Any]
DESCRIPTIVE_FIELDS = (
    "rule",
    "wildcards",
    "input",
    "output",
    "log",
    "threads",
    "resources",
    "reason",
)


@dataclass(frozen=True)
class RuleCounts:
    """The number of started jobs of a rule, by state."""

    states: Mapping[State, int] = field(default_factory=dict)
    mean_seconds: float | None = None  # of the completed jobs

    def __getitem__(self, state: State) -> int:
        return self.states.get(state, 0)

    @property
    def total(self) -> int:
        return sum(self.states.values())


@dataclass(frozen=True)
class Producer:
    """The job that produced a file."""

    rule: str
    job: str  # public id


@translate_method_errors
class JobStore:
    """The collection `jobs`."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._jobs = database["jobs"]
        self._runs = RunStore(database)

    def create_indexes(self) -> None:
        """Nothing to do: every query uses the index on `_id`."""

    def apply(self, run_id: str, attempt: int, records: Sequence[JobRecord]) -> None:
        """Store what Snakemake reported, in order. Applying the same records again changes nothing.

        A record has a `type`: plan {stats}, graph {links}, progress {done, total}, and for a `job`
        number: started {rule, wildcards, …, tries, at}, finished {at}, failed {final, at}; `at` in
        seconds since the epoch.
        """
        changes: dict[int, dict[str, Any]] = {}
        for record in records:
            if (change := _change(record)) is not None:
                changes.setdefault(record["job"], {}).update(change)
        if changes:  # one write per job, also when a short job starts and ends within the batch
            key = _key(run_id, attempt)
            self._jobs.bulk_write(
                [
                    UpdateOne({"_id": f"{key}{job}"}, {"$set": change}, upsert=True)
                    for job, change in changes.items()
                ]
            )
        fields: dict[str, Any] = {}
        for record in records:
            fields |= _summary(record)
        if any(record["type"] == "failed" for record in records):
            fields["progress.failed"] = self._failed(run_id, attempt)
        if fields:
            self._runs.report(run_id, attempt, fields)

    def list(self, run_id: str, attempt: int) -> Sequence[Job]:
        """Return the jobs of an attempt, in the order they started."""
        cursor = self._jobs.find(_prefix(run_id, attempt))
        return [_job(document) for document in cursor.sort([("started", ASCENDING), ("_id", 1)])]

    def ended(self, run_id: str) -> Sequence[Job]:
        """Return the completed and failed jobs of all attempts, in the order they started."""
        states = [State.COMPLETE.value, State.EXECUTOR_ERROR.value]
        cursor = self._jobs.find({**_whole(run_id), "state": {"$in": states}})
        return [_job(document) for document in cursor.sort([("started", ASCENDING), ("_id", 1)])]

    def producers(self, run_id: str) -> dict[str, Producer]:
        """Return the last completed job that declares each path as an output, by path."""
        query = {**_whole(run_id), "state": State.COMPLETE.value}
        cursor = self._jobs.find(query, {"rule": 1, "output": 1, "started": 1})
        producers: dict[str, Producer] = {}
        for document in cursor.sort([("started", ASCENDING), ("_id", 1)]):
            producer = Producer(document.get("rule", ""), _public(document["_id"]))
            producers |= dict.fromkeys(map(os.path.normpath, document.get("output", ())), producer)
        return producers

    def page(self, run_id: str, attempt: int, filters: JobFilter) -> tuple[Sequence[Job], int]:
        """Return a page of the jobs of an attempt by start, and how many match in total."""
        query = _prefix(run_id, attempt)
        if filters.state:
            query["state"] = {"$in": [state.value for state in filters.state]}
        if filters.rule is not None:
            query["rule"] = {"$eq": filters.rule}
        cursor = self._jobs.find(query).sort([("started", ASCENDING), ("_id", 1)])
        jobs = [_job(document) for document in cursor.skip(filters.skip).limit(filters.limit)]
        return jobs, self._jobs.count_documents(query)

    def count(self, run_id: str, attempt: int) -> dict[str, RuleCounts]:
        """Count the jobs of an attempt by rule, in the order in which the rules first ran."""
        states = {
            state.value: {"$sum": {"$cond": [{"$eq": ["$state", state.value]}, 1, 0]}}
            for state in State
        }
        duration = {"$subtract": ["$ended", "$started"]}  # ms
        complete = {"$eq": ["$state", State.COMPLETE.value]}
        group = {
            "_id": "$rule",
            "first": {"$min": "$started"},
            "duration": {"$avg": {"$cond": [complete, duration, None]}},
            **states,
        }
        order = {"$sort": {"first": 1, "_id": 1}}
        cursor = self._jobs.aggregate(
            [{"$match": _prefix(run_id, attempt)}, {"$group": group}, order]
        )
        return {str(document["_id"] or ""): _rule_counts(document) for document in cursor}

    def get(self, run_id: str, job_id: str) -> Job | None:
        """Return a job by its public id, "<attempt>-<job>"."""
        attempt, _, number = str(job_id).partition("-")
        document = self._jobs.find_one({"_id": f"{run_id}:{attempt}:{number}"})
        return _job(document) if document else None

    def close(self, run_id: str, attempt: int, state: State, *, now: datetime) -> None:
        """Set the running jobs of an attempt to `state`, after its processes have ended."""
        self._jobs.update_many(
            {**_prefix(run_id, attempt), "state": State.RUNNING.value},
            {"$set": {"state": state.value, "ended": now}},
        )

    def delete(self, run_id: str) -> None:
        """Delete the jobs of all attempts of a run."""
        self._jobs.delete_many(_whole(run_id))

    def _failed(self, run_id: str, attempt: int) -> int:
        failed = {"state": State.EXECUTOR_ERROR.value}
        return self._jobs.count_documents({**_prefix(run_id, attempt), **failed})


def _rule_counts(document: dict[str, Any]) -> RuleCounts:
    duration = document["duration"]
    states = {state: document[state.value] for state in State if document[state.value]}
    return RuleCounts(states, None if duration is None else duration / 1000)


def _change(record: JobRecord) -> dict[str, Any] | None:
    """Return the fields that a record sets in its job; None when it is not about a job."""
    match record["type"]:
        case "started":
            fields = {name: record[name] for name in DESCRIPTIVE_FIELDS if name in record}
            return fields | {
                "command": record.get("command", ""),
                "tries": record.get("tries", 1),
                "state": State.RUNNING.value,
                "started": _time(record["at"]),
            }
        case "finished":
            return {"state": State.COMPLETE.value, "ended": _time(record["at"])}
        case "failed" if record.get("final", True):
            return {"state": State.EXECUTOR_ERROR.value, "ended": _time(record["at"])}
        case _:
            return None


def _summary(record: JobRecord) -> dict[str, Any]:
    """Return the fields that a record sets in its run."""
    match record["type"]:
        case "plan":  # as pairs, because names of rules may not be valid field names
            stats = {rule: n for rule, n in record["stats"].items() if rule != "total"}
            total = record["stats"].get("total", sum(stats.values()))
            return {"plan": [[rule, n] for rule, n in stats.items()], "progress.total": total}
        case "graph":
            return {"links": record["links"]}
        case "progress":
            return {"progress.done": record["done"], "progress.total": record["total"]}
        case _:
            return {}


def _key(run_id: str, attempt: int) -> str:
    return f"{run_id}:{attempt}:"


def _prefix(run_id: str, attempt: int) -> dict[str, Any]:
    key = _key(run_id, attempt)
    return {"_id": {"$gte": key, "$lt": key[:-1] + ";"}}  # ";" follows ":" in every collation


def _whole(run_id: str) -> dict[str, Any]:
    """Return the query for the jobs of all attempts of a run."""
    return {"_id": {"$gte": f"{run_id}:", "$lt": f"{run_id};"}}


def _public(name: str) -> str:
    _, attempt, number = name.split(":")
    return f"{attempt}-{number}"


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _job(document: dict[str, Any]) -> Job:
    fields = {key: value for key, value in document.items() if key != "_id"}
    defaults: dict[str, Any] = {"rule": "", "wildcards": {}, "started": None, "ended": None}
    return Job(id=_public(document["_id"]), **{**defaults, **fields})
