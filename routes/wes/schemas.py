"""The schemas of GA4GH WES 1.1 (docs/specs/wes-1.1.0.yaml), built from our models.

Pure functions, named after the schemas. Keys without a value are omitted: only `task_logs` may be
null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from typing import Any
from urllib.parse import quote, urlsplit

from services.models import Job, Result, Run, State
from services.settings import Settings

Json = dict[str, Any]

PREFIX = "/ga4gh/wes/v1"
VERSION = "1.1.0"
TYPE = "SMK"  # the name that other servers use for Snakemake's language


def snakemake_versions() -> list[str]:
    """Return the version of the installed Snakemake, full and shortened: 9.27.0, 9.27, 9."""
    full = metadata.version("snakemake")
    return list(dict.fromkeys([full, ".".join(full.split(".")[:2]), full.split(".")[0]]))


def service_info(settings: Settings, version: str, counts: Mapping[State, int]) -> Json:
    """ServiceInfo."""
    api = settings.public_api_url
    host = urlsplit(api).hostname or ""
    return {
        "id": ".".join([*reversed(host.split(".")), "rundesk"]),
        "name": "Rundesk",
        "type": {"group": "org.ga4gh", "artifact": "wes", "version": VERSION},
        "description": "Runs the Snakemake workflows of its catalogue.",
        "organization": {"name": "Rundesk", "url": settings.public_portal_url},
        "documentationUrl": f"{api}/apidocs/",
        "version": version,
        "workflow_type_versions": {TYPE: {"workflow_type_version": snakemake_versions()}},
        "supported_wes_versions": [VERSION],
        "supported_filesystem_protocols": [urlsplit(api).scheme],
        "workflow_engine_versions": {
            "snakemake": {"workflow_engine_version": snakemake_versions()}
        },
        "default_workflow_engine_parameters": [],
        "system_state_counts": {state.value: counts.get(state, 0) for state in State},
        "auth_instructions_url": f"{api}/apidocs/",
        "tags": {"workflows_url": f"{api}/api/v1/workflows"},
    }


def run_summary(run: Run) -> Json:
    """RunSummary."""
    return {"run_id": run.id, "state": run.state.value, **_times(run), "tags": _tags(run)}


def run_log(run: Run, results: Sequence[Result], api: str) -> Json:
    """RunLog. Clients get logs and outputs from the API with the same credentials."""
    url = f"{api}/api/v1/runs/{run.id}"
    return {
        "run_id": run.id,
        "request": {
            "workflow_params": run.params,
            "workflow_type": TYPE,
            "workflow_type_version": snakemake_versions()[0],
            "tags": _tags(run),
            "workflow_engine_parameters": {},
            "workflow_engine": "snakemake",
            "workflow_engine_version": snakemake_versions()[0],
            "workflow_url": f"{api}/api/v1/workflows/{run.workflow}",
        },
        "state": run.state.value,
        "run_log": {
            "name": run.workflow,
            **_command(run),
            **_times(run),
            "stdout": f"{url}/log",
            "stderr": f"{url}/log",  # both streams of Snakemake are in one log
            **_exit(run),
            "system_logs": [change.note for change in run.history if change.note]
            + ([run.error] if run.error else []),
        },
        "task_logs_url": f"{api}{PREFIX}/runs/{run.id}/tasks",
        "task_logs": None,
        "outputs": {result.path: f"{url}/results/{quote(result.path)}" for result in results},
    }


def task_log(run_id: str, job: Job, api: str) -> Json:
    """TaskLog. It has no field for the state; `system_logs` has it, and why the job ran."""
    url = f"{api}/api/v1/runs/{run_id}/jobs/{job.id}/log"
    wildcards = ", ".join(f"{name}={value}" for name, value in job.wildcards.items())
    lines = [f"State: {job.state}", wildcards and f"Wildcards: {wildcards}", job.reason]
    return {
        "id": job.id,
        "name": job.rule,
        **({"cmd": [job.command]} if job.command else {}),
        **_times(job),
        **({"stdout": url, "stderr": url} if job.log else {}),
        # Snakemake does not report exit codes; that of a completed job is 0
        **({"exit_code": 0} if job.state is State.COMPLETE else {}),
        "system_logs": [line for line in lines if line],
    }


def page_of_jobs(jobs: Sequence[Job], size: int, token: str | None) -> tuple[Sequence[Job], str]:
    """Return the jobs after the one with the id `token`, and the token of the next page or "".

    Nothing follows an unknown token.
    """
    start = 0
    if token:
        indexes = [index for index, job in enumerate(jobs) if job.id == token]
        if not indexes:
            return [], ""
        start = indexes[0] + 1
    page = jobs[start : start + size]
    return page, page[-1].id if start + size < len(jobs) else ""


def error_response(status: int, envelope: Mapping[str, Any]) -> Json:
    """ErrorResponse: the message of our envelope, unless a problem repeats it, and its problems."""
    problems = (envelope.get("data") or {}).get("problems", [])
    sentences = [_sentences(problem) for problem in problems]
    if envelope["msg"] not in [problem["message"] for problem in problems]:
        sentences.insert(0, envelope["msg"])
    return {"msg": " ".join(sentences), "status_code": status}


def _sentences(problem: Mapping[str, Any]) -> str:
    field = f"{_field(problem['field'])}: " if problem["field"] else ""
    return f"{field}{problem['message']} {problem['hint']}".strip()


def _field(name: str) -> str:
    """Return the name in a RunRequest for one of our fields."""
    top, dot, rest = name.partition(".")
    return {"params": "workflow_params", "workflow": "workflow_url"}.get(top, top) + dot + rest


def _tags(run: Run) -> dict[str, str]:
    return {key: value for key, _, value in (tag.partition("=") for tag in run.tags)}


def _times(thing: Run | Job) -> Json:
    stamps = {"start_time": thing.started, "end_time": thing.ended}
    return {name: _stamp(time) for name, time in stamps.items() if time}


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _command(run: Run) -> Json:
    """Return the command without the paths of this host."""
    words = ["snakemake", "--cores", str(run.cores)]
    return {"cmd": words} if run.attempts else {}


def _exit(run: Run) -> Json:
    code = run.attempts[-1].exit_code if run.attempts else None
    return {} if code is None else {"exit_code": code}
