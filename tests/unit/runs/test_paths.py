"""Parameters that are paths, with sign-in."""

from __future__ import annotations

import pytest

from services.runs.paths import outside_paths, path_problems


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("/etc/passwd", ["/etc/passwd"]),
        ("/no-such-folder/x", ["/no-such-folder/x"]),
        ("-d /etc/passwd", ["/etc/passwd"]),
        ("--db=/etc/x", ["/etc/x"]),
        ("-I/etc/x", ["/etc/x"]),
        ("@/etc/x", ["/etc/x"]),
        ("file:///etc/passwd", ["///etc/passwd"]),
        ("A,/etc/x:/etc/y", ["/etc/x", "/etc/y"]),
        ("$X/etc/x", ["/etc/x"]),
        ("../x", ["../x"]),
        ("results/../../x", ["results/../../x"]),
        ("--x=../y", ["../y"]),
        ("..", [".."]),
        ("~/x", ["~/x"]),
        ("~root/x", ["~root/x"]),
        ("${HOME}/x", ["${HOME}/x"]),
    ],
)
def test_outside_paths_finds_what_leaves_the_run(text, paths):
    assert list(outside_paths(text)) == paths


@pytest.mark.parametrize(
    "text",
    [
        "resources/genome.fa",
        "a/../b",
        "results/{sample}/tmp/x",
        "https://example.org/etc/x",
        "s/a/b/",
        "s|/no-such-folder/|b|",
        "~ condition + batch",
        "~condition/batch",
        "1/2",
        "/",
        "...",
        "..x/y",
        "",
    ],
)
def test_outside_paths_of_other_texts_finds_none(text):
    assert list(outside_paths(text)) == []


def test_path_problems_names_the_parameter_at_any_depth():
    params = {"ref": {"fasta": "/etc/os-release"}, "rows": [{"a": "x"}, {"a": "/etc/x"}]}
    fields = [problem.field for problem in path_problems(params, {}, ())]
    assert fields == ["params.ref.fasta", "params.rows.1.a"]


def test_path_problems_accepts_values_of_the_workflow_and_opened_folders(tmp_path):
    opened = tmp_path / "opened"
    opened.mkdir()
    (opened / "out").symlink_to("/etc")
    params = {"own": "/etc/x", "open": f"{opened}/x.fa", "link": f"{opened}/out/passwd"}
    problems = list(path_problems(params, {"own": "/etc/x"}, (opened,)))
    assert [problem.field for problem in problems] == ["params.link"]
    assert problems[0].code == "forbidden"
