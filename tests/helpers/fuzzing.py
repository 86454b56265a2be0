"""Test an app against its OpenAPI document with Schemathesis."""

from __future__ import annotations

from typing import Any

from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.schemas import BaseSchema

PROFILE: dict[str, Any] = {
    "seed": 1,
    "generation": {"deterministic": True, "database": "none"},
}


def config(examples: int, operations: list[dict[str, Any]], **more: Any) -> SchemathesisConfig:
    """Return a deterministic configuration: `examples` for each operation plus documented ones."""
    generation = {**PROFILE["generation"], "max-examples": examples}
    profile = {**PROFILE, "generation": generation, "operations": operations, **more}
    profile["headers"] = {"Accept-Encoding": "identity"}  # in an app, it does not decode replies
    return SchemathesisConfig.from_dict(profile)


def check(schema: BaseSchema) -> tuple[list[str], int]:
    """Return descriptions of the failures, and the number of cases."""
    failures, cases, broken = [], 0, []
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            cases += len(event.recorder.cases)
            failures += [
                f"{failed.failure_info.failure}\n{failed.failure_info.code_sample}"
                for checks in event.recorder.checks.values()
                for failed in checks
                if failed.failure_info
            ]
        elif isinstance(event, events.NonFatalError | events.FatalError):
            broken.append(str(event))
    assert not broken
    return failures, cases
