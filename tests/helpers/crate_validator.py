"""Whether the crate of a run is what the profile asks for, by the validator of its makers.

Offline: the two contexts that crates name lie in `tests/data/contexts`, and the validator finds
them in its HTTP cache.
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
    """Answers with files instead of asking the network."""

    def send(self, request: Any, **_: Any) -> requests.Response:
        body = io.BytesIO((CONTEXTS / URLS[request.url]).read_bytes())
        kind = {"Content-Type": "application/ld+json"}
        raw = HTTPResponse(
            body, kind, 200, preload_content=False, request_method="GET", request_url=request.url
        )
        return HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        """Nothing is open."""


@lru_cache
def _cache() -> Path:
    """The validator's HTTP cache with the contexts in it."""
    path = Path(mkdtemp(prefix="rundesk-contexts-")) / "http_cache"
    with CachedSession(str(path), backend="sqlite", expire_after=-1) as session:
        session.mount("https://", _Files())
        for url in URLS:
            for accepted in ACCEPTED:
                session.get(url, headers={"Accept": accepted})
        session.cache.close()
    return path


def unpack(services: Services, run_id: str, folder: Path, *, inputs: bool = True) -> dict[str, Any]:
    """Unpack the crate of a run; its entities by id."""
    bundle = services.crates.bundle(local_actor(), run_id, inputs=inputs)
    data = b"".join(bundle.blocks)
    assert len(data) == bundle.size
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(folder)
    graph = json.loads((folder / METADATA).read_text())["@graph"]
    assert len({entity["@id"] for entity in graph}) == len(graph)
    return {entity["@id"]: entity for entity in graph}


def amiss(crate: Path) -> list[str]:
    """What the validator says that an unpacked crate lacks of what is required."""
    asked = {
        "rocrate_uri": str(crate),
        "profile_identifier": PROFILE,
        "requirement_severity": "REQUIRED",
        "offline": True,
        "cache_path": _cache(),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what it is made of
        found = validate(asked)
    words = [f"{issue.violatingEntity}: {issue.message}" for issue in found.get_issues()]
    assert found.passed() is not bool(words)
    return words


def assert_valid_crate(services: Services, run_id: str, *, inputs: bool = True) -> dict[str, Any]:
    """Fail unless the validator finds nothing amiss; the entities of the crate by id."""
    with TemporaryDirectory(prefix="rundesk-crate-") as name:
        entities = unpack(services, run_id, Path(name), inputs=inputs)
        assert amiss(Path(name)) == []
    return entities
