"""Jobs: a collection of its own, `_id` = "<run>:<attempt>:<job>", read by prefix."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pymongo import ASCENDING, UpdateOne
from pymongo.database import Database

from services.database.driver_errors import guarded
from services.database.runs import RunStore
from services.models import Job, JobFilter, State

Record = dict[str, Any]
DESCRIPTION = ("rule", "wildcards", "input", "output", "log", "threads", "resources", "reason")


@dataclass(frozen=True)
class RuleCounts:
    """How many jobs of a rule have started, by state."""

    states: Mapping[State, int] = field(default_factory=dict)
    mean_seconds: float | None = None  # of those that are done

    def __getitem__(self, state: State) -> int:
        return self.states.get(state, 0)

    @property
    def total(self) -> int:
        return sum(self.states.values())


@dataclass(frozen=True)
class Maker:
    """Who made a file."""

    rule: str
    job: str  # public id


@guarded
class JobStore:
    """The collection `jobs`."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._jobs = database["jobs"]
        self._runs = RunStore(database)

    def create_indexes(self) -> None:
        """`_id` serves every query there is."""

    def apply(self, run_id: str, attempt: int, records: Sequence[Record]) -> None:
        """Write what Snakemake reported, in order. Applying the same records again changes nothing.

        A record has a `type`: plan {stats}, graph {links}, progress {done, total}, and for a `job`
        number: started {rule, wildcards, …, tries, at}, finished {at}, failed {final, at}; `at` in
        seconds since the epoch.
        """
        changes: dict[int, dict[str, Any]] = {}
        for record in records:
            if (change := _change(record)) is not None:
                changes.setdefault(record["job"], {}).update(change)
        if changes:  # a short job starts and ends within one batch: that is one write
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
        """The jobs of an attempt, in the order they started."""
        found = self._jobs.find(_prefix(run_id, attempt))
        return [_job(document) for document in found.sort([("started", ASCENDING), ("_id", 1)])]

    def done(self, run_id: str) -> Sequence[Job]:
        """The jobs of all attempts that came to an end of their own, in the order they started."""
        own = [State.COMPLETE.value, State.EXECUTOR_ERROR.value]
        found = self._jobs.find({**_whole(run_id), "state": {"$in": own}})
        return [_job(document) for document in found.sort([("started", ASCENDING), ("_id", 1)])]

    def makers(self, run_id: str) -> dict[str, Maker]:
        """For each path that finished jobs of a run promised, the last of them."""
        query = {**_whole(run_id), "state": State.COMPLETE.value}
        found = self._jobs.find(query, {"rule": 1, "output": 1, "started": 1})
        makers: dict[str, Maker] = {}
        for document in found.sort([("started", ASCENDING), ("_id", 1)]):
            maker = Maker(document.get("rule", ""), _public(document["_id"]))
            makers |= dict.fromkeys(map(os.path.normpath, document.get("output", ())), maker)
        return makers

    def page(self, run_id: str, attempt: int, wanted: JobFilter) -> tuple[Sequence[Job], int]:
        """Some jobs of an attempt in the order they started, and how many fit in all."""
        query = _prefix(run_id, attempt)
        if wanted.state:
            query["state"] = {"$in": [state.value for state in wanted.state]}
        if wanted.rule is not None:
            query["rule"] = {"$eq": wanted.rule}
        found = self._jobs.find(query).sort([("started", ASCENDING), ("_id", 1)])
        jobs = [_job(document) for document in found.skip(wanted.skip).limit(wanted.limit)]
        return jobs, self._jobs.count_documents(query)

    def count(self, run_id: str, attempt: int) -> dict[str, RuleCounts]:
        """The jobs of an attempt counted by rule, in the order in which the rules first ran."""
        states = {
            state.value: {"$sum": {"$cond": [{"$eq": ["$state", state.value]}, 1, 0]}}
            for state in State
        }
        took = {"$subtract": ["$ended", "$started"]}  # ms
        done = {"$eq": ["$state", State.COMPLETE.value]}
        group = {
            "_id": "$rule",
            "first": {"$min": "$started"},
            "took": {"$avg": {"$cond": [done, took, None]}},
            **states,
        }
        order = {"$sort": {"first": 1, "_id": 1}}
        found = self._jobs.aggregate(
            [{"$match": _prefix(run_id, attempt)}, {"$group": group}, order]
        )
        return {str(document["_id"] or ""): _counted(document) for document in found}

    def get(self, run_id: str, job_id: str) -> Job | None:
        """A job by its public id, "<attempt>-<job>"."""
        attempt, _, number = str(job_id).partition("-")
        document = self._jobs.find_one({"_id": f"{run_id}:{attempt}:{number}"})
        return _job(document) if document else None

    def close(self, run_id: str, attempt: int, state: State, *, now: datetime) -> None:
        """End the jobs that still count as running; for an attempt whose processes are gone."""
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


def _counted(document: dict[str, Any]) -> RuleCounts:
    took = document["took"]
    states = {state: document[state.value] for state in State if document[state.value]}
    return RuleCounts(states, None if took is None else took / 1000)


def _change(record: Record) -> dict[str, Any] | None:
    """The fields that a record sets in its job, None when it says nothing about one."""
    match record["type"]:
        case "started":
            fields = {name: record[name] for name in DESCRIPTION if name in record}
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


def _summary(record: Record) -> dict[str, Any]:
    """What a record says about the run as a whole."""
    match record["type"]:
        case "plan":  # as pairs: a rule's name is no field name
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
    """All attempts."""
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
