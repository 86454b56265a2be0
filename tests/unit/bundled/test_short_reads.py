"""Modules shared by reads-qc and amplicon-variants: sample sheets, trimming, checks, reports."""

from __future__ import annotations

import gzip
import json
import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

WORKFLOWS = Path(__file__).parents[3] / "workflows"
SCRIPTS = WORKFLOWS / "reads-qc" / "workflow" / "scripts"
TWINS = WORKFLOWS / "amplicon-variants" / "workflow" / "scripts"
sys.path.append(str(SCRIPTS))

from short_reads.checking import ReadsProblem, count_reads  # noqa: E402
from short_reads.multiqc import (  # noqa: E402
    Tool,
    make_frame_safe,
    methods_section,
    table_section,
    with_version,
)
from short_reads.samples import SheetProblem, matching, read_samples  # noqa: E402
from short_reads.trimming import trimming_options  # noqa: E402

pytestmark = pytest.mark.workflow

DEFAULTS = yaml.safe_load((WORKFLOWS / "reads-qc" / "config" / "config.yaml").read_text())
FASTQ = "@a/1\nACGT\n+\nIIII\n@b/1\nAC\n+\nII\n"
MATES = FASTQ.replace("/1", "/2")


def schema_fields(name: str) -> dict:
    text = (WORKFLOWS / name / "workflow" / "schemas" / "config.schema.yaml").read_text()
    groups = yaml.safe_load(text)["$defs"].values()
    return {field: rules for group in groups for field, rules in group["properties"].items()}


@pytest.fixture
def write(tmp_path):
    def place(name, text):
        path = tmp_path / name
        content = text if isinstance(text, bytes) else text.encode()
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return str(path)

    return place


@pytest.mark.parametrize("name", ["reads-qc", "amplicon-variants"])
def test_every_parameter_is_described_and_has_its_default(name):
    defaults = yaml.safe_load((WORKFLOWS / name / "config" / "config.yaml").read_text())
    fields = schema_fields(name)
    assert list(defaults) == list(fields)
    readme = (WORKFLOWS / name / "config" / "README.md").read_text()
    for field, rules in fields.items():
        assert {"title", "description", "help_text"} <= set(rules), field
        assert f"`{field}`" in readme
        if rules.get("format") != "file-path":
            assert rules["default"] == defaults[field], field
        if rules["type"] in ("integer", "number"):
            assert "enum" in rules or {"minimum", "maximum"} <= set(rules), field


@pytest.mark.parametrize(
    "file", sorted(path.name for path in (SCRIPTS / "short_reads").glob("*.py"))
)
def test_shared_modules_are_the_same_in_both_workflows(file):
    assert (SCRIPTS / "short_reads" / file).read_text() == (
        TWINS / "short_reads" / file
    ).read_text()


# ---- sample sheets ---------------------------------------------------------------------------


def test_read_samples_keeps_order_and_distinguishes_pairs_from_singles(write):
    sheet = write("s.tsv", "sample\tfastq_1\tfastq_2\nb\tb1\tb2\na\ta1\t\n")
    samples = read_samples(sheet)
    assert [(one.name, one.files, one.paired) for one in samples] == [
        ("b", ("b1", "b2"), True),
        ("a", ("a1",), False),
    ]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("a\tx\t\na\ty\t\n", "Row 3: the sample name a is already used."),
        ("a\t\ty\n", "Row 2: sample a has no file of reads 1 (fastq_1)."),
        ("a\tx\tx\n", "Row 2: reads 1 and reads 2 of sample a are the same file."),
        ("\tx\t\n", "Row 2: the sample name is missing."),
        ("", "The sample sheet has no samples."),
    ],
)
def test_read_samples_of_an_invalid_sheet_names_the_row(write, rows, words):
    with pytest.raises(SheetProblem, match=re.escape(words)):
        read_samples(write("s.tsv", f"sample\tfastq_1\tfastq_2\n{rows}"))


def test_matching_is_literal_and_matches_nothing_without_names():
    assert re.fullmatch(matching(["a.b", "c"]), "a.b")
    assert not re.fullmatch(matching(["a.b"]), "axb")
    assert not re.fullmatch(matching([]), "")


# ---- trimming --------------------------------------------------------------------------------


def test_trimming_options_of_the_defaults():
    single = trimming_options(DEFAULTS, paired=False)
    assert " ".join(single) == (
        "--minimum-length 20 -a AGATCGGAAGAGC --error-rate 0.1 --overlap 3 --quality-cutoff 0,20"
    )
    paired = trimming_options(DEFAULTS, paired=True)
    assert [one for one in paired if one not in single] == ["-A"]


def test_trimming_options_of_everything_else():
    given = {
        "adapters": "custom",
        "adapter_1": "ACGT",
        "two_color": True,
        "trim_n": True,
        "cut_start": 5,
        "cut_end": 2,
        "max_n_percent": 10,
    }
    options = " ".join(trimming_options({**DEFAULTS, **given}, paired=True))
    assert "-a ACGT --error" in options
    assert "-A" not in options
    for words in ("--nextseq-trim 20", "-u 5 -u -2 -U 5 -U -2", "--trim-n", "--max-n 0.1"):
        assert words in options


# ---- checks ----------------------------------------------------------------------------------


def test_count_reads_counts_reads_or_pairs(write):
    one, other = write("1.fastq.gz", FASTQ), write("2.fastq", MATES)
    assert count_reads([one]) == {"reads": 2, "bases": 6}
    assert count_reads([one, other]) == {"reads": 2, "bases": 12}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"1.fastq": ""}, "1.fastq contains no reads."),
        (
            {"1.fastq": ">a\nACGT\n"},
            "1.fastq is a FASTA file; a FASTQ file with base qualities is required.",
        ),
        ({"1.fastq": "some text\n"}, "1.fastq is not a FASTQ file."),
        ({"1.fastq": "@a\nACGT\n+\nIII\n"}, "1.fastq is not valid FASTQ"),
        (
            {"1.fastq": FASTQ, "2.fastq": MATES[:16]},
            "1.fastq and 2.fastq are not a pair: 2.fastq has fewer reads (1) than the other file.",
        ),
        (
            {"1.fastq": FASTQ, "2.fastq": MATES.replace("b", "c")},
            "the names of read 2 differ ('b/1' and 'c/2').",
        ),
    ],
)
def test_count_reads_of_invalid_files_raises_the_reason(write, files, words):
    paths = [write(name, text) for name, text in files.items()]
    with pytest.raises(ReadsProblem) as caught:
        count_reads(paths)
    assert words in str(caught.value)


def test_count_reads_finds_gzip_that_ends_early(write, tmp_path):
    cut = tmp_path / "cut.fastq.gz"
    cut.write_bytes(gzip.compress(FASTQ.encode() * 1000)[:-20])
    with pytest.raises(
        ReadsProblem, match=r"^cut\.fastq\.gz is damaged: its gzip data are truncated or corrupt\."
    ):
        count_reads([str(cut)])


# ---- reports ---------------------------------------------------------------------------------


def test_make_frame_safe_adds_its_script_before_all_others():
    page = make_frame_safe("<html><head><script>localStorage.x</script></head></html>")
    assert page.index("mqc_hide_welcome") < page.index("localStorage.x")
    assert "#mqc_welcome { display: none" in page
    with pytest.raises(ValueError, match="head"):
        make_frame_safe("text")


def test_sections_escape_what_users_wrote():
    tool = Tool("no-such-package-here", "<role>", "Doe & others", "10.1/x")
    section = json.loads(methods_section("<n>", ["<step>"], [tool], {"<k>": "<script>"}))
    assert not {"<script>", "<step>", "<role>", "<k>"} & set(section["data"].split())
    assert "&lt;script&gt;" in section["data"]
    assert "(unknown version)" in section["data"]
    table = json.loads(table_section("id", "T", "D", {}, {"a": {"x": 1}}))
    assert (table["plot_type"], table["data"]) == ("table", {"a": {"x": 1}})


def test_with_version_sets_the_version_of_one_tool():
    tool = Tool("no-such-package-here", "role", "citation", "10.1/x")
    assert [one.version for one in with_version([tool], tool.package, "1.2")] == ["1.2"]
    assert with_version([tool], "other", "1.2") == [tool]


# ---- the summary of reads-qc -----------------------------------------------------------------


@pytest.fixture(scope="module")
def summarize():
    spec = spec_from_file_location("reads_qc_summarize", SCRIPTS / "summarize.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def quality(reads, bases, good):
    return {"total_reads": reads, "total_bases": bases, "q20_bases": good, "total_gc_bases": 5}


def test_summary_counts_both_reads_of_pairs(summarize):
    trimming = {
        "read_counts": {
            "input": 10,
            "output": 9,
            "read1_with_adapter": 2,
            "read2_with_adapter": 1,
        },
        "basepair_counts": {"input": 200, "output": 150},
    }
    raw = {"summary": quality(10, 100, 90), "summary_read2": quality(10, 100, 70)}
    trimmed = {"summary": quality(9, 75, 75), "summary_read2": quality(9, 75, 60)}
    figures = summarize.summary_of(trimming, raw, trimmed)
    assert list(figures) == list(summarize.COLUMNS)
    assert (figures["reads_out_percent"], figures["bases_out_percent"]) == (90.0, 75.0)
    assert figures["with_adapter_percent"] == 15.0
    assert (figures["q20_in_percent"], figures["q20_out_percent"]) == (80.0, 90.0)
    assert (figures["mean_length_in"], figures["gc_percent"]) == (10.0, 6.67)


def test_samples_without_reads_are_left_out_of_the_quality_after_trimming(summarize):
    job = SimpleNamespace(
        output=SimpleNamespace(section="s.json"),
        params=SimpleNamespace(sections=["m.json"]),
        input=SimpleNamespace(
            raw=["raw/a.json", "raw/b.1.json"],
            trimming=["trimming/a.json", "trimming/b.1.json"],
            trimmed=["trimmed/a.json", "trimmed/b.1.json"],
        ),
    )
    files = summarize.report_files(job, ["b.1"])
    assert "trimmed/a.json" in files
    assert "raw/b.1.json" in files
    assert "trimmed/b.1.json" not in files
