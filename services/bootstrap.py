"""Creates the services and connects them to each other."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from services.access.sessions import Sessions
from services.access.signed_links import Links
from services.access.tokens import Tokens
from services.admin.additions import Additions
from services.admin.shared_cache import Cache
from services.catalogue import Catalogue
from services.database import Database
from services.database.connection import OPERATION_TIMEOUT_S
from services.errors import DatabaseUnavailable
from services.files import Files
from services.files.downloads import Fetcher
from services.files.imports import Imports
from services.files.inbox import Inbox
from services.files.uploads import Uploads
from services.results.crates import Crates
from services.results.reports import Reports
from services.results.service import Results
from services.runs import Runs
from services.runs.configurations import Configurations
from services.runs.drafts import Drafts
from services.runs.installation import Installation
from services.runs.previews import Previews
from services.runs.queue_position import Queue
from services.runs.samplesheets import SampleSheets
from services.runs.views import Views
from services.search.databases import Databases
from services.search.searches import Searches
from services.settings import Settings


@dataclass(frozen=True)
class Services:
    """The services that portal, API and runner use."""

    settings: Settings
    database: Database
    files: Files
    uploads: Uploads
    fetcher: Fetcher
    inbox: Inbox
    imports: Imports
    workflows: Catalogue
    additions: Additions
    sheets: SampleSheets
    runs: Runs
    drafts: Drafts
    configurations: Configurations
    installation: Installation
    previews: Previews
    views: Views
    results: Results
    crates: Crates
    reports: Reports
    databases: Databases
    cache: Cache
    searches: Searches
    links: Links
    tokens: Tokens
    sessions: Sessions

    def database_responds(self) -> bool:
        """Return whether the database responds. Takes a few seconds if it does not."""
        try:
            self.database.ping()
        except DatabaseUnavailable:
            return False
        return True

    def close(self) -> None:
        self.database.close()


def build(settings: Settings, *, patience: float = OPERATION_TIMEOUT_S) -> Services:
    """Wire the services. Opens no connection yet; `patience` is Database's."""
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    database = Database(settings.uri, settings.database, patience=patience)
    files = Files(settings, database)
    fetcher = Fetcher(
        settings.import_hosts, settings.private_networks, settings.read_import_headers()
    )
    inbox = Inbox(settings)
    workflows = Catalogue(settings)
    queue = Queue(settings, database)
    runs = Runs(settings, database, files, workflows, queue)
    installation = Installation(settings, database, queue)
    results = Results(settings, database)
    tokens = Tokens(database)
    databases = Databases(settings, database, files, workflows)
    return Services(
        settings=settings,
        database=database,
        files=files,
        uploads=Uploads(settings, database, files),
        fetcher=fetcher,
        inbox=inbox,
        imports=Imports(database, files, fetcher, inbox),
        workflows=workflows,
        additions=Additions(settings, files, workflows),
        sheets=SampleSheets(files, workflows, fetcher),
        runs=runs,
        drafts=Drafts(database, workflows),
        configurations=Configurations(settings, files, workflows, runs),
        installation=installation,
        previews=Previews(settings, files, workflows),
        views=Views(database, runs, installation),
        results=results,
        crates=Crates(settings, database, runs, results),
        reports=Reports(settings, runs),
        databases=databases,
        cache=Cache(settings, database),
        searches=Searches(files, workflows, runs, results, databases),
        links=Links(settings, tokens),
        tokens=tokens,
        sessions=Sessions(settings, database, tokens),
    )
