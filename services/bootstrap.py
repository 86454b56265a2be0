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
from services.searches import Searches
from services.settings import Settings
from services.uploads import Uploads
from services.views import Views
from services.workflows import Catalogue


@dataclass(frozen=True)
class Services:
    """What portal, API and runner work with."""

    settings: Settings
    database: Database
    files: Files
    uploads: Uploads
    workflows: Catalogue
    runs: Runs
    views: Views
    results: Results
    searches: Searches
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
    runs = Runs(settings, database, files, workflows)
    results = Results(settings, database)
    return Services(
        settings=settings,
        database=database,
        files=files,
        uploads=Uploads(settings, database, files),
        workflows=workflows,
        runs=runs,
        views=Views(database, runs),
        results=results,
        searches=Searches(files, workflows, runs, results),
        links=Links(settings),
    )
