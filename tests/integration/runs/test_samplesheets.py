"""Sample sheets of submissions, from rows or a registered sheet to the table of the workflow."""

from __future__ import annotations

import io

import pytest
import yaml

from services.catalogue.configuration import Broken
from services.catalogue.schemas import form_of
from services.errors import Conflict, Invalid, NotFound
from services.models import Actor, RunRequest, State
from tests.helpers.desk import WORKFLOWS

ANN, BEN = Actor(id="ann"), Actor(id="ben")
FASTQ = b"@r\nA\n+\nI\n"


@pytest.fixture
def settings(settings):
    return type(settings)(**{**vars(settings), "workflows": (WORKFLOWS,)})


def put(services, name, content=FASTQ, actor=ANN):
    return services.files.register(actor, name, io.BytesIO(content))


def submit(services, samples, actor=ANN):
    request = RunRequest(workflow="sampled", params={"samples": samples})
    return services.runs.submit(actor, request)


def refused(services, samples, actor=ANN):
    with pytest.raises(Invalid) as caught:
        submit(services, samples, actor)
    return {problem.field: problem.message for problem in caught.value.problems}


def test_schema_of_rows_is_part_of_the_parameters_schema(services):
    field = services.workflows.get(ANN, "sampled").params_schema["properties"]["samples"]
    assert field["rows"]["items"]["required"] == ["sample", "fastq_1"]


def test_rows_name_files_by_id_or_by_name_and_keep_the_ids(services):
    one, two = put(services, "a_R1.fastq"), put(services, "my b; $x.fastq", b"2")
    run = submit(
        services,
        [
            {"sample": "a", "fastq_1": one.id, "depth": 3},
            {"sample": "b", "fastq_1": "/somewhere/my b; $x.fastq", "fastq_2": one.id},
        ],
    )
    assert run.params["samples"] == [
        {"sample": "a", "fastq_1": one.id, "depth": 3},
        {"sample": "b", "fastq_1": two.id, "fastq_2": one.id},
    ]
    assert run.sheets == {"samples": "inputs/samples.tsv"}
    assert [(entry.field, entry.file, entry.path) for entry in run.inputs] == [
        ("samples.0.fastq_1", one.id, "inputs/samples/fastq_1/a_R1.fastq"),
        ("samples.1.fastq_1", two.id, "inputs/samples/fastq_1/my_b_x.fastq"),
        ("samples.1.fastq_2", one.id, "inputs/samples/fastq_2/a_R1.fastq"),
    ]
    assert services.files.uses(ANN, one.id) == 1
    with pytest.raises(Conflict):
        services.files.delete(ANN, two.id)


def test_file_in_several_rows_is_staged_once_and_others_of_its_name_apart(services):
    one, other = put(services, "a.fastq", b"1"), put(services, "a.fastq", b"2")
    files = [one.id, one.id, other.id]
    rows = [{"sample": f"s{n}", "fastq_1": file} for n, file in enumerate(files)]
    paths = [entry.path for entry in submit(services, rows).inputs]
    folder = "inputs/samples/fastq_1"
    assert paths == [f"{folder}/a.fastq", f"{folder}/a.fastq", f"{folder}/a-2.fastq"]


def test_submit_every_problem_of_rows_is_at_its_cell(services):
    put(services, "twice.fastq", b"1")
    put(services, "twice.fastq", b"2")
    put(services, "theirs.fastq", actor=BEN)
    assert refused(services, [{"sample": "a b"}, {"sample": "c", "fastq_1": "c.bam"}]) == {
        "params.samples.0.fastq_1": "Row 1, “First reads”: Required.",
        "params.samples.0.sample": "Row 1, “Sample”: Use letters, digits, - and _ only.",
        "params.samples.1.fastq_1": "Row 2, “First reads”: "
        "c.bam is not an accepted file: its name must end in .fastq.",
    }
    named = ["twice.fastq", "theirs.fastq", "../../etc/none.fastq", "0" * 24]
    rows = [{"sample": f"s{n}", "fastq_1": name} for n, name in enumerate(named)]
    words = [message.partition(": ")[2] for message in refused(services, rows).values()]
    assert words == [
        "You have 2 files named twice.fastq.",
        "You have no file named theirs.fastq.",
        "You have no file named none.fastq.",
        f"You have no file named {'0' * 24}.",
    ]


def test_submit_problem_of_a_cell_has_code_and_args_of_its_issue(services):
    with pytest.raises(Invalid) as caught:
        submit(services, [{"sample": "a", "fastq_1": "none.fastq"}])
    (problem,) = caught.value.problems
    assert (problem.field, problem.code) == ("params.samples.0.fastq_1", "not_found")
    assert problem.message == "Row 1, “First reads”: You have no file named none.fastq."
    assert problem.hint == "Upload the file first, or correct its name."
    args = problem.as_dict()["args"]
    assert (args["name"], args["row"], args["column"]) == ("none.fastq", 1, "First reads")


@pytest.mark.parametrize(
    ("registered", "written"),
    [
        ("Probe_a\u0308_R1.fastq", "Probe_\u00e4_R1.fastq"),  # from macOS
        ("SEQ_R1.FASTQ", "seq_r1.fastq"),
        ("S1(2).fastq", "\uff33\uff11\uff08\uff12\uff09.fastq"),
        ("a.fastq", "reads/A.fastq"),
    ],
)
def test_submit_name_in_another_form_finds_the_file(services, registered, written):
    file = put(services, registered)
    run = submit(services, [{"sample": "a", "fastq_1": written}])
    assert run.params["samples"] == [{"sample": "a", "fastq_1": file.id}]


def test_submit_exact_name_wins_over_one_in_another_case(services):
    lower, upper = put(services, "a.fastq", b"1"), put(services, "A.fastq", b"2")
    rows = [{"sample": "s1", "fastq_1": "a.fastq"}, {"sample": "s2", "fastq_1": "A.fastq"}]
    run = submit(services, rows)
    assert [row["fastq_1"] for row in run.params["samples"]] == [lower.id, upper.id]
    put(services, "b.FASTQ", b"3")
    put(services, "B.fastq", b"4")
    assert list(refused(services, [{"sample": "s3", "fastq_1": "b.fastq"}]).values()) == [
        "Row 1, “First reads”: You have 2 files named b.fastq."
    ]


def test_submit_suffix_in_upper_case_is_staged_as_the_pattern_has_it(services):
    file = put(services, "SEQ.R1.FASTQ")
    run = submit(services, [{"sample": "a", "fastq_1": file.id}])
    (entry,) = run.inputs
    assert (entry.name, entry.path) == ("SEQ.R1.FASTQ", "inputs/samples/fastq_1/SEQ.R1.fastq")


def test_pair_registered_files_are_rows_with_their_ids(services):
    files = [put(services, f"a_R{mate}.fastq", f"{mate}".encode()) for mate in (2, 1)]
    pairs = services.sheets.pair(ANN, "sampled", "samples", [file.id for file in files])
    assert pairs.records == [{"sample": "a", "fastq_1": files[1].id, "fastq_2": files[0].id}]
    assert submit(services, pairs.records).params["samples"] == pairs.records
    with pytest.raises(Invalid) as caught:
        services.sheets.pair(ANN, "sampled", "samples", [files[0].id, "0" * 24])
    assert [problem.field for problem in caught.value.problems] == ["files.1"]
    with pytest.raises(NotFound):
        services.sheets.pair(ANN, "sampled", "none", [files[0].id])


def test_submit_wrong_types_of_values_are_refused(services):
    assert set(refused(services, [])) == {"params.samples"}
    assert set(refused(services, 7)) == {"params.samples"}
    assert set(refused(services, ["x"])) == {"params.samples.0"}
    assert set(refused(services, [{"sample": {"$gt": ""}, "fastq_1": ["a"]}])) == {
        "params.samples.0.sample",
        "params.samples.0.fastq_1",
    }
    bam = put(services, "a.bam")
    assert set(refused(services, [{"sample": "a", "fastq_1": bam.id}])) == {
        "params.samples.0.fastq_1"
    }


def test_registered_sheet_is_read_and_is_an_input_too(services):
    put(services, "a.fastq")
    sheet = put(services, "my.csv", "Project,X\n样品编号,First reads\na,data/a.fastq\n".encode())
    run = submit(services, sheet.id)
    assert run.params == {"samples": sheet.id}
    assert [entry.field for entry in run.inputs] == ["samples", "samples.0.fastq_1"]
    assert run.sheets == {"samples": "inputs/samples.tsv"}


@pytest.mark.parametrize(
    ("content", "field", "words"),
    [
        (b"sample\tfastq_1\n\xff\n", "params.samples", "Line 2 is not encoded in UTF-8."),
        (b"sample,fastq_1\na,=1\n", "params.samples.0.fastq_1", "Row 2, “fastq_1”: The cell "),
        (
            b"sample,fastq_1\na,a.fastq\n",
            "params.samples.0.fastq_1",
            "Row 2, “fastq_1”: You have no file named a.fastq.",
        ),
        (b"a" * 17_000_000, "params.samples", "The sheet is larger than 16 MiB."),
    ],
)
def test_registered_sheet_with_a_problem_is_refused(services, content, field, words):
    ((where, message),) = refused(services, put(services, "s.csv", content).id).items()
    assert where == field
    assert message.startswith(words)


def test_submit_sheet_of_another_user_is_not_found(services):
    sheet = put(services, "s.csv", b"sample,fastq_1\n", BEN)
    assert refused(services, sheet.id) == {"params.samples": "File not found."}


def test_parse_has_the_issues_of_a_submission_and_keeps_the_names(services):
    put(services, "a.fastq")
    data = b"Sample,First reads\na,a.fastq\nb,b.fastq\n"
    for source in (io.BytesIO(data), put(services, "s.csv", data).id):
        sheet = services.sheets.parse(ANN, "sampled", "samples", source)
        assert sheet.records[0] == {"sample": "a", "fastq_1": "a.fastq"}
        assert [(issue.cell, issue.message) for issue in sheet.issues] == [
            ("B3", "You have no file named b.fastq.")
        ]
        assert not sheet.ok
    field = services.workflows.get(ANN, "sampled").params_schema["properties"]["samples"]
    (issue,) = services.sheets.check(ANN, field["rows"], sheet.records)
    assert (issue.row, issue.name) == (2, "fastq_1")
    with pytest.raises(NotFound, match="Sample sheet not found"):
        services.sheets.parse(ANN, "reader", "text", io.BytesIO(data))
    with pytest.raises(NotFound):
        services.sheets.parse(ANN, "nothing", "samples", io.BytesIO(data))


def test_schema_of_rows_outside_the_workflow_is_not_read():
    folder = WORKFLOWS / "sampled"
    with pytest.raises(Broken, match="not in the workflow"):
        form_of(folder, {}, {"samples": "../reader/config/config.yaml"})


def test_example_sheet_becomes_rows_and_the_workflow_reads_its_table(desk):
    run = desk.services.runs.submit(ANN, RunRequest(workflow="sampled", example=True))
    assert [record["sample"] for record in run.params["samples"]] == ["a", "b"]
    assert desk.finished(run.id).state is State.COMPLETE
    folder = desk.folder(run.id)
    assert (
        yaml.safe_load((folder / "config/config.yaml").read_text())["samples"]
        == "inputs/samples.tsv"
    )
    assert (folder / "inputs/samples.tsv").read_text() == (
        "sample\tfastq_1\tfastq_2\tdepth\n"
        "a\tinputs/samples/fastq_1/a_R1.fastq\tinputs/samples/fastq_2/a_R2.fastq\t3\n"
        "b\tinputs/samples/fastq_1/b.fastq\t\t\n"
    )
    assert (folder / "results/counts.tsv").read_text() == "8\t8\n"


def test_registered_sheet_is_staged_as_the_same_table(desk):
    put(desk.services, "c.fastq")
    sheet = put(desk.services, "s.csv", b"Sample ID,First reads\nc,c.fastq\n")
    run = submit(desk.services, sheet.id)
    assert desk.finished(run.id).state is State.COMPLETE
    assert (desk.folder(run.id) / "results/counts.tsv").read_text() == "4\n"
