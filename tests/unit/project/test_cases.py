"""The table of reported faults names a test for each."""

from __future__ import annotations

import csv
import re

import pytest

from services.settings import HERE

TABLE = HERE / "tests" / "data" / "cases.tsv"

with TABLE.open(encoding="utf-8", newline="") as file:
    CASES = {row["case"]: row["test"] for row in csv.DictReader(file, delimiter="\t")}


@pytest.mark.parametrize("case", CASES)
def test_case_has_a_test(case):
    path, _, name = CASES[case].partition("::")
    assert re.search(rf"^def {re.escape(name)}\(", (HERE / path).read_text(), re.MULTILINE)
