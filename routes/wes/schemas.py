"""The schemas of GA4GH WES 1.1 (docs/specs/wes-1.1.0.yaml), made of what our services give.

Pure functions, named after the schemas. A key without a value is left out: of all fields only
`task_logs` may be null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from typing import Any
from urllib.parse import quote, urlsplit

from services.errors import Invalid
from services.models import Job, Result, Run, State
from services.settings import Settings

Json = dict[str, Any]

PREFIX = "/ga4gh/wes/v1"
VERSION = "1.1.0"
TYPE = "SMK"  # as other servers name Snakemake's language


def snakemake_versions() -> list[str]:
    """The installed Snakemake, in full and as its language is versioned: 9.27.0, 9.27, 9."""
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
        "description": "Runs the workflows of its catalogue, in Snakemake.",
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
    """RunLog. Logs and outputs are fetched from the API with the credentials of this request."""
    address = f"{api}/api/v1/runs/{run.id}"
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
            "stdout": f"{address}/log",
            "stderr": f"{address}/log",  # Snakemake's two streams are kept in one
            **_exit(run),
            "system_logs": [change.note for change in run.history if change.note]
            + ([run.error] if run.error else []),
        },
        "task_logs_url": f"{api}{PREFIX}/runs/{run.id}/tasks",
        "task_logs": None,
        "outputs": {result.path: f"{address}/results/{quote(result.path)}" for result in results},
    }


def task_log(run_id: str, job: Job, api: str) -> Json:
    """TaskLog. It has no field for a state; that and what made the job run are its system logs."""
    address = f"{api}/api/v1/runs/{run_id}/jobs/{job.id}/log"
    marks = ", ".join(f"{name}={value}" for name, value in job.wildcards.items())
    said = [f"State: {job.state}", marks and f"Wildcards: {marks}", job.reason]
    return {
        "id": job.id,
        "name": job.rule,
        **({"cmd": [job.command]} if job.command else {}),
        **_times(job),
        **({"stdout": address, "stderr": address} if job.log else {}),
        # Snakemake tells no exit codes; a job it counts as done has ended with 0
        **({"exit_code": 0} if job.state is State.COMPLETE else {}),
        "system_logs": [line for line in said if line],
    }


def page_of_jobs(jobs: Sequence[Job], size: int, token: str | None) -> tuple[Sequence[Job], str]:
    """The jobs after the one that `token` names, and the token of the page after them or ""."""
    start = 0
    if token:
        places = [place for place, job in enumerate(jobs) if job.id == token]
        if not places:
            raise Invalid("This is not a token of an earlier page.", field="page_token")
        start = places[0] + 1
    shown = jobs[start : start + size]
    return shown, shown[-1].id if start + size < len(jobs) else ""


def error_response(status: int, envelope: Mapping[str, Any]) -> Json:
    """ErrorResponse: our envelope's sentence, with each problem behind it."""
    problems = (envelope.get("data") or {}).get("problems", [])
    told = [
        f"{_field(one['field'])}: {one['message']} {one['hint']}".removeprefix(": ").strip()
        for one in problems
    ]
    return {"msg": " ".join([envelope["msg"], *told]), "status_code": status}


def _field(name: str) -> str:
    """A field of ours by its name in a RunRequest."""
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
    """What was executed, without the paths of this host."""
    words = ["snakemake", "--cores", str(run.cores), "--configfile", "config.json"]
    return {"cmd": words} if run.attempts else {}


def _exit(run: Run) -> Json:
    code = run.attempts[-1].exit_code if run.attempts else None
    return {} if code is None else {"exit_code": code}
