from __future__ import annotations

import json

import pytest

from services.models import Cause, CauseKind, State
from services.rundir import RunDir

pytestmark = pytest.mark.usefixtures("services")

TABS = ["Overview", "Jobs", "Log", "Results", "Parameters", "History"]
HOSTILE = "![x](http://evil.example/x.png) <script>alert(1)</script> :material/delete: $x$ [a](b)"


def texts(session):
    return [text.value for text in (*session.title, *session.markdown, *session.caption)]


def keys(session):
    return {button.key for button in session.button}


def table(session, column):
    """The table that has that column."""
    return next(found.value for found in session.dataframe if column in found.value)


@pytest.mark.parametrize(
    ("scene", "word", "actions"),
    [
        ("waiting", "Waiting", {"cancel"}),
        ("starting", "Starting", {"cancel"}),
        ("running", "Running", {"cancel"}),
        ("canceling", "Stopping", {"cancel"}),
        ("complete", "Done", {"see-results"}),
        ("failed", "Failed", {"resume", "failed-job"}),
        ("lost", "System error", {"resume"}),
        ("canceled", "Canceled", {"resume"}),
    ],
)
def test_page_of_a_run_in_every_state(portal, scenes, scene, word, actions):
    run = getattr(scenes, scene)(name="my run")
    session = portal("run", id=run.id)
    assert not session.exception
    assert session.title[0].value == "my run"
    assert session.markdown[0].value.endswith(f": {word}]")
    assert keys(session) == {"again", *actions}
    assert [tab.label for tab in session.tabs] == TABS


def test_failed_run_shows_cause_and_hint_first(portal, scenes):
    session = portal("run", id=scenes.failed().id)
    shown = texts(session)
    assert "#### :red[:material/error:] A job of the rule search failed\\." in shown
    assert "Look at the log of the job\\, fix the input and run it again\\." in shown
    assert session.code[0].value == "reading part 1\nno sequence in line 7"
    session.button(key="failed-job").click().run()
    assert session.session_state["tab"] == "Jobs"
    assert session.query_params["job"] == "1-2"
    assert "search --part 1" in [code.value for code in session.code]


def test_overview_counts_the_jobs_of_each_step(portal, scenes):
    session = portal("run", id=scenes.running().id)
    steps = table(session, "Average time")
    assert list(steps["Step"]) == ["prepare", "search", "report"]
    assert list(steps["Jobs"]) == ["1 / 1", "1 / 2", "0 / 1"]
    assert [cell[0] for cell in steps["State"]] == ["Done", "Running", "Waiting"]
    (bar,) = session.get("progress")
    assert bar.value == 50
    assert "2 of 4 jobs" in bar.proto.text


def test_step_after_the_failure_is_shown_as_not_run(portal, scenes):
    run = scenes.failed()
    graph = scenes.services.runs.graph(scenes.actor, run.id)
    assert [step.state for step in graph.steps] == [State.COMPLETE, State.EXECUTOR_ERROR, None]
    steps = table(portal("run", id=run.id), "Average time")
    assert [cell[0] for cell in steps["State"]] == ["Done", "Failed", "Not run"]


def test_page_is_drawn_again_when_the_state_changes(portal, scenes):
    run = scenes.running()
    session = portal("run", id=run.id)
    scenes.services.runs.cancel(scenes.actor, run.id)
    session.run()
    assert session.markdown[0].value.endswith(": Stopping]")
    assert session.button(key="cancel").disabled


def test_cancel_asks_first_and_then_cancels(portal, scenes):
    run = scenes.running()
    session = portal("run", id=run.id)
    session.button(key="cancel").click().run()
    assert scenes.services.runs.get(scenes.actor, run.id).state is State.RUNNING
    session.button(key="cancel-yes").click().run()
    assert scenes.services.runs.get(scenes.actor, run.id).state is State.CANCELING


def test_refused_action_shows_the_error(portal, scenes):
    run = scenes.failed()
    session = portal("run", id=run.id)
    session.button(key="resume").click().run()
    scenes.services.runs.resume(scenes.actor, run.id)
    session.button(key="resume-yes").click().run()
    (toast,) = session.toast
    assert "Only failed or canceled runs can be resumed" in toast.value


def test_resume_says_what_will_happen_and_queues_the_run_again(portal, scenes):
    run = scenes.failed()
    session = portal("run", id=run.id)
    session.button(key="resume").click().run()
    assert any("Finished jobs are kept (1 of 4)" in text for text in texts(session))
    assert scenes.services.runs.get(scenes.actor, run.id).state is State.EXECUTOR_ERROR
    session.button(key="resume-yes").click().run()
    assert scenes.services.runs.get(scenes.actor, run.id).state is State.QUEUED
    assert session.markdown[0].value.endswith(": Waiting]")


def test_log_shows_its_end_without_control_characters(portal, scenes):
    run = scenes.running(console="\x1b[33mrule a:\x1b[0m\n" + "x" * 70_000 + "\nlast <b>line</b>\n")
    session = portal("run", id=run.id, tab="Log")
    assert session.code[0].value == "last <b>line</b>"
    (link,) = session.get("link_button")
    assert f"/api/v1/runs/{run.id}/log?" in link.proto.url
    assert "signature=" in link.proto.url


def test_log_is_searched_as_a_whole(portal, scenes):
    lines = ["Error: <b>early</b>", *["nothing here"] * 9000, "another ERROR", "end"]
    run = scenes.running(console="\n".join(lines))
    session = portal("run", id=run.id, tab="Log", words="error")
    assert session.code[0].value == "   1  Error: <b>early</b>\n9002  another ERROR"
    assert "2 matching lines." in [text.value for text in session.caption]
    session.text_input(key="words").set_value("not there").run()
    assert not session.code
    session.text_input(key="words").set_value("").run()
    assert session.code[0].value.endswith("end")


def test_parameters_show_commands_to_reproduce_the_run(portal, scenes):
    run = scenes.complete()
    home = RunDir.of(scenes.services.settings.data, run.id)
    assert not portal("run", id=run.id, tab="Parameters").code
    home.config.write_text("{}")
    (code,) = portal("run", id=run.id, tab="Parameters").code
    assert f"/workflows/{run.digest}/workflow/Snakefile" in code.value
    assert str(home.config) in code.value.splitlines()[1]


def test_results_show_highlights_first_and_list_every_file(portal, scenes):
    files = {
        "report.html": "<h1>hello</h1>",
        "hits.tsv": "query\tevalue\nq1\t3e-120\n",
        "notes.txt": "x",
    }
    run = scenes.complete(files)
    session = portal("run", id=run.id, tab="Results")
    assert [heading.value for heading in session.subheader] == ["Report", "Hits", "All files"]
    (frame,) = session.get("iframe")
    address = f"http://127.0.0.1:{scenes.services.settings.api_port}/api/v1/runs/{run.id}/results/"
    assert frame.proto.src.startswith(f"{address}results/report.html?inline=1&")
    hits = session.dataframe[0].value
    assert list(hits["evalue"]) == [3e-120]
    listed = table(session, "Download")
    assert list(listed["File"]) == ["results/report.html", "results/hits.tsv", "results/notes.txt"]
    assert all(len(value) == 64 for value in listed["sha256"])
    assert all("signature=" in url for url in listed["Download"])
    again = session.run()
    assert again.get("iframe")[0].proto.src == frame.proto.src  # a poll does not load it again


def test_long_table_is_filtered_as_a_whole(portal, scenes):
    rows = [f"q{number}\t{number % 7}" for number in range(3000)] + ["last.one\t<b>x</b>"]
    run = scenes.complete({"hits.tsv": "query\tn\n" + "\n".join(rows) + "\n"})
    session = portal("run", id=run.id, tab="Results")
    assert len(session.dataframe[0].value) == 1000
    assert any(text.startswith("Showing the first 1,000 rows.") for text in texts(session))
    session.text_input(key="filter-0").set_value("T.O").run()
    assert session.dataframe[0].value.values.tolist() == [["last.one", "<b>x</b>"]]
    assert "1 matching row." in texts(session)
    session.text_input(key="filter-0").set_value("q").run()
    assert len(session.dataframe[0].value) == 1000
    assert any(text.startswith("More than 1,000 matching rows.") for text in texts(session))
    session.text_input(key="filter-0").set_value("(").run()
    assert session.dataframe[0].value.empty


def test_variants_are_a_table_below_their_header(portal, scenes):
    head = "##fileformat=VCFv4.2\n##source=<script>alert(1)</script>\n"
    run = scenes.complete({"calls.vcf": f"{head}#CHROM\tPOS\tID\n17\t302\t.\n"})
    session = portal("run", id=run.id, tab="Results")
    assert table(session, "POS").values.tolist() == [[17, 302, "."]]
    assert session.expander[0].label == "Header (2 lines)"
    assert session.expander[0].code[0].value == head.strip()


def test_pdf_is_handed_to_the_browsers_viewer(portal, scenes):
    run = scenes.complete({"figure.pdf": "%PDF-1.4\n%%EOF\n"})
    session = portal("run", id=run.id, tab="Results")
    assert not session.exception
    (viewer,) = session.get("bidi_component")
    data = json.loads(viewer.proto.json or viewer.proto.mixed.json)
    assert f"/api/v1/runs/{run.id}/results/results/figure.pdf?inline=1&" in data["url"]
    assert not session.get("iframe")  # Streamlit's are sandboxes, in which no PDF is shown


def test_clicked_result_is_previewed(portal, scenes):
    run = scenes.complete({"hits.tsv": "a\tb\n1\t2\n", "notes.txt": HOSTILE})
    session = portal("run", id=run.id, tab="Results")
    assert not session.code
    session.session_state["files"] = {
        "selection": {"rows": [], "columns": [], "cells": [(1, "File")]}
    }
    session.run()
    assert [code.value for code in session.code] == [HOSTILE]


def test_malformed_table_is_shown_as_text(portal, scenes):
    run = scenes.complete({"hits.tsv": "a\tb\n1\t2\t3\n4\n"})
    session = portal("run", id=run.id, tab="Results")
    assert not session.exception
    assert session.code[0].value == "a\tb\n1\t2\t3\n4"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("hits.tsv", "a\0", "contains binary data"),
        ("figure.png", "", "is empty"),
        ("figure.svg", "/etc/hostname", "not a valid SVG document"),
        ("figure.pdf", "%PDF-1.4", "its end is missing"),
        ("hits.tsv.gz", "plain", "not compressed with gzip"),
    ],
)
def test_preview_that_fails_leaves_the_list_and_the_downloads(
    portal, scenes, name, content, reason
):
    run = scenes.complete({name: content})
    session = portal("run", id=run.id, tab="Results")
    assert not session.exception
    assert any(reason in text for text in texts(session))
    links = [link.proto.label for link in session.get("link_button")]
    assert {"Open in a new tab", "Download", "Download all", "RO-Crate"} <= set(links)
    assert list(table(session, "Download")["File"]) == [f"results/{name}"]


def test_result_that_was_deleted_leaves_the_other_results(portal, scenes):
    run = scenes.complete({"hits.tsv": "a\n1\n", "report.html": "<p>"})
    results = RunDir.of(scenes.services.settings.data, run.id).results
    (results / "hits.tsv").unlink()
    (results / "report.html").unlink()
    (results / "report.html").mkdir()
    session = portal("run", id=run.id, tab="Results")
    assert not session.exception
    shown = " ".join(texts(session))
    assert "was removed from storage" in shown
    assert "not a regular file" in shown
    assert len(table(session, "Download")) == 2


def test_table_with_an_integer_beyond_64_bits_is_shown_exactly(portal, scenes):
    number = "340282366920938463463374607431768211455"
    run = scenes.complete({"hits.tsv": f"read\thash\nr1\t{number}\n"})
    session = portal("run", id=run.id, tab="Results")
    assert session.dataframe[0].value.values.tolist() == [["r1", number]]


def test_parameters_are_shown_by_title_and_files_by_name(portal, scenes):
    run = scenes.complete()
    session = portal("run", id=run.id, tab="Parameters")
    given = dict(table(session, "Parameter").values)
    assert given["Queries"] == "queries.fasta.gz"
    assert given["E-value threshold"] == "1e-05"
    assert list(table(session, "sha256")["sha256"]) == [entry.sha256 for entry in run.inputs]
    assert run.digest in list(session.dataframe[1].value["Value"])
    RunDir.of(scenes.services.settings.data, run.id).software.write_text('{"snakemake": "9.1"}')
    assert ["snakemake", "9.1"] in session.run().dataframe[1].value.values.tolist()


def test_rows_of_sheets_are_shown_as_tables(portal, scenes, services, actor):
    (folder,) = services.settings.workflows
    rows = []
    for name in ("a_R1.fastq", "a_R2.fastq"):
        with (folder / "samples/example" / name).open("rb") as stream:
            rows.append(
                {"sample": name[2:4], "fastq_1": services.files.register(actor, name, stream).id}
            )
    run = scenes.waiting(workflow="samples", params={"samples": rows})
    session = portal("run", id=run.id, tab="Parameters")
    assert not session.exception
    assert dict(table(session, "Parameter").values)["Samples"] == "2 rows"
    assert table(session, "fastq_1")["fastq_1"].tolist() == ["a_R1.fastq", "a_R2.fastq"]


def test_history_shows_attempts_and_changes_of_state(portal, scenes):
    run = scenes.failed()
    session = portal("run", id=run.id, tab="History")
    assert not session.exception
    (row,) = table(session, "No.").to_dict("records")
    assert (row["No."], row["Host"]) == ("1", "host")
    assert row["Duration"] != "–"
    words = " ".join(texts(session))
    assert words.index("Waiting") < words.index("Starting") < words.rindex("Failed")
    assert "The run has not started yet." in texts(
        portal("run", id=scenes.waiting().id, tab="History")
    )


@pytest.mark.parametrize("run_id", ["", "nonsense", "0" * 24])
def test_missing_run_shows_a_note(portal, run_id):
    session = portal("run", id=run_id)
    assert not session.exception
    assert "Run not found" in session.markdown[0].value
    session.button(key="all-runs").click().run()
    assert session.title[0].value == "Runs"


def test_hostile_text_stays_text(portal, scenes):
    cause = Cause(
        kind=CauseKind.RULE_FAILED, message=HOSTILE, rule=HOSTILE, log=HOSTILE, hint=HOSTILE
    )
    failed = scenes.failed(cause, name=HOSTILE, tags=[HOSTILE[:60]])
    done = scenes.complete({"<img src=x>.txt": HOSTILE, "hits.tsv": f"{HOSTILE}\n1\n"}, name="x")
    sessions = [portal(), portal("run", id=failed.id)]
    sessions += [portal("run", id=done.id, tab=tab) for tab in TABS[1:]]
    sessions.append(portal("new", **{"from": failed.id}))
    for session in sessions:
        assert not session.exception
        for text in texts(session):
            for active in ("![", "](", "<script", ":material/delete", "$x$"):
                assert active not in text.replace("\\<", "")
    assert HOSTILE in list(table(sessions[0], "Name")["Name"])
    assert sessions[1].code[0].value == HOSTILE


def test_run_of_another_user_is_not_shown(portal, scenes, settings, monkeypatch):
    run = scenes.complete()
    monkeypatch.setenv("RUNDESK_REMOTE_USER_HEADER", "X-Remote-User")
    monkeypatch.setenv("RUNDESK_REMOTE_USER_SECRET", "0123456789abcdef")
    session = portal("run", id=run.id)
    assert not session.exception
    assert "Sign in first" in session.title[0].value
    assert run.name not in " ".join(texts(session))


def test_log_of_a_job_is_shown_with_its_files(portal, scenes):
    run = scenes.failed()
    home = RunDir.of(scenes.services.settings.data, run.id).root
    (home / "logs" / "search.log").write_text("it was line 7\n")
    session = portal("run", id=run.id, tab="Jobs", job="1-2")
    assert list(table(session, "Step")["Step"]) == ["prepare", "search"]
    shown = [code.value for code in session.code]
    assert "it was line 7" in shown
    assert "results/search1.tsv" in shown


def test_unreachable_run_says_that_its_host_does_not_respond(portal, scenes):
    run = scenes.running()
    (lease,) = scenes.services.database.queue.leases()
    assert scenes.services.database.queue.flag_unreachable(lease, now=lease.until)
    session = portal("run", id=run.id)
    assert any("has not responded since" in text for text in texts(session))


def test_waiting_run_says_why_it_waits(portal, scenes):
    while scenes.services.database.queue.usage(host="host").runs < 4:
        scenes.starting()
    session = portal("run", id=scenes.waiting().id)
    shown = [text.replace("\\", "") for text in texts(session)]
    assert any("Run limit reached (4 running runs)." in text for text in shown), shown
