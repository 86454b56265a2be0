from __future__ import annotations

import io
import json
import re

import pytest
from streamlit.testing.v1 import AppTest

from services.access.actors import local_actor
from services.models import RunFilter
from tests.helpers.scenes import Scenes
from tests.helpers.upload_box import arrive, data
from ui import context

pytestmark = pytest.mark.usefixtures("services")

TABLE = b"a\tb\n1\t2\n"


def texts(session):
    return [text.value.replace("\\", "") for text in session.markdown]


def problems(session):
    return [text for text in texts(session) if text.startswith(":red[:material/error:")]


def runs(scenes: Scenes):
    return scenes.services.runs.list(scenes.actor, RunFilter()).items


def upload(session: AppTest, field: str, name: str = "table.tsv", content: bytes = TABLE):
    """Upload a file into the box of a field."""
    files = context.services().files
    file = files.register(local_actor(), name, io.BytesIO(content))
    return arrive(session, f"field-{field}", (name, file.id))


def test_cards_show_input_and_why_a_workflow_is_not_available(portal):
    session = portal("new")
    shown = texts(session)
    headings = [heading.value for heading in session.subheader]
    small = [heading for heading in headings if heading != "Trials"]  # "Trials" fills a row
    assert headings == [*small, "Trials"]
    assert small == [*sorted({*small} - {"Other"}), "Other"]
    assert "Sequences" in small
    assert "#### Shapes *of* fields" in shown
    assert ":gray[:material/login: Input] A table" in shown
    assert any("no-such-program is not installed" in text for text in shown)
    assert any("rundesk.yaml cannot be read" in text for text in shown)
    keys = {button.key for button in session.button}
    assert "example-new-shapes" in keys
    assert {"example-new-lacking", "setup-new-lacking", "setup-new-broken"}.isdisjoint(keys)


def test_card_leads_to_the_form(portal):
    session = portal("new")
    session.button(key="setup-new-shapes").click().run()
    assert session.title[0].value == "Shapes \\*of\\* fields"
    assert session.query_params["workflow"] == "shapes"


def test_form_is_drawn_from_the_schema(portal):
    session = portal("new", workflow="shapes")
    assert not session.exception
    assert [heading.value for heading in session.subheader] == ["Input", "Fields", "Name and tags"]
    assert session.selectbox(key="field-table").label == "Table *"
    assert session.selectbox(key="field-mode").options == ["fast", "slow"]
    assert session.selectbox(key="field-mode").value == "fast"
    count = session.text_input(key="field-count")
    assert (count.label, count.value, count.proto.max_chars) == ("Count (reads)", "3", 0)
    share = session.text_input(key="field-share")
    assert share.value == "0.05"
    assert share.help.replace("\\", "") == "Part of all. Allowed: more than 0, at most 1."
    assert session.toggle(key="field-strict").value is True
    assert session.multiselect(key="field-sizes").value == ["21", "33"]
    assert session.multiselect(key="field-colours").value == ["red"]
    assert [field.key for field in session.expander[0].text_input] == ["field-seed"]


def test_browser_knows_the_values_before_any_script_sets_them(portal, scenes):
    """A button that is pressed at once must not send fields that are still empty."""
    run = scenes.waiting(workflow="depends", params={"user": "ann", "password": "x"}, name="first")
    session = portal("new", **{"from": run.id})
    assert session.text_input(key="field-user").proto.default == "ann"
    assert session.text_input(key="run-name").proto.default == "first"
    assert session.text_input(key="field-trim.from").proto.default == "1"
    mode = session.selectbox(key="field-mode").proto
    assert mode.options[mode.default] == "plain"


def test_uploaded_file_is_registered_and_chosen(portal, services, actor):
    session = upload(portal("new", workflow="shapes"), "table")
    (file,) = services.files.list(actor).items
    assert (file.name, file.size) == ("table.tsv", len(TABLE))
    assert session.selectbox(key="field-table").value == file.id
    assert session.selectbox(key="field-table").options == ["table.tsv  ·  8 B"]
    upload(session, "more", "other.tsv", TABLE + TABLE)
    assert len(session.multiselect(key="field-more").value) == 1


def test_box_of_a_field_has_its_pattern_and_a_signed_link(portal, settings):
    session = portal("new", workflow="shapes")
    box = data(session, "field-table")
    assert box["link"].startswith(f"{settings.public_api_url}/uploads/?")
    assert "signature=" in box["link"]
    assert (box["label"], box["many"], box["all"]) == ("Table *", False, False)
    assert box["largest"] == settings.max_upload * 2**20
    assert re.search(box["pattern"], "a.tsv")
    assert not re.search(box["pattern"], "a.png")
    assert box["slot"].startswith("shapes ")
    assert data(session, "field-more")["many"]


def test_upload_that_is_reported_twice_is_selected_once(portal):
    session = upload(portal("new", workflow="shapes"), "table")
    session.selectbox(key="field-table").set_value(None).run()
    upload(session, "table")
    assert session.selectbox(key="field-table").value is None
    assert data(session, "field-table")["taken"] == ["table.tsv"]


def test_problems_are_shown_at_their_fields_and_values_are_kept(portal, scenes):
    session = portal("new", workflow="shapes")
    session.text_input(key="field-label").set_value("NOT LOWER")
    session.text_input(key="field-count").set_value("7")
    session.text_input(key="run-name").set_value("my *run*")
    session.button(key="start").click().run()
    assert not session.exception
    assert runs(scenes) == []
    summary = session.error[0].value.replace("\\", "")
    assert summary == "Fix 2 problems before starting: Table, Label."
    table, label = problems(session)
    assert "Does not have the required format." in label
    assert "Required." in table
    assert session.text_input(key="field-label").value == "NOT LOWER"
    assert session.text_input(key="field-count").value == "7"
    assert session.text_input(key="run-name").value == "my *run*"


def test_error_goes_when_its_field_changes(portal):
    session = portal("new", workflow="shapes")
    session.button(key="start").click().run()
    assert len(problems(session)) == 1
    upload(session, "table")
    assert problems(session) == []
    assert not session.error


def test_problem_of_a_hidden_field_unfolds_advanced(portal, settings):
    schema = settings.workflows[0] / "shapes/workflow/schemas/config.schema.yaml"
    schema.write_text(schema.read_text().replace("maximum: 100, hidden", "multipleOf: 5, hidden"))
    session = upload(portal("new", workflow="shapes"), "table")
    assert session.expander[0].proto.expanded is False
    session.text_input(key="field-seed").set_value("7")
    session.button(key="start").click().run()
    assert len(problems(session)) == 1
    assert session.expander[0].proto.expanded is True


def test_invalid_json_is_shown_at_its_field(portal, scenes):
    session = upload(portal("new", workflow="shapes"), "table")
    session.text_area(key="field-extra").set_value("{nonsense").run()
    session.button(key="start").click().run()
    assert "Invalid JSON in line 1, column 2: " in problems(session)[0]
    assert runs(scenes) == []


def test_typed_fields_survive_another_page(portal):
    session = portal("new", workflow="shapes")
    session.text_input(key="field-label").set_value("kept").run()
    form, session._page_hash = session._page_hash, portal()._page_hash
    session.run()
    assert session.title[0].value == "Runs"
    session._page_hash = form
    session.query_params["workflow"] = "shapes"
    session.run()
    assert session.text_input(key="field-label").value == "kept"


def test_start_submits_what_the_form_holds(portal, scenes):
    session = upload(portal("new", workflow="shapes"), "table")
    session.selectbox(key="field-mode").set_value("slow")
    session.text_input(key="field-share").set_value("0.5")
    session.toggle(key="field-strict").set_value(False)
    session.text_area(key="field-extra").set_value('{"depth": [1, 2]}')
    session.text_input(key="run-name").set_value("my *run*")
    session.button(key="start").click().run()
    assert not session.exception
    (run,) = runs(scenes)
    assert run.name == "my *run*"
    assert run.params == {
        "table": run.inputs[0].file,
        "mode": "slow",
        "count": 3,
        "share": 0.5,
        "strict": False,
        "sizes": [21, 33],
        "colours": ["red"],
        "extra": {"depth": [1, 2]},
    }
    assert session.title[0].value == "my \\*run\\*"


def test_example_button_of_the_form_submits_the_example(portal, scenes):
    session = portal("new", workflow="shapes")
    session.button(key="example-form-shapes").click().run()
    (run,) = runs(scenes)
    assert [entry.name for entry in run.inputs] == ["table.tsv"]
    assert session.query_params["id"] == run.id


def test_same_form_sent_twice_makes_one_run(portal, scenes):
    def twice():
        from ui.parts import submission

        for _ in range(2):
            submission.submit(workflow="shapes", example=True)

    assert portal("new").title
    assert not AppTest.from_function(twice, default_timeout=30).run().exception
    assert len(runs(scenes)) == 1


def test_changed_form_makes_another_run(portal, scenes):
    def changed():
        from ui.parts import submission

        for name in ("one", "two"):
            submission.submit(workflow="shapes", example=True, name=name)

    assert portal("new").title
    assert not AppTest.from_function(changed, default_timeout=30).run().exception
    assert [run.name for run in runs(scenes)] == ["two", "one"]


def test_run_again_fills_the_form_from_that_run(portal, scenes, services, actor):
    with (services.settings.workflows[0] / "shapes/example/table.tsv").open("rb") as stream:
        file = services.files.register(actor, "mine.tsv", stream)
    params = {"table": file.id, "count": 8, "sizes": [55], "mode": "slow"}
    run = scenes.waiting(workflow="shapes", params=params, name="first", tags=["pilot"])
    session = portal("new", **{"from": run.id})
    assert session.selectbox(key="field-table").value == file.id
    assert session.text_input(key="field-count").value == "8"
    assert session.multiselect(key="field-sizes").value == ["55"]
    assert session.text_input(key="run-name").value == "first"
    assert session.multiselect(key="run-tags").value == ["pilot"]
    session.button(key="start").click().run()
    assert len(runs(scenes)) == 2
    assert runs(scenes)[0].params == run.params


@pytest.mark.parametrize("query", [{"workflow": "../../etc"}, {"from": "0" * 24}, {"from": "x"}])
def test_unknown_workflow_or_run_shows_a_warning(portal, query):
    session = portal("new", **query)
    assert not session.exception
    assert len(session.warning) == 1


def labels(session):
    """Text and number fields of the form, as they are called now."""
    return {field.label for field in session.text_input}


WRONG = {  # field → wrong value, and the sentence about it
    "field-count": ("150", "Must be at most 9."),
    "field-share": ("0,5", "Must be a number."),
    "field-label": ("NOT LOWER", "Does not have the required format."),
    "field-seed": ("x" * 5000, "Must be an integer."),
    "run-name": ("n" * 201, "Must have at most 200 characters."),
    "run-retries": ("6", "Must be at most 5."),
    "run-priority": ("", "Must be an integer."),
}


@pytest.mark.parametrize("key", WRONG)
def test_field_with_a_wrong_value_is_kept_and_nothing_starts(portal, scenes, key):
    value, sentence = WRONG[key]
    session = upload(portal("new", workflow="shapes"), "table")
    session.text_input(key=key).set_value(value)
    session.button(key="start").click().run()
    assert not session.exception
    assert runs(scenes) == []
    (problem,) = problems(session)
    assert sentence in problem.replace("\\", "")
    assert session.text_input(key=key).value == value


def test_cleared_field_with_a_default_is_required(portal, scenes):
    session = upload(portal("new", workflow="shapes"), "table")
    session.text_input(key="field-count").set_value("")
    session.button(key="start").click().run()
    assert runs(scenes) == []
    (problem,) = problems(session)
    assert "Required. The default value is 3." in problem


def test_value_that_the_server_did_not_receive_starts_nothing(portal, scenes):
    session = upload(portal("new", workflow="shapes"), "table")
    sent = {
        "st-key-field-count": "8",
        "st-key-field-strict": True,
        "st-key-field-sizes": ["21", "33", ""],
    }
    session.text_input(key="shown").set_value(json.dumps(sent))
    session.button(key="start").click().run()
    assert runs(scenes) == []
    (problem,) = problems(session)
    assert "The page shows “8”, but the server received “3”." in problem.replace("\\", "")
    session.text_input(key="field-count").set_value("8")
    session.button(key="start").click().run()
    assert runs(scenes)[0].params["count"] == 8


def test_changes_and_files_are_shown_beside_the_buttons(portal):
    session = upload(portal("new", workflow="shapes"), "table")
    assert "Default settings · Files: table.tsv" in captions(session)
    session.text_input(key="field-count").set_value("4").run()
    assert "1 setting changed: Count · Files: table.tsv" in captions(session)


def captions(session):
    return [caption.value.replace("\\", "") for caption in session.caption]


def test_fields_depend_on_the_values_of_other_fields(portal, scenes):
    session = portal("new", workflow="depends")
    assert {"User", "Password", "From", "Letters"} < labels(session)
    assert {"Model *", "Depth"}.isdisjoint(labels(session))
    session.selectbox(key="field-mode").set_value("own").run()
    assert {"Model *", "Depth"} < labels(session)
    session.text_input(key="field-model").set_value("abc").run()
    session.selectbox(key="field-mode").set_value("plain").run()
    assert "Model *" not in labels(session)
    session.selectbox(key="field-mode").set_value("own").run()
    assert session.text_input(key="field-model").value == "abc"  # nothing typed is lost
    session.text_input(key="field-user").set_value("ann").run()
    assert "Password *" in labels(session)
    session.button(key="start").click().run()
    (problem,) = problems(session)
    assert "Required together with user." in problem
    assert session.error[0].value.replace("\\", "").endswith(": Password.")
    session.text_input(key="field-password").set_value("secret").run()
    session.button(key="start").click().run()
    (run,) = runs(scenes)
    assert run.params == {
        "mode": "own",
        "user": "ann",
        "password": "secret",
        "trim": {"from": 1},
        "model": "abc",
        "depth": 4,
    }


def test_problem_in_a_nested_object_is_shown_at_its_field(portal, scenes):
    session = portal("new", workflow="depends")
    session.text_input(key="field-trim.letters").set_value("xyz").run()
    session.button(key="start").click().run()
    assert runs(scenes) == []
    (problem,) = problems(session)
    assert "Does not have the required format." in problem
    assert session.error[0].value.replace("\\", "").endswith(": Letters.")
    session.text_input(key="field-trim.letters").set_value("ACG").run()
    assert problems(session) == []
    session.button(key="start").click().run()
    assert runs(scenes)[0].params["trim"] == {"from": 1, "letters": "ACG"}


def test_retries_and_priority_are_folded_under_more(portal, scenes):
    session = portal("new", workflow="depends")
    more = session.expander[-1]
    assert (more.label, more.proto.expanded) == ("Run options", False)
    session.text_input(key="run-retries").set_value("2")
    session.text_input(key="run-priority").set_value("3")
    session.button(key="start").click().run()
    (run,) = runs(scenes)
    assert (run.retries, run.priority) == (2, 3)
    again = portal("new", **{"from": run.id})
    assert again.text_input(key="run-retries").value == "2"


def test_preview_shows_rules_and_jobs_until_the_form_changes(portal, scenes):
    session = portal("new", workflow="depends")
    session.button(key="preview").click().run()
    assert not session.exception
    (table,) = [one.value for one in session.dataframe if "Jobs" in one.value]
    assert dict(table.values) == {"all": 1, "make": 2}
    assert "3 jobs in total." in [text.value for text in session.caption]
    assert runs(scenes) == []
    session.selectbox(key="field-mode").set_value("own").run()
    assert not [one for one in session.dataframe if "Jobs" in one.value]
    session.button(key="preview").click().run()
    assert "Required." in problems(session)[0]


def test_preview_says_why_there_is_no_plan(portal, settings):
    snakefile = settings.workflows[0] / "depends/workflow/Snakefile"
    snakefile.write_text("rule all:\n    input: missing\n")
    session = portal("new", workflow="depends")
    session.button(key="preview").click().run()
    assert "(workflow/Snakefile, line 2)" in session.error[0].value.replace("\\", "")
