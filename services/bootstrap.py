"""Builds every object, in one place."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from services.database import Database
from services.database.connection import PATIENCE
from services.files import Files
from services.links import Links
from services.results import Results
from services.runs import Runs
from services.settings import Settings
from services.workflows import Catalogue


@dataclass(frozen=True)
class Services:
    """What portal, API and runner work with."""

    settings: Settings
    database: Database
    files: Files
    workflows: Catalogue
    runs: Runs
    results: Results
    links: Links

    def close(self) -> None:
        self.database.close()


def build(settings: Settings, *, patience: float = PATIENCE) -> Services:
    """Wire the services. Opens no connection yet; `patience` is Database's."""
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    database = Database(settings.uri, settings.database, patience=patience)
    files = Files(settings, database)
    workflows = Catalogue(settings)
    return Services(
        settings=settings,
        database=database,
        files=files,
        workflows=workflows,
        runs=Runs(settings, database, files, workflows),
        results=Results(settings, database),
        links=Links(settings),
    )
