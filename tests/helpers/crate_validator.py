"""Validate the crates of runs with rocrate-validator, the reference validator of the profile.

Offline: the two contexts that crates name are in `tests/data/contexts`, and the validator reads
them from its HTTP cache.
"""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests_cache import CachedSession
from rocrate_validator.services import validate
from urllib3 import HTTPResponse

from services.access.actors import local_actor
from services.bootstrap import Services
from services.results.provenance import METADATA

PROFILE = "provenance-run-crate-0.5"
CONTEXTS = Path(__file__).parents[1] / "data" / "contexts"
URLS = {
    "https://w3id.org/ro/crate/1.1/context": "ro-crate-1.1.jsonld",
    "https://w3id.org/ro/terms/workflow-run/context": "workflow-run.jsonld",
}
ACCEPTED = (
    "application/ld+json, application/json",
    "application/ld+json, application/json, */*;q=0.1",
)


class _Files(BaseAdapter):
    """Replies with files instead of sending requests."""

    def send(self, request: Any, **_: Any) -> requests.Response:
        body = io.BytesIO((CONTEXTS / URLS[request.url]).read_bytes())
        kind = {"Content-Type": "application/ld+json"}
        raw = HTTPResponse(
            body, kind, 200, preload_content=False, request_method="GET", request_url=request.url
        )
        return HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        """Nothing to close."""


@lru_cache
def _cache() -> Path:
    """Return the path of an HTTP cache for the validator that contains the contexts."""
    path = Path(mkdtemp(prefix="rundesk-contexts-")) / "http_cache"
    with CachedSession(str(path), backend="sqlite", expire_after=-1) as session:
        session.mount("https://", _Files())
        for url in URLS:
            for accepted in ACCEPTED:
                session.get(url, headers={"Accept": accepted})
        session.cache.close()
    return path


def unpack(services: Services, run_id: str, folder: Path, *, inputs: bool = True) -> dict[str, Any]:
    """Unpack the crate of a run and return its entities by id."""
    bundle = services.crates.bundle(local_actor(), run_id, inputs=inputs)
    data = b"".join(bundle.blocks)
    assert len(data) == bundle.size
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(folder)
    graph = json.loads((folder / METADATA).read_text())["@graph"]
    assert len({entity["@id"] for entity in graph}) == len(graph)
    return {entity["@id"]: entity for entity in graph}


def problems_of(crate: Path) -> list[str]:
    """Return the required properties that an unpacked crate lacks, in the validator's words."""
    settings = {
        "rocrate_uri": str(crate),
        "profile_identifier": PROFILE,
        "requirement_severity": "REQUIRED",
        "offline": True,
        "cache_path": _cache(),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its dependencies
        result = validate(settings)
    problems = [f"{issue.violatingEntity}: {issue.message}" for issue in result.get_issues()]
    assert result.passed() is not bool(problems)
    return problems


def assert_valid_crate(services: Services, run_id: str, *, inputs: bool = True) -> dict[str, Any]:
    """Fail unless the crate of a run is valid; return its entities by id."""
    with TemporaryDirectory(prefix="rundesk-crate-") as name:
        entities = unpack(services, run_id, Path(name), inputs=inputs)
        assert problems_of(Path(name)) == []
    return entities
