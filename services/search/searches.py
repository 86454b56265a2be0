"""Sequence searches as BLAST's users know them: a query, the name of a database, a report.

A search is a run of the workflow `sequence-search`. A database is a registered file that goes by a
short name; which one a name means is decided in `_database`, and nowhere else.
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
from services.errors import Conflict, Invalid, NotFound
from services.files import Files
from services.models import Actor, File, Run, RunRequest, State
from services.params import validation
from services.results.service import Results
from services.runs import Runs
from services.search.blast.report import Report
from services.search.databases import WORKFLOW, Databases

QUERY_FILE = "blast-query.fasta"
FILE_ID = re.compile(r"[0-9a-f]{24}")
PAGES, PAGE = 10, 200  # files with the name in theirs that are looked at, newest first
TOLD = 20  # names that are told when there is none of the name asked for


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
        """Queue a search of `query` (FASTA) in the database of that name.

        `settings` are further parameters of the workflow. Raises Invalid, where the name of the
        database does not fit at the field "params.database".
        """
        check_may_change(actor)
        found = self._database(actor, database)
        schema = self._workflows.get(actor, WORKFLOW).params_schema
        given = {**settings, "database": found.id}
        validation.check(schema, {**given, "queries": QUERY_FILE})  # before anything is kept
        queries = self._files.register(actor, QUERY_FILE, io.BytesIO(query.encode()))
        request = RunRequest(
            workflow=WORKFLOW,
            params={**given, "queries": queries.id},
            name=f"Search in {found.name}"[:200],
            tags=["BLAST"],
        )
        return self._runs.submit(actor, request)

    def get(self, actor: Actor, run_id: str) -> Run:
        """The run of a search. Raises NotFound."""
        run = self._runs.get(actor, run_id)
        if run.workflow != WORKFLOW:
            raise NotFound("There is no such search.")
        return run

    def result(self, actor: Actor, run: Run, name: str) -> Path:
        """A result of a COMPLETE search, by its name below `results/`. Raises Conflict."""
        try:
            return self._results.path(actor, run.id, f"results/{name}")
        except NotFound:
            raise Conflict(f"This search was run without {name}.") from None

    def report(self, actor: Actor, run: Run) -> Report:
        """The report of a COMPLETE search. Raises Conflict when a part of it was not asked for."""
        (database,) = (item.name for item in run.inputs if item.field == "database")
        return Report.read(
            database=self._databases.plain(database),
            summary=self.result(actor, run, "summary.json"),
            hits=self.result(actor, run, "hits.tsv"),
            best_hits=self.result(actor, run, "best_hits.tsv"),
            alignments=self.result(actor, run, "alignments.txt"),
        )

    def forget(self, actor: Actor, run_id: str) -> bool:
        """Delete a search and its query; False for one at work, which is only being ended."""
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
        """The file that a name means: its id, its name, or its name without the suffixes.

        What is published by that name comes before the actor's own files, of several of these the
        newest. The example of the workflow is there for everybody.
        """
        if FILE_ID.fullmatch(name):
            with contextlib.suppress(NotFound):
                return self._files.get(actor, name)
        if published := self._databases.named(actor, name):
            return published
        plain, example = self._databases.plain, self._example(actor)
        for file in self._named(actor, name):
            if name in (file.name, plain(file.name)):
                return file
        if example and name in (example.name, plain(example.name)):
            with example.open("rb") as stream:
                return self._files.register(actor, example.name, stream)
        names = [file.name for file in self._files.list(actor, kind="fasta", limit=PAGE).items]
        names += [example.name] if example else []
        own = [plain(name) for name in names if name != QUERY_FILE]
        known = dict.fromkeys([*self._databases.names(), *own])
        hint = f"There are: {', '.join(list(known)[:TOLD])}."
        raise Invalid("There is no such database.", field="params.database", hint=hint)

    def _named(self, actor: Actor, name: str) -> Iterator[File]:
        """Files with `name` in theirs."""
        after: str | None = None
        for _ in range(PAGES):
            page = self._files.list(actor, text=name, after=after, limit=PAGE)
            yield from page.items
            after = page.next
            if after is None:
                return

    def _example(self, actor: Actor) -> Path | None:
        """The database of the workflow's example."""
        example = self._workflows.get(actor, WORKFLOW).example
        path = example.params.get("database") if example else None
        return self._workflows.folder(WORKFLOW) / path if path else None
