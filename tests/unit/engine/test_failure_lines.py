"""The lines that explain failures, in outputs of many programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.engine.failure_lines import Weight, clean, find_reason, own_path

CORPUS = Path(__file__).parents[2] / "data" / "causes" / "outputs.txt"


def outputs() -> list[tuple[str, str, str]]:
    """Return name, text and expected line of each output of the corpus."""
    blocks = []
    for block in CORPUS.read_text(encoding="utf-8").split("#### ")[1:]:
        name, _, rest = block.partition("\n")
        text, _, line = rest.rpartition("==== ")
        blocks.append((name, text, line.strip()))
    return blocks


@pytest.mark.parametrize(("name", "text", "line"), outputs(), ids=[name for name, *_ in outputs()])
def test_reason_in_an_output_is_the_line_that_explains_it(name, text, line):
    assert find_reason(text).text == line


def test_output_without_content_has_no_reason():
    assert find_reason("\n=====\n").weight is Weight.NOTHING


def test_clean_removes_colours_titles_and_carriage_returns():
    text = "\x1b]0;title\x07\x1b[1;31mError\x1b[0m: a\r\n1%\r2%\x00"
    assert clean(text) == "Error: a\n1%\n2%"


@pytest.mark.parametrize(
    ("path", "short"),
    [
        ("/d/workflows/" + "0" * 64 + "/workflow/rules/a.smk", "workflow/rules/a.smk"),
        ("/d/runs/" + "0" * 24 + "/.snakemake/scripts/tmp66rlnmwu.plot.py", "plot.py"),
        ("/d/runs/" + "0" * 24 + "/results/a.txt", "results/a.txt"),
        ("scripts/a.py", "scripts/a.py"),
    ],
)
def test_own_path_is_relative_to_workflow_or_run(path, short):
    assert own_path(path) == short
