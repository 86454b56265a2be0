"""The entities of a run's crate, derived from its data. This module reads no files."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from services.models import Input, Job, Result, Run, State
from services.results.provenance import terms
from services.results.provenance.terms import Entity


@dataclass(frozen=True)
class RunData:
    """The data that a crate describes. Paths are relative to the run directory."""

    run: Run
    jobs: Sequence[Job]  # of all attempts: COMPLETE or EXECUTOR_ERROR, by start
    results: Sequence[Result]
    snakefile: str
    files: Sequence[str]  # other files of the workflow, and the configuration
    license: str  # of the workflow: an SPDX identifier or a URL; empty: not specified
    fields: Mapping[str, Mapping[str, Any]]  # schema of each parameter
    software: Mapping[str, str]  # version of each package that was used
    names: Mapping[str, str]  # path in the run directory → path in the crate


def describe(data: RunData) -> Entity:
    """Return the content of `ro-crate-metadata.json`."""
    return {"@context": terms.CONTEXT, "@graph": list(_Crate(data).entities())}


class _Crate:
    """One crate; its entities refer to each other by ids that this class creates."""

    def __init__(self, data: RunData) -> None:
        self._data = data
        self._run = data.run
        self._workflow = self._file(data.snakefile)
        self._person = f"#person/{quote(data.run.owner, safe='')}"
        self._run_action = f"#run/{data.run.id}"
        self._rules = list(dict.fromkeys(job.rule for job in data.jobs))
        self._intermediate: dict[str, Entity] = {}
        self._inputs = {entry.path: entry for entry in data.run.inputs}
        self._folders: dict[str, list[str]] = {}  # results in each folder
        for result in data.results:
            for folder in PurePosixPath(result.path).parents:
                self._folders.setdefault(str(folder), []).append(result.path)

    def entities(self) -> Iterator[Entity]:
        actions = [*self._actions()]
        files = [*self._files()]
        yield {
            "@id": terms.METADATA,
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": [{"@id": terms.RO_CRATE}, {"@id": terms.WORKFLOW_CRATE}],
        }
        yield self._root(actions, files)
        for profile, (name, version) in terms.PROFILES.items():
            yield {"@id": profile, "@type": "CreativeWork", "name": name, "version": version}
        yield {"@id": self._person, "@type": "Person", "name": self._run.owner}
        yield from self._engine()
        yield from files
        yield from self._parameters()
        yield from self._steps()
        yield from actions
        yield from self._intermediate.values()

    # ---- the crate, the workflow and its files ---------------------------------------------------

    def _root(self, actions: Sequence[Entity], files: Sequence[Entity]) -> Entity:
        run = self._run
        return {
            "@id": "./",
            "@type": "Dataset",
            "name": run.name or run.workflow_title,
            "description": f"Inputs and results of a run of the workflow “{run.workflow_title}”.",
            "identifier": run.id,
            "keywords": run.tags,
            "datePublished": terms.time(run.ended or run.created),
            "license": terms.NO_LICENSE,
            "author": {"@id": self._person},
            "publisher": {"@id": self._person},
            "conformsTo": terms.references(terms.PROFILES),
            "mainEntity": {"@id": self._workflow},
            "hasPart": terms.references(file["@id"] for file in files),
            "mentions": terms.references(
                action["@id"] for action in actions if action["@type"] != "ControlAction"
            ),
        }

    def _engine(self) -> Iterator[Entity]:
        yield {
            "@id": terms.LANGUAGE,
            "@type": "ComputerLanguage",
            "name": "Snakemake",
            "identifier": {"@id": terms.SNAKEMAKE},
            "url": {"@id": terms.SNAKEMAKE},
        }
        for name, version in self._data.software.items():
            yield {
                "@id": self._package(name),
                "@type": "SoftwareApplication",
                "name": "Snakemake" if name == "snakemake" else name,
                "softwareVersion": version,
                **({"url": {"@id": terms.SNAKEMAKE}} if name == "snakemake" else {}),
            }

    def _workflow_file(self) -> Entity:
        run = self._run
        return {
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
            "name": run.workflow_title,
            "version": run.workflow_version or run.digest[:12],
            "identifier": f"sha256:{run.digest}",
            "conformsTo": {"@id": terms.COMPUTATIONAL_WORKFLOW},
            "programmingLanguage": {"@id": terms.LANGUAGE},
            "license": self._data.license or terms.NO_WORKFLOW_LICENSE,
            "hasPart": terms.references(map(self._tool, self._rules)),
            "step": terms.references(map(self._step, self._rules)),
            "input": terms.references(map(terms.parameter, self._run.params)),
            "output": terms.references(terms.output(result) for result in self._highlighted()),
        }

    def _files(self) -> Iterator[Entity]:
        """Yield every file in the crate, and the inputs whose content is not included."""
        yield {**terms.file(self._workflow, self._data.snakefile), **self._workflow_file()}
        for path in self._data.files:
            yield terms.file(self._file(path), path)
        for entry in self._inputs.values():
            example = terms.parameter(entry.field.partition(".")[0])
            yield terms.file(self._input(entry), entry.name) | {
                "contentSize": str(entry.size),
                "sha256": entry.sha256,
                "exampleOfWork": {"@id": example},
            }
        for name, path in self._run.sheets.items():
            if path in self._data.names:
                table = {"exampleOfWork": {"@id": terms.parameter(name.partition(".")[0])}}
                yield terms.file(self._file(path), path) | table
        for result in self._data.results:
            entity = terms.file(self._file(result.path), result.path)
            entity |= {"contentSize": str(result.size), "sha256": result.sha256}
            if result.title:
                entity["description"] = result.title
                entity["exampleOfWork"] = {"@id": terms.output(result)}
            yield entity

    def _highlighted(self) -> list[Result]:
        return [result for result in self._data.results if result.title]

    # ---- parameters ------------------------------------------------------------------------------

    def _file_fields(self) -> list[str]:
        return [*(entry.field for entry in self._run.inputs), *self._run.sheets]

    def _parameters(self) -> Iterator[Entity]:
        files = {name.partition(".")[0] for name in self._file_fields()}
        for name in self._run.params:
            field = self._data.fields.get(name, {})
            kind = terms.kind_of(field, name in files)
            yield terms.formal(terms.parameter(name), name, kind, field)
            if name not in files:
                value = self._run.params[name]
                plain = isinstance(value, str | int | float) and not isinstance(value, bool)
                yield {
                    "@id": terms.value(name),
                    "@type": "PropertyValue",
                    "name": name,
                    "value": value if plain else json.dumps(value, ensure_ascii=False),
                    "exampleOfWork": {"@id": terms.parameter(name)},
                }
        for result in self._highlighted():
            yield terms.formal(terms.output(result), result.title, "File", {})

    # ---- steps and actions -----------------------------------------------------------------------

    def _steps(self) -> Iterator[Entity]:
        packages = [name for name in self._data.software if name not in ("snakemake", "rundesk")]
        for position, rule in enumerate(self._rules):
            yield {
                "@id": self._step(rule),
                "@type": "HowToStep",
                "name": rule,
                "position": str(position),
                "workExample": {"@id": self._tool(rule)},
            }
            yield {
                "@id": self._tool(rule),
                "@type": "SoftwareApplication",
                "name": f"Rule {rule}",
                "description": f"The commands of the rule {rule} in {self._data.snakefile}.",
                "softwareVersion": self._run.workflow_version or self._run.digest[:12],
                "softwareRequirements": terms.references(map(self._package, packages)),
            }

    def _actions(self) -> Iterator[Entity]:
        """Yield the actions of the run and of the engine, and two actions for each job."""
        run = self._run
        files = [self._input(entry) for entry in self._inputs.values()]
        tables = [self._file(path) for path in run.sheets.values() if path in self._data.names]
        file_fields = {name.partition(".")[0] for name in self._file_fields()}
        values = [terms.value(name) for name in self._run.params if name not in file_fields]
        yield {
            "@id": self._run_action,
            "@type": "CreateAction",
            "name": f"Run of {run.workflow_title}",
            "description": run.name or run.workflow_title,
            "instrument": {"@id": self._workflow},
            "object": terms.references([*files, *tables, *values]),
            "result": terms.references(self._file(result.path) for result in self._data.results),
            **self._progress(run.state, run.started or run.created, run.ended),
        }
        yield {
            "@id": f"#engine/{run.id}",
            "@type": "OrganizeAction",
            "name": "Execution of the steps by Snakemake",
            "instrument": {"@id": self._package("snakemake")},
            "object": terms.references(f"#control/{job.id}" for job in self._data.jobs),
            "result": {"@id": self._run_action},
            **self._progress(run.state, run.started or run.created, run.ended),
        }
        for job in self._data.jobs:
            yield from self._job(job)

    def _job(self, job: Job) -> Iterator[Entity]:
        wildcards = ", ".join(f"{name}={value}" for name, value in job.wildcards.items())
        outputs = job.output if job.state is State.COMPLETE else []
        yield {
            "@id": f"#job/{job.id}",
            "@type": "CreateAction",
            "name": f"{job.rule} ({wildcards})" if wildcards else job.rule,
            "description": job.command.strip() or job.reason or f"A job of the rule {job.rule}.",
            "instrument": {"@id": self._tool(job.rule)},
            "object": terms.references(chain.from_iterable(map(self._any, job.input))),
            "result": terms.references(chain.from_iterable(map(self._any, outputs))),
            **self._progress(job.state, job.started, job.ended),
        }
        yield {
            "@id": f"#control/{job.id}",
            "@type": "ControlAction",
            "name": f"Execution of {job.rule} by Snakemake",
            "instrument": {"@id": self._step(job.rule)},
            "object": {"@id": f"#job/{job.id}"},
            "actionStatus": terms.STATUS[job.state],
        }

    def _progress(self, state: State, started: datetime | None, ended: datetime | None) -> Entity:
        progress = {"agent": {"@id": self._person}, "actionStatus": terms.STATUS[state]}
        progress |= {"startTime": terms.time(started)} if started else {}
        return progress | ({"endTime": terms.time(ended)} if ended else {})

    # ---- ids -------------------------------------------------------------------------------------

    def _any(self, path: str) -> list[str]:
        """Return the ids of a job's file or of the results in its folder, else an intermediate."""
        if entry := self._inputs.get(path):
            return [self._input(entry)]
        if path in self._data.names:
            return [self._file(path)]
        if below := self._folders.get(path.rstrip("/")):
            return [self._file(result) for result in below]
        name = f"#file/{quote(path)}"
        work = {"@id": name, "@type": "CreativeWork", "name": path}
        self._intermediate[name] = work | {
            "description": "An intermediate file, which is not part of this crate."
        }
        return [name]

    def _file(self, path: str) -> str:
        return quote(self._data.names[path])

    def _input(self, entry: Input) -> str:
        """Return the path of an input in the crate, else a URI of its content (RFC 6920)."""
        if entry.path in self._data.names:
            return self._file(entry.path)
        digest = urlsafe_b64encode(bytes.fromhex(entry.sha256)).decode().rstrip("=")
        return f"ni:///sha-256;{digest}"

    def _tool(self, rule: str) -> str:
        return f"#tool/{quote(rule, safe='')}"

    def _step(self, rule: str) -> str:
        return f"{self._workflow}#step/{quote(rule, safe='')}"

    def _package(self, name: str) -> str:
        return f"#software/{quote(name, safe='')}"
