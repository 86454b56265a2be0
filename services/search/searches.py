"""Sequence searches in the terms of BLAST: a query, the name of a database, a report.

A search is a run of the workflow `sequence-search`. A database is a registered file with a short
name; only `_database` resolves names to files.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from services.access.actors import check_may_change
from services.catalogue import Catalogue
from services.errors import Conflict, Invalid, Message, NotFound
from services.files import Files
from services.models import MAX_PAGE_SIZE, Actor, File, Run, RunRequest, State
from services.params import validation
from services.results.service import Results
from services.runs import Runs
from services.search.blast.report import Report
from services.search.databases import WORKFLOW, Databases

QUERY_FILE = "blast-query.fasta"
FILE_ID = re.compile(r"[0-9a-f]{24}")
MAX_PAGES = 10  # of files whose names contain that of a database, newest first
MAX_NAMES_IN_HINT = 20

SEARCH_NOT_FOUND = Message("not_found", "Search not found.")
RESULT_NOT_REQUESTED = Message("wrong_state", "This search was run without the result {name}.")
DATABASE_NOT_FOUND = Message(
    "not_found", "Database not found.", hint="Available databases: {names}."
)
NO_DATABASES = Message(
    "not_found", "Database not found.", hint="Upload a FASTA file to search in it."
)


class Searches:
    """Submits searches and reads their reports."""

    def __init__(
        self,
        files: Files,
        workflows: Catalogue,
        runs: Runs,
        results: Results,
        databases: Databases,
    ) -> None:
        self._files = files
        self._workflows = workflows
        self._runs = runs
        self._results = results
        self._databases = databases

    def submit(self, actor: Actor, query: str, database: str, settings: Mapping[str, Any]) -> Run:
        """Queue a search of `query` (FASTA) in the database with that name.

        `settings` are further parameters of the workflow. Raises Invalid, for an unknown database
        with the field "params.database".
        """
        check_may_change(actor)
        file = self._database(actor, database)
        schema = self._workflows.get(actor, WORKFLOW).params_schema
        params = {**settings, "database": file.id}
        validation.check(schema, {**params, "queries": QUERY_FILE})  # before the query is stored
        queries = self._files.register(actor, QUERY_FILE, io.BytesIO(query.encode()))
        request = RunRequest(
            workflow=WORKFLOW,
            params={**params, "queries": queries.id},
            name=f"Search in {file.name}"[:200],
            tags=["BLAST"],
        )
        return self._runs.submit(actor, request)

    def get(self, actor: Actor, run_id: str) -> Run:
        """Return the run of a search. Raises NotFound."""
        run = self._runs.get(actor, run_id)
        if run.workflow != WORKFLOW:
            raise NotFound(SEARCH_NOT_FOUND())
        return run

    def result(self, actor: Actor, run: Run, name: str) -> Path:
        """Return the path of a result (below `results/`) of a COMPLETE search. Raises Conflict."""
        try:
            return self._results.path(actor, run.id, f"results/{name}")
        except NotFound:
            raise Conflict(RESULT_NOT_REQUESTED(name=name)) from None

    def report(self, actor: Actor, run: Run) -> Report:
        """Return the report of a COMPLETE search. Raises Conflict when a part of it is missing."""
        (database,) = (item.name for item in run.inputs if item.field == "database")
        return Report.read(
            database=self._databases.short_name(database),
            summary=self.result(actor, run, "summary.json"),
            hits=self.result(actor, run, "hits.tsv"),
            best_hits=self.result(actor, run, "best_hits.tsv"),
            alignments=self.result(actor, run, "alignments.txt"),
        )

    def forget(self, actor: Actor, run_id: str) -> bool:
        """Delete a search and its query; a running one is canceled instead, which returns False."""
        run = self.get(actor, run_id)
        if not run.state.final and self._runs.cancel(actor, run_id).state is not State.CANCELED:
            return False
        self._runs.delete(actor, run_id)
        for item in run.inputs:
            if item.name == QUERY_FILE:
                with contextlib.suppress(Conflict, NotFound):  # the same query, searched again
                    self._files.delete(actor, item.file)
        return True

    def _database(self, actor: Actor, name: str) -> File:
        """The file with this id or name, with or without its suffix.

        Published databases come before the actor's own files, of which the newest one is taken, and
        these before the example of the workflow, which all users may search in.
        """
        if FILE_ID.fullmatch(name):
            with contextlib.suppress(NotFound):
                return self._files.get(actor, name)
        if published := self._databases.find(actor, name):
            return published
        short_name, example = self._databases.short_name, self._example(actor)
        for file in self._files_containing(actor, name):
            if name in (file.name, short_name(file.name)):
                return file
        if example and name in (example.name, short_name(example.name)):
            with example.open("rb") as stream:
                return self._files.register(actor, example.name, stream)
        page = self._files.list(actor, kind="fasta", limit=MAX_PAGE_SIZE)
        own = [file.name for file in page.items if file.name != QUERY_FILE]
        own += [example.name] if example else []
        names = list(dict.fromkeys([*self._databases.names(), *map(short_name, own)]))
        message = DATABASE_NOT_FOUND if names else NO_DATABASES
        raise Invalid(message(names=", ".join(names[:MAX_NAMES_IN_HINT])), field="params.database")

    def _files_containing(self, actor: Actor, text: str) -> Iterator[File]:
        """The actor's files whose names contain `text`, newest first."""
        after: str | None = None
        for _ in range(MAX_PAGES):
            page = self._files.list(actor, text=text, after=after, limit=MAX_PAGE_SIZE)
            yield from page.items
            after = page.next
            if after is None:
                return

    def _example(self, actor: Actor) -> Path | None:
        """The path of the database of the workflow's example."""
        example = self._workflows.get(actor, WORKFLOW).example
        path = example.params.get("database") if example else None
        return self._workflows.folder(WORKFLOW) / path if path else None
