"""The hosts on which a runner starts runs: one document each, renewed while the runner is alive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo.database import Database

from services.database.driver_errors import translate_method_errors
from services.database.paging import milliseconds


@dataclass(frozen=True)
class Host:
    """A host, when its runner was last alive, and why it starts no runs."""

    name: str
    seen: datetime
    reason: str = ""  # why no run starts there; empty: runs start


@translate_method_errors
class HostStore:
    """The collection `hosts`."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._hosts = database["hosts"]

    def create_indexes(self) -> None:
        """A handful of documents need no index."""

    def beat(self, name: str, *, now: datetime, reason: str = "") -> None:
        """Record that the runner of a host is alive, and why it starts no runs."""
        fields = {"seen": milliseconds(now), "reason": reason}
        self._hosts.update_one({"_id": str(name)}, {"$set": fields}, upsert=True)

    def remove(self, name: str) -> bool:
        """Forget a host; return whether it was known."""
        return self._hosts.delete_one({"_id": str(name)}).deleted_count == 1

    def all(self) -> list[Host]:
        """Return the hosts, sorted by name."""
        documents = self._hosts.find().sort("_id")
        return [
            Host(document["_id"], document["seen"], document.get("reason", ""))
            for document in documents
        ]
