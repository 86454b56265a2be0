"""Which data folder a database belongs to: the runner of another one would destroy its runs."""

from __future__ import annotations

from typing import Any

from pymongo.database import Database

from services.database.driver_errors import translate_method_errors

ONLY = "data folder"


@translate_method_errors
class InstallationStore:
    """The collection `installation`, with one document."""

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._documents = database["installation"]

    def bind(self, folder: str) -> str:
        """Bind the database to the data folder with this id; return the id that it is bound to."""
        self._documents.update_one({"_id": ONLY}, {"$setOnInsert": {"folder": folder}}, upsert=True)
        return self.bound_to() or ""

    def bound_to(self) -> str | None:
        """Return the id of the data folder that the database is bound to, if there is one."""
        document = self._documents.find_one({"_id": ONLY})
        return str(document["folder"]) if document else None
