"""The verdict about a workflow by the records of its plans.

The texts of errors are those that Snakemake 9.27 prints for workflows of these kinds.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest

from services.admin import judgement

IN_RULES = 'in file "workflow/rules/common.smk", line 12:\n'


def record(kind: str = "", text: str = "", **more: Any) -> dict[str, Any]:
    error = {"type": kind, "text": text} if kind else None
    return {"error": error, "jobs": {} if kind else {"all": 1}, "base": "", **more}


def texts(folder, *records: dict[str, Any]) -> list[tuple[str, str]]:
    return [(text.code, str(text)) for text in judgement.verdict(folder, records)]


@pytest.mark.parametrize(
    ("kind", "text", "code", "words"),
    [
        (
            "AttributeError",
            f"AttributeError {IN_RULES}module 'snakemake.io' has no attribute 'Wildcards'",
            "invalid_workflow",
            "The workflow is written for an older version of Snakemake than ",
        ),
        (
            "ModuleNotFoundError",
            f"ModuleNotFoundError {IN_RULES}No module named 'hydra_genetics'",
            "unmet_requirement",
            "The workflow imports the Python package hydra_genetics, which is not installed on this"
            " server: workflow/rules/common.smk, line 12.",
        ),
        (
            "WorkflowError",
            f"WorkflowError {IN_RULES}Error validating config file.\n"
            "ValidationError: 'id' is a required property\n\nFailed validating 'required'",
            "invalid_workflow",
            "The configuration of the workflow is invalid by its own schema:"
            " ValidationError: 'id' is a required property",
        ),
        (
            "KeyError",
            f"KeyError {IN_RULES}'threshold'",
            "invalid_workflow",
            "The configuration of the workflow has no value for threshold, which the Snakefile"
            " reads: workflow/rules/common.smk, line 12.",
        ),
        (
            "FileNotFoundError",
            f"FileNotFoundError {IN_RULES}[Errno 2] No such file or directory: 'VERSION'",
            "invalid_workflow",
            "The workflow reads the file VERSION, which it does not contain:"
            " workflow/rules/common.smk, line 12.",
        ),
        (
            "NameError",
            f"NameError {IN_RULES}name 'x' is not defined",
            "invalid_workflow",
            "The Snakefile fails while Snakemake reads it: workflow/rules/common.smk, line 12:"
            " NameError: name 'x' is not defined",
        ),
        (
            "SyntaxError",
            f"SyntaxError {IN_RULES}invalid syntax",
            "invalid_workflow",
            "The workflow has a syntax error: workflow/rules/common.smk, line 12:"
            " SyntaxError: invalid syntax",
        ),
        ("", "", "invalid_workflow", "Snakemake could not read the workflow: "),
    ],
)
def test_verdict_of_a_workflow_that_is_not_read_names_its_kind(tmp_path, kind, text, code, words):
    own = record(kind, text) if kind else record("OSError", "")
    ((found, sentence),) = texts(tmp_path, own)
    assert found == code
    assert sentence.startswith(words)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="a newer Python reads such f-strings")
def test_verdict_of_newer_syntax_names_the_version_of_python(tmp_path):
    own = record("SyntaxError", f"SyntaxError {IN_RULES}f-string: unmatched '['")
    ((_, sentence),) = texts(tmp_path, own)
    assert sentence.startswith("The workflow is written for Python 3.12 or later")


def test_verdict_of_inputs_that_only_users_have_is_a_remark(tmp_path):
    missing = f"FileNotFoundError {IN_RULES}[Errno 2] No such file or directory: 'data/s.tsv'"
    own = record("FileNotFoundError", missing, opened=["data/s.tsv"])
    assert texts(tmp_path, own) == [
        (
            "workflow_remark",
            "The workflow needs data/s.tsv from its users; Snakemake read the Snakefile until it"
            " needed them (workflow/rules/common.smk, line 12).",
        )
    ]
    own = record("SystemExit", "no reads in /data/in", config={"reads": "/data/in"})
    assert [code for code, _ in texts(tmp_path, own)] == ["workflow_remark"]
    assert [code for code, _ in texts(tmp_path, record(created=["a.fq"]))] == ["workflow_remark"]
    own = record("MissingInputException", "", missing=["/ref/genome.fa"])
    assert "such as /ref/genome.fa." in texts(tmp_path, own)[0][1]


def test_verdict_of_test_data_that_is_planned_makes_a_workflow_readable(tmp_path):
    own = record("KeyError", f"KeyError {IN_RULES}'samples'")
    test = record(jobs={"all": 1, "map": 3}) | {"base": ".test"}
    assert texts(tmp_path, own, test) == [
        ("workflow_remark", "The example of the workflow is its test data in .test: 4 jobs.")
    ]
    lacking = record(created=["reads/a.fq"]) | {"base": ".test"}
    (_, sentence) = texts(tmp_path, record(), lacking)[-1]
    assert sentence.startswith("The test data in .test is no example")
    assert "reads/a.fq" in sentence
