"""Ajv, in strict mode, decides about submissions with the served schemas as the server does."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
import requests

from tests.helpers import front_ends

pytestmark = pytest.mark.long

FASTA, FASTQ = b">a\nACGTACGT\n", b"@r\nACGT\n+\nIIII\n"
NAMES = ("amplicon-variants", "ms-report", "reads-qc", "sequence-search")
#: Codes of problems that a schema cannot express.
KNOWN_AT_RUN_TIME = {"not_found", "wrong_kind_of_file", "not_unique", "wrong_content"}


@pytest.fixture(scope="module")
def api(served):
    return served.settings.public_api_url


def upload(api: str, name: str, content: bytes) -> str:
    reply = requests.post(f"{api}/api/v1/files", data=content, params={"name": name}, timeout=60)
    return str(reply.json()["data"]["id"])


@pytest.fixture(scope="module")
def valid(api) -> dict[str, dict[str, Any]]:
    """Valid parameters of each bundled workflow."""
    fasta, fastq = upload(api, "q.fasta", FASTA), upload(api, "r.fastq", FASTQ)
    table = upload(api, "t.csv", b"sample_id,file\n1,a.mzML\n")
    mzml = upload(api, "a.mzML", b'<?xml version="1.0"?>\n<mzML xmlns="x"></mzML>\n')
    samples = [{"sample": "a", "fastq_1": fastq}]
    return {
        "amplicon-variants": {"samples": samples, "reference": fasta},
        "ms-report": {"information": table, "mzml": [mzml]},
        "reads-qc": {"samples": samples},
        "sequence-search": {"queries": fasta, "database": fasta},
    }


def variants(schema: Any, valid: dict[str, Any]):
    """Yield parameters that differ in one value from valid ones, within and beyond the rules."""
    yield valid
    yield {**valid, "unknown": 1}
    for name in valid:
        yield {key: value for key, value in valid.items() if key != name}
    fields = {k: v for group in schema["allOf"] for k, v in group["properties"].items()}
    for name, field in fields.items():
        values = [None, "", "x", -1, 1.5, 10**9, True, {}, ["x"], field.get("default")]
        values += [*field.get("enum", [])[:2], field.get("minimum"), field.get("maximum")]
        values += [[field["default"]]] if "default" in field else []
        if "items" in field:
            values += [[value] for value in field["items"].get("enum", [])[:3]]
        for value in values:
            yield {**valid, name: value}
    if "samples" in valid:
        (row,) = valid["samples"]
        cells = [None, "", "x", "r.fastq", 1, [], "a b"]
        for name, cell in itertools.product([*row, "fastq_2", "other"], cells):
            yield {**valid, "samples": [{**row, name: cell}]}
        yield {**valid, "samples": [{}, row]}
    if "information" in valid:
        for rows in ([{"sample_id": 1, "file": "a", "note": None}], [{"x": [1]}], ["x"], [1]):
            yield {**valid, "information": rows}


def test_ajv_accepts_and_refuses_what_the_server_does(api, valid, tmp_path):
    front_ends.need_npm()
    schemas = {
        name: requests.get(f"{api}/api/v1/workflows/{name}", timeout=60).json()["data"][
            "params_schema"
        ]
        for name in NAMES
    }
    cases = [(name, value) for name in NAMES for value in variants(schemas[name], valid[name])]
    folder = front_ends.folder(tmp_path / "clients")
    given = {"schemas": schemas, "cases": cases}
    decided = json.loads(front_ends.node("ajv.mjs", cwd=folder, given=given))
    counts = {True: 0, False: 0}
    with requests.Session() as session:
        for (name, params), by_ajv in zip(cases, decided, strict=True):
            reply = session.post(
                f"{api}/api/v1/runs/validate",
                json={"workflow": name, "params": params},
                timeout=60,
            )
            problems = reply.json()["data"].get("problems", [])
            if {problem["code"] for problem in problems} & KNOWN_AT_RUN_TIME:
                continue
            assert by_ajv == (reply.status_code == 200), (name, params, reply.json())
            counts[by_ajv] += 1
    assert min(counts.values()) > 100
