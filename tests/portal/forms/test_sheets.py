"""The table of a sample sheet parameter: filled in every way, checked and submitted."""

from __future__ import annotations

import io
import json

import pytest
from streamlit.util import calc_hash

from services.models import RunFilter
from tests.helpers.grids import edit, grid
from tests.helpers.upload_box import arrive

pytestmark = pytest.mark.usefixtures("services")

KEY = "field-samples"
WRONG = "Sample ID,First reads,Depth\na,a_R1.fastq,x\n<b>b</b>,a_R1.fastq,\n"
RIGHT = "Sample ID,First reads,Depth\na,a_R1.fastq,3\nb,a_R1.fastq,\n"


@pytest.fixture
def files(services, actor):
    """Registered files by name."""
    found = {}
    for name in ("a_R1.fastq", "a_R2.fastq", "b.fastq", "notes.txt"):
        found[name] = services.files.register(actor, name, io.BytesIO(name.encode()))
    return found


@pytest.fixture
def form(portal, files):
    return portal("new", workflow="samples")


def rows(session):
    """The rows of the table, as the form would submit them."""
    assert not session.exception
    return session.session_state[KEY]


def texts(session):
    return [text.value.replace("\\", "") for text in session.markdown]


def problems(session):
    return [
        text.removeprefix(":red[:material/error: ").removesuffix("]")
        for text in texts(session)
        if text.startswith(":red[:material/error:")
    ]


def captions(session):
    return [caption.value.replace("\\", "") for caption in session.caption]


def runs(scenes):
    return scenes.services.runs.list(scenes.actor, RunFilter()).items


def read(session, services, actor, text, name="table.csv"):
    """Upload a table file in its box."""
    file = services.files.register(actor, name, io.BytesIO(text.encode()))
    return arrive(session, f"{KEY}-table", (name + file.id, file.id))


def test_empty_table_has_a_hint_and_the_columns_of_the_schema(form):
    assert rows(form) == []
    assert any(
        text.startswith("No rows yet. Type or paste into the table") for text in captions(form)
    )
    assert list(grid(form).value.columns) == ["sample", "fastq_1", "fastq_2", "depth", "group"]
    config = json.loads(grid(form).proto.columns)
    assert config["sample"]["label"] == "Sample *"
    column = config["fastq_1"]["type_config"]
    assert column["type"] == "selectbox"
    options = {item if isinstance(item, str) else item["value"] for item in column["options"]}
    assert options == {"a_R1.fastq", "a_R2.fastq", "b.fastq"}


def test_typed_cells_are_checked_and_submitted_with_the_ids_of_files(form, files, scenes):
    row = {"sample": "a b", "fastq_1": "a_R1.fastq", "depth": "3"}
    session = edit(form, added=[row, {}])
    assert rows(session) == [{**row, "depth": 3}]
    assert problems(session) == ["Row 1, Sample: Use letters, digits, - and _ only."]
    assert any(text == "1 row, 1 problem" for text in captions(session))
    session.button(key="start").click()
    session = edit(session, added=[row])
    assert runs(scenes) == []
    assert session.error[0].value == "Fix 1 problem before starting: Samples."
    assert len(problems(session)) == 1
    assert rows(session) == [{**row, "depth": 3}]
    session = edit(session, added=[{**row, "sample": "a"}])
    assert problems(session) == []
    assert "1 row, no problems found." in captions(session)
    session.button(key="start").click()
    session = edit(session, added=[{**row, "sample": "a"}])
    (run,) = runs(scenes)
    file = files["a_R1.fastq"].id
    assert run.params["samples"] == [{"sample": "a", "fastq_1": file, "depth": 3}]


def test_table_file_fills_the_table_and_can_be_undone(form, services, actor):
    session = read(form, services, actor, WRONG)
    assert rows(session) == [
        {"sample": "a", "fastq_1": "a_R1.fastq", "depth": "x"},
        {"sample": "<b>b</b>", "fastq_1": "a_R1.fastq"},
    ]
    assert problems(session) == [
        "Row 1, depth: Must be an integer.",
        "Row 2, Sample: Use letters, digits, - and _ only.",
    ]
    session = read(session, services, actor, RIGHT)
    assert problems(session) == []
    assert rows(session)[0]["depth"] == 3
    session.button(key=f"{KEY}-undo").click().run()
    assert rows(session)[0]["depth"] == "x"


def test_lost_cells_are_noted_and_a_broken_table_file_changes_nothing(form, services, actor):
    session = read(form, services, actor, "Sample,First reads,Depth\na,a_R1.fastq,=1+1\n")
    assert rows(session) == [{"sample": "a", "fastq_1": "a_R1.fastq"}]
    assert "C2: The cell contains a formula: =1+1" in session.warning[0].value.replace("\\", "")
    session = read(session, services, actor, "nothing\tof\tthis\n", "other.tsv")
    assert "no row names the columns" in session.warning[0].value.replace("\\", "")
    assert rows(session) == [{"sample": "a", "fastq_1": "a_R1.fastq"}]


@pytest.mark.parametrize("head", ["Sample ID\tFirst reads\tDepth\n", ""])
def test_pasted_rows_are_read_with_and_without_header(form, head):
    second = "" if head else "\t"
    form.text_area(key=f"{KEY}-paste").set_value(f"{head}a\tb.fastq\t{second}4\n")
    form.button(key=f"{KEY}-use").click().run()
    assert rows(form) == [{"sample": "a", "fastq_1": "b.fastq", "depth": 4}]
    assert form.text_area(key=f"{KEY}-paste").value == ""


def test_start_before_the_used_rows_are_drawn_has_these_rows(form, files, scenes):
    """The browser sends the pasted text until it has drawn the page again."""
    text = "a\tb.fastq\t\t4\n"
    form.text_area(key=f"{KEY}-paste").set_value(text)
    form.button(key=f"{KEY}-use").click().run()
    form.text_area(key=f"{KEY}-paste").set_value(text)
    form.button(key="start").click().run()
    (run,) = runs(scenes)
    assert run.params["samples"] == [{"sample": "a", "fastq_1": files["b.fastq"].id, "depth": 4}]


@pytest.mark.parametrize("other", ["b\tb.fastq\t\t4\n", "a\tb.fastq\t\t4\n"])
def test_pasted_text_that_is_not_in_the_table_starts_nothing(form, scenes, other):
    form.text_area(key=f"{KEY}-paste").set_value("a\tb.fastq\t\t4\n")
    form.button(key=f"{KEY}-use").click().run()
    edit(form, {0: {"depth": "5"}})
    form.text_area(key=f"{KEY}-paste").set_value(other)
    form.button(key="start").click().run()
    assert runs(scenes) == []
    assert any("not in the table yet" in text for text in texts(form))


def test_selected_files_are_paired_and_files_without_mate_noted(form, files, services, actor):
    late = services.files.register(actor, "late_R2.fastq", io.BytesIO(b"late"))
    session = arrive(form, f"{KEY}-files", ("late", late.id))
    pair = session.multiselect(key=f"{KEY}-pair")
    assert pair.value == [late.id]
    pair.set_value([late.id, *(files[name].id for name in ("b.fastq", "a_R2.fastq", "a_R1.fastq"))])
    session.button(key=f"{KEY}-add").click().run()
    assert rows(session) == [
        {"sample": "a", "fastq_1": "a_R1.fastq", "fastq_2": "a_R2.fastq"},
        {"sample": "b", "fastq_1": "b.fastq"},
    ]
    assert (
        "late_R2.fastq was left out: the file with the first reads is missing."
        in session.warning[0].value.replace("\\", "")
    )


def test_lanes_and_index_reads_are_paired_as_in_the_api_and_noted(form, services, actor):
    names = [f"x_S1_L00{lane}_{read}_001.fastq" for lane in (1, 2) for read in ("R1", "R2", "I1")]
    session, ids = form, []
    for name in names:
        file = services.files.register(actor, name, io.BytesIO(name.encode()))
        ids.append(file.id)
        session = arrive(session, f"{KEY}-files", (name, file.id))
    session.multiselect(key=f"{KEY}-pair").set_value(ids)
    session.button(key=f"{KEY}-add").click().run()
    assert [(row["sample"], row["fastq_2"]) for row in rows(session)] == [
        ("x_L001", "x_S1_L001_R2_001.fastq"),
        ("x_L002", "x_S1_L002_R2_001.fastq"),
    ]
    notes = " ".join(warning.value for warning in session.warning).replace("\\", "")
    assert "x_S1_L001_I1_001.fastq was left out: it contains index reads." in notes
    assert "The 2 lanes of x were added as samples of their own: x_L001, x_L002." in notes


def test_table_of_another_encoding_is_read_and_noted(form, services, actor):
    table = "样品编号,First reads,strandedness\na,A_R1.FASTQ,对照\n"
    file = services.files.register(actor, "gbk.csv", io.BytesIO(table.encode("gb18030")))
    session = arrive(form, f"{KEY}-table", ("gbk", file.id))
    assert rows(session)[0]["fastq_1"] == "A_R1.FASTQ"
    notes = " ".join(warning.value for warning in session.warning).replace("\\", "")
    assert "it was read as GB18030 (GBK)." in notes


def test_file_with_a_suffix_in_upper_case_is_offered(portal, files, services, actor):
    services.files.register(actor, "B.FASTQ", io.BytesIO(b"upper"))
    session = portal("new", workflow="samples")
    column = json.loads(grid(session).proto.columns)["fastq_1"]["type_config"]
    options = {item if isinstance(item, str) else item["value"] for item in column["options"]}
    assert "B.FASTQ" in options


def test_files_with_the_same_name_have_different_labels(portal, files, services, actor, scenes):
    other = services.files.register(actor, "b.fastq", io.BytesIO(b"another"))
    session = portal("new", workflow="samples")
    config = json.loads(grid(session).proto.columns)["fastq_1"]["type_config"]["options"]
    labels = {one["value"]: one["label"] for one in config if isinstance(one, dict)}
    assert labels[other.id].startswith("b.fastq  ·  7 B")
    assert labels[files["b.fastq"].id].startswith("b.fastq")
    assert labels["a_R1.fastq"] == "a_R1.fastq"


def test_rows_are_kept_while_another_page_is_open(form, services, actor):
    read(form, services, actor, RIGHT)
    form.query_params.clear()
    form._page_hash = calc_hash("runs")
    form.run()
    form._page_hash = calc_hash("new")
    form.query_params["workflow"] = "samples"
    form.run()
    assert rows(form)[0] == {"sample": "a", "fastq_1": "a_R1.fastq", "depth": 3}
    assert grid(form).value["sample"].tolist() == ["a", "b"]


def test_run_again_fills_in_the_rows_of_that_run(portal, files, scenes, services, actor):
    row = {"sample": "a", "fastq_1": files["b.fastq"].id, "group": "treated"}
    sheet = services.files.register(actor, "s.csv", io.BytesIO(RIGHT.encode()))
    for samples, first in (([row], "b.fastq"), (sheet.id, "a_R1.fastq")):
        run = scenes.waiting(workflow="samples", params={"samples": samples})
        session = portal("new", **{"from": run.id})
        assert rows(session)[0]["fastq_1"] == first
        assert problems(session) == []


def test_example_runs_with_its_rows(form, scenes):
    form.button(key="example-form-samples").click().run()
    (run,) = runs(scenes)
    assert [entry.field for entry in run.inputs] == ["samples.0.fastq_1", "samples.0.fastq_2"]
