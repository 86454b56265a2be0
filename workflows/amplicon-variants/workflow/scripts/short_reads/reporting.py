"""Problems and notes of samples in the tables and the report."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class NoSampleLeft(Exception):
    """No sample has reads. The message names the reason for each sample."""


def read_checks(samples: Sequence[str], files: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the output of the rule `check_reads` by sample.

    Raises NoSampleLeft if no sample has reads.
    """
    pairs = zip(samples, files, strict=True)
    checks = {sample: json.loads(Path(file).read_text(encoding="utf-8")) for sample, file in pairs}
    if not any(check["reads"] for check in checks.values()):
        reasons = " ".join(f"Sample {sample}: {note_of(check)}" for sample, check in checks.items())
        raise NoSampleLeft(f"No sample has reads. {reasons}")
    return checks


def note_of(check: Mapping[str, Any]) -> str:
    """Return the problem and the notes of a sample as one text; empty without any."""
    problem = [check["problem"]] if check["problem"] else []
    return " ".join([*problem, *check["notes"]])


def notes_text(checks: Mapping[str, Mapping[str, Any]]) -> str:
    """Return sentences on the samples with notes, for the description of a section."""
    notes = ((sample, note_of(check)) for sample, check in checks.items())
    return "".join(f" Sample {sample}: {note}" for sample, note in notes if note)
