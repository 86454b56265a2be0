"""The workflow reads-qc through the API: real Snakemake, Sequali, Cutadapt, MultiQC, real reads."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from pathlib import Path

import pytest

from tests.helpers.crate_validator import assert_valid_crate
from tests.helpers.remote import Remote, finished, problems

WORKFLOW = Path(__file__).parents[3] / "workflows" / "reads-qc"
EXAMPLE = WORKFLOW / "example"
FIRST, SECOND = "gut16S_R1.fastq.gz", "gut16S_R2.fastq.gz"

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.timeout(300),
]  # s; the first test waits for a whole run


@pytest.fixture(scope="module")
def remote(desk) -> Remote:
    return Remote.of(desk)


@pytest.fixture(scope="module")
def done(remote):
    """The example: a paired sample and a single one."""
    return finished(remote, {"workflow": "reads-qc", "example": True})


def reads(packed: bytes) -> list[list[str]]:
    """The records of a FASTQ file: name, letters, plus, qualities."""
    lines = gzip.decompress(packed).decode().splitlines()
    return [lines[at : at + 4] for at in range(0, len(lines), 4)]


def test_example_gives_the_known_figures(done):
    table = done.table("results/summary.tsv")
    by_sample = {row["sample"]: row for row in table}
    assert [row["sample"] for row in table] == ["gut16S", "hiseqx"]
    gut = by_sample["gut16S"]
    assert (gut["reads_in"], gut["reads_out"]) == ("2500", "2499")
    assert (gut["bases_in"], gut["bases_out"]) == ("1127518", "1075285")
    assert float(gut["q20_out_percent"]) > float(gut["q20_in_percent"]) > 90
    assert by_sample["hiseqx"]["reads_out"] == "10000"


def test_trimmed_reads_are_results_and_stay_in_pairs(done):
    first = reads(done.content("results/trimmed/gut16S_R1.fastq.gz"))
    second = reads(done.content("results/trimmed/gut16S_R2.fastq.gz"))
    assert len(first) == len(second) == 2499
    names = [[read[0].split()[0] for read in side] for side in (first, second)]
    assert names[0] == names[1]
    assert all(len(read[1]) == len(read[3]) >= 20 for read in first + second)
    raw = {read[0]: read[1] for read in reads((EXAMPLE / FIRST).read_bytes())}
    assert all(raw[read[0]].startswith(read[1]) for read in first)
    single = [path for path in done.results if path.startswith("results/trimmed/hiseqx")]
    assert single == ["results/trimmed/hiseqx_R1.fastq.gz"]


def test_report_has_both_stages_methods_and_versions_and_loads_nothing(done):
    assert done.results[0] == "results/report.html"
    page = done.content("results/report.html").decode()
    shown = re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.S)
    stages = ("Quality of the raw reads", "Trimming", "Quality of the trimmed reads")
    for words in (*stages, "Methods and citations", "10.14806/ej.17.1.200", "gut16S", "hiseqx"):
        assert words in shown
    assert "Top overrepresented" not in shown
    assert not re.findall(r"<(?:script|img|iframe|link)\b[^>]*src=.?(?:https?:)?//", shown)
    assert page.index("mqc_hide_welcome") < page.index("<body")


def test_steps_ran_once_for_each_sample(done):
    jobs = done.jobs()
    per_rule = {rule: len([one for one in jobs if one == rule]) for rule in set(jobs)}
    assert per_rule == {
        "check_reads": 2,
        "quality_of_raw_reads": 2,
        "trim_single": 1,
        "trim_paired": 1,
        "quality_of_trimmed_reads": 2,
        "summarize": 1,
        "describe": 1,
        "multiqc": 1,
        "report": 1,
        "all": 1,
    }


# ---- wrong inputs are named before anything runs -----------------------------------------------


def row(sample="a", first=FIRST, second=None):
    made = {"sample": sample, "fastq_1": first}
    return made | ({"fastq_2": second} if second else {})


def packed(text: str) -> bytes:
    return gzip.compress(text.encode(), mtime=0)


def fastq(names) -> bytes:
    return packed("".join(f"@{name}\nACGT\n+\nIIII\n" for name in names))


@pytest.fixture(scope="module")
def uploads(remote):
    """The ids of good and bad files, by name."""
    whole = (EXAMPLE / FIRST).read_bytes()
    contents = {
        FIRST: whole,
        SECOND: (EXAMPLE / SECOND).read_bytes(),
        "sequences.fastq.gz": packed(">a\nACGT\n"),
        "cut.fastq.gz": whole[: len(whole) // 2],
        "table.fastq": b"sample\tfile\n",
        "sheet.fastq": b"PK\x03\x04 and more",
        "other_R2.fastq.gz": fastq(["x/2", "y/2"]),
        "short_R2.fastq.gz": packed(gunzipped_head(EXAMPLE / SECOND, 100)),
    }
    return {name: remote.upload(name, content) for name, content in contents.items()}


def gunzipped_head(path: Path, records: int) -> str:
    lines = gzip.decompress(path.read_bytes()).decode().splitlines(keepends=True)
    return "".join(lines[: 4 * records])


@pytest.mark.parametrize(
    ("rows", "field", "words"),
    [
        ([row(first="sequences.fastq.gz")], "0.fastq_1", "is FASTA, but FASTQ is required"),
        ([row(first="cut.fastq.gz")], "0.fastq_1", "cut.fastq.gz is damaged: its gzip data is"),
        ([row(first="table.fastq")], "0.fastq_1", "is a table or other text, but FASTQ"),
        ([row(first="sheet.fastq")], "0.fastq_1", "is a zip archive or an Excel file"),
        ([row(), row(first=SECOND)], "1.sample", ""),
        ([row(second="other_R2.fastq.gz")], "0.fastq_2", "their first reads are named"),
        ([row(second="short_R2.fastq.gz")], "0.fastq_2", "they hold 2,500 and 100 reads"),
        ([{"sample": "a", "fastq_2": SECOND}], "0.fastq_1", ""),
        ([row(second=FIRST)], "0.fastq_2", "have the same content"),
    ],
)
def test_wrong_reads_are_refused_with_row_and_reason(remote, uploads, rows, field, words):
    sent = [{key: uploads.get(value, value) for key, value in one.items()} for one in rows]
    before = remote.runs()
    reply = remote.submit({"workflow": "reads-qc", "params": {"samples": sent}})
    found = problems(reply, 400)
    assert words in found[f"params.samples.{field}"]
    assert remote.runs() == before


def test_wrong_values_are_refused_by_field(remote, uploads):
    params = {
        "samples": [row(first=uploads[FIRST])],
        "quality_cutoff": 61,
        "adapter_1": "ACGT; rm -rf /",
        "adapters": "ilumina",
    }
    found = problems(remote.submit({"workflow": "reads-qc", "params": params}), 400)
    assert {"params.quality_cutoff", "params.adapter_1", "params.adapters"} <= set(found)


def test_sheet_with_names_of_files_is_understood(remote, uploads):
    sheet = io.StringIO()
    table = csv.writer(sheet)
    table.writerow(["Sample", "R1", "R2"])
    table.writerow(["gut", FIRST, SECOND])
    sheet_id = remote.upload("samples.csv", sheet.getvalue().encode())
    body = {"workflow": "reads-qc", "params": {"samples": sheet_id}}
    checked = remote.validate(body)
    assert checked.status_code == 200, checked.text
    assert json.loads(checked.text)["data"]["params"]["min_length"] == 20


def test_crate_of_the_run_is_valid(desk, done):
    entities = assert_valid_crate(desk.services, done.id)
    assert set(done.results) <= entities.keys()
