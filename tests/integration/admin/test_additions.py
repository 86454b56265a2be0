"""Adding workflows: accepted ones run, others are refused with all reasons and leave nothing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

import cli
from services.access.actors import local_actor
from services.errors import Conflict, Forbidden, Invalid, NotFound
from services.models import Actor, State
from tests.helpers.desk import environment

ME = local_actor()
HERE = Path(__file__).parents[1] / "additions"


@pytest.fixture(scope="module")
def desk(module_desk):
    return module_desk


@pytest.fixture(scope="module")
def added(desk):
    """The workflow that comes without manifest and schema, added from its folder."""
    return desk.services.additions.add(ME, str(HERE / "word-counts"))


def refusal(desk, source: str, **options) -> list[str]:
    with pytest.raises(Invalid) as caught:
        desk.services.additions.add(ME, source, **options)
    assert [path.name for path in (desk.settings.data / "catalogue").glob(".*")] == []
    return [problem.message for problem in caught.value.problems]


def test_workflow_without_manifest_and_schema_runs_by_its_inferred_form(desk, added):
    workflow, remarks = added
    assert (workflow.name, workflow.workflow.title) == ("word-counts", "Word counts")
    assert all(str(text).startswith("Snakemake's linter: ") for text in remarks)
    found = desk.services.workflows.get(ME, "word-counts")
    assert found.available
    assert found.readme.startswith("# Word counts")
    fields = found.params_schema["properties"]
    assert fields["longest"] == {"type": "number", "default": 3}
    assert fields["texts"]["properties"]["first"]["default"] == "to be or not to be"
    run = desk.finished(desk.submit("word-counts", longest=2))
    assert (run.state, run.error) == (State.COMPLETE, None)
    assert (desk.folder(run.id) / "results/words.tsv").read_text() == "be\t2\nis\t1\n"
    steps = {step.rule: step.done for step in desk.services.runs.graph(ME, run.id).steps}
    assert steps == {"count": 2, "table": 1, "all": 1}
    assert "results/words.tsv" in desk.results(run.id)
    assert desk.services.runs.log(ME, run.id).read_text()


def test_workflow_with_a_syntax_error_is_refused_with_file_and_line(desk):
    assert refusal(desk, str(HERE / "unbalanced")) == [
        "workflow/Snakefile, line 11: EOF in multi-line statement."
    ]
    (words,) = refusal(desk, str(HERE / "misspelt"))
    assert words.startswith(
        "The workflow has a syntax error: workflow/rules/out.smk, line 2: SyntaxError: "
    )
    assert "outptu" in words
    names = [one.name for one in desk.services.workflows.list(ME)]
    assert not {"unbalanced", "misspelt"} & {*names}


def test_workflow_that_needs_a_missing_program_says_which(desk):
    _, remarks = desk.services.additions.add(ME, str(HERE / "lacking"))
    assert [(text.code, str(text)) for text in remarks[:3]] == [
        (
            "unmet_requirement",
            "The program rundesk-no-such-aligner is not installed on this server.",
        ),
        (
            "unmet_requirement",
            "The workflow declares software for conda, which RUNDESK_SOFTWARE does not enable: the"
            " programs of this server are used instead, and none of them is named"
            " rundesk-no-such-aligner.",
        ),
        (
            "workflow_remark",
            "The workflow could not be planned because its requirements are not met.",
        ),
    ]
    assert not desk.services.workflows.get(ME, "lacking").available
    with pytest.raises(Invalid) as caught:
        desk.submit("lacking")
    assert "rundesk-no-such-aligner" in caught.value.problems[0].hint
    desk.services.additions.remove(ME, "lacking")


def test_add_workflow_whose_default_input_is_missing_is_a_remark(desk):
    _, remarks = desk.services.additions.add(ME, str(HERE / "reads-missing"))
    (text,) = (text for text in remarks if "users provide its input files" in str(text))
    assert text.code == "workflow_remark"
    assert "reads.fastq" in str(text)
    desk.services.additions.remove(ME, "reads-missing")
    with pytest.raises(NotFound):
        desk.services.workflows.get(ME, "reads-missing")


def test_workflow_of_a_repository_is_taken_at_its_ref(desk, tmp_path):
    repository = tmp_path / "Counts.git"
    shutil.copytree(HERE / "word-counts", repository)

    def git(*words: str) -> str:
        named = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        return subprocess.check_output(["git", *named, *words], cwd=repository, text=True)

    git("init", "--quiet", "--initial-branch=main")
    git("add", ".")
    git("commit", "--quiet", "-m", "one")
    git("tag", "v1")
    (repository / "config/README.md").write_text("# Later\n")
    git("commit", "--quiet", "-am", "two")
    first = git("rev-parse", "v1").strip()
    workflow, _ = desk.services.additions.add(ME, f"file://{repository}@v1")
    assert (workflow.name, workflow.ref, workflow.commit) == ("counts", "v1", first)
    assert workflow.workflow.readme.startswith("# Word counts")
    with pytest.raises(Conflict):
        desk.services.additions.add(ME, f"file://{repository}")
    workflow, _ = desk.services.additions.add(ME, f"file://{repository}", replacing=True)
    assert workflow.workflow.readme == "# Later\n"
    assert not (desk.settings.data / "catalogue/counts/.git").exists()
    assert refusal(desk, f"file://{repository}@v9", name="other")[0].startswith("git could not")
    desk.services.additions.remove(ME, "counts")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("http://example.org/x", "This is not the address of a git repository."),
        ("ext::sh -c 'touch PWN'", "The folder "),
        ("ext::sh://x/y", "This is not the address of a git repository."),
        ("file:///x@--upload-pack=touch", "“--upload-pack=touch” is not a valid branch"),
        ("https://example.org/x@a..b", "“a..b” is not a valid branch"),
        ("ssh://-oProxyCommand=touch/x", "This is not the address of a git repository."),
        (
            "ssh://-oProxyCommand=touch@example.org/x",
            "This is not the address of a git repository.",
        ),
        ("-oProxyCommand=touch@example.org:x", "The folder "),
        ("git@example.org:x@--upload-pack=touch", "“--upload-pack=touch” is not a valid branch"),
        ("/nowhere/at/all", "The folder /nowhere/at/all does not exist."),
    ],
)
def test_source_that_cannot_be_meant_is_refused(desk, source, words):
    assert refusal(desk, source)[0].startswith(words)


def test_link_that_leads_out_of_the_workflow_is_refused(desk, tmp_path):
    shutil.copytree(HERE / "word-counts", tmp_path / "linked")
    (tmp_path / "linked/config/secret").symlink_to("/etc/passwd")
    assert refusal(desk, str(tmp_path / "linked")) == [
        "config/secret is a link to a path outside the workflow."
    ]


def test_only_an_administrator_adds_and_no_bundled_name_is_taken(desk):
    additions, source = desk.services.additions, str(HERE / "word-counts")
    with pytest.raises(Forbidden):
        additions.add(Actor(id="ann"), source)
    with pytest.raises(Forbidden):
        additions.remove(Actor(id="ann"), "word-counts")
    with pytest.raises(Conflict):
        additions.add(ME, source, name="sequence-search")
    assert refusal(desk, source, name="../x") == ["“../x” is not a valid name for a workflow."]
    with pytest.raises(NotFound):
        additions.remove(ME, "sequence-search")


def test_command_says_what_is_missing_and_where_all_came_from(desk, added):
    def rundesk(*words: str):
        return CliRunner().invoke(cli.main, ["workflows", *words], env=environment(desk.settings))

    refused = rundesk("add", str(HERE / "unbalanced"))
    assert refused.exit_code == 1
    assert "workflow/Snakefile, line 11" in refused.output
    listed = rundesk("list")
    assert listed.exit_code == 0, listed.output
    assert f"Word counts  from {HERE / 'word-counts'}" in listed.output
    assert "sequence-search" in listed.output
