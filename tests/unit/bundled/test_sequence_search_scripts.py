"""Modules of the sequence search workflow, without Snakemake and MMseqs2."""

from __future__ import annotations

import gzip
import io
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from snakemake.utils import validate

WORKFLOW = Path(__file__).parents[3] / "workflows" / "sequence-search"
sys.path.append(str(WORKFLOW / "workflow" / "scripts"))

from sequence_search import alignment, fasta, mmseqs, page, tables  # noqa: E402
from sequence_search.alignment import Walk  # noqa: E402
from sequence_search.fasta import NUCLEOTIDE, PROTEIN, InputProblem, Record  # noqa: E402
from sequence_search.hits import (  # noqa: E402
    Raw,
    Result,
    Sequence,
    frame,
    make_hit,
    read_results,
    sort_raw,
)
from sequence_search.plan import (  # noqa: E402
    Plan,
    Side,
    choose_program,
    exhaustive,
    shortest_searchable,
)
from sequence_search.prepare import (  # noqa: E402
    Database,
    fewest_letters_first,
    parts_for,
    prepare,
    read_database,
)

pytestmark = pytest.mark.workflow

SCHEMA = yaml.safe_load((WORKFLOW / "workflow/schemas/config.schema.yaml").read_text())
DEFAULTS = yaml.safe_load((WORKFLOW / "config/config.yaml").read_text())
PROPERTIES = {
    name: rules for group in SCHEMA["$defs"].values() for name, rules in group["properties"].items()
}
READ_AS = {"blastp": PROTEIN, "blastn": NUCLEOTIDE, "tblastn": NUCLEOTIDE}
PROTEIN_SEQUENCE = "MKISANSIRTGNILVYNNDLWVVSKTPEHTQPGKGGAYVQVEMKNLKTGTKRNERF"


def a_plan(program: str = "blastp", **settings) -> Plan:
    side = Side("a.fasta", PROTEIN, 1, 10)
    return Plan(program, side, side, {**DEFAULTS, **settings}, "18-8cc5c")


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def read(path: Path) -> list[Record]:
    return list(fasta.read_records(path))


class Inputs:
    """Two FASTA files and the outcome of `prepare` over them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.queries = write(folder / "queries.fasta", f">q\n{PROTEIN_SEQUENCE}\n")
        self.database = write(folder / "database.fasta", f">d\n{PROTEIN_SEQUENCE}\n")
        self.chunks = [folder / f"{number}.fasta" for number in range(3)]

    def prepare(self, program: str = "auto", **settings) -> Plan:
        database = read_database(
            self.database,
            READ_AS.get(program, "auto"),
            self.folder / "normalized.fasta",
            self.folder / "database.tsv",
            "18-8cc5c",
        )
        database.write(self.folder / "about.json")
        return prepare(
            self.queries,
            Database.read(self.folder / "about.json"),
            "sent.fasta",
            program,
            {**DEFAULTS, **settings},
            self.chunks,
            self.folder / "queries.tsv",
        )


@pytest.fixture
def inputs(tmp_path):
    return Inputs(tmp_path)


# ---- FASTA -----------------------------------------------------------------------------------


def test_records_keep_names_descriptions_and_order(tmp_path):
    path = write(tmp_path / "a.fa", "\ufeff>one first  of\ttwo\r\nMK\r\nIS\r\n\r\n>two\r\nAA")
    assert read(path) == [Record("one", "first of two", "MKIS"), Record("two", "", "AA")]


def test_gzip_is_detected_by_content_not_by_name(tmp_path):
    (tmp_path / "a.fa").write_bytes(gzip.compress(b">one\nMK\n"))
    write(tmp_path / "b.fa.gz", ">one\nMK\n")
    assert read(tmp_path / "a.fa") == read(tmp_path / "b.fa.gz")


def test_truncated_gzip_is_named_as_damaged(tmp_path):
    whole = gzip.compress("".join(f">{n}\n{PROTEIN_SEQUENCE}{n}\n" for n in range(999)).encode())
    (tmp_path / "a.fa.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        InputProblem, match=r"^a\.fa\.gz is damaged: its gzip data are truncated or corrupt\."
    ):
        read(tmp_path / "a.fa.gz")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"a\.fa contains no sequences\."),
        (b"\n\n", r"a\.fa contains no sequences\."),
        (b"name,sequence\n", r"a\.fa is not a FASTA file: it starts with 'name,sequence'"),
        (b"@read1\nACGT\n+\nIIII\n", r"a\.fa appears to be a FASTQ file\."),
        (b"PK\x03\x04rest", r"a\.fa is not a FASTA file: it is a ZIP archive"),
    ],
)
def test_invalid_fasta_raises_the_reason_in_one_line(tmp_path, content, message):
    (tmp_path / "a.fa").write_bytes(content)
    with pytest.raises(InputProblem, match=message) as problem:
        read(tmp_path / "a.fa")
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize(
    ("letters", "kind"),
    [
        ("ACGTACGTNNACGT", NUCLEOTIDE),
        ("acguacgu", NUCLEOTIDE),
        ("ACGTRYACGTACGTACGTACGT", NUCLEOTIDE),
        (PROTEIN_SEQUENCE, PROTEIN),
        ("AC--GT..ACGT", NUCLEOTIDE),
    ],
)
def test_type_is_detected_from_the_letters(letters, kind):
    assert fasta.detect_type([Record("a", "", letters)]) == kind


@pytest.mark.parametrize(
    ("letters", "kind", "clean"),
    [
        ("mk-is.a*", PROTEIN, fasta.Cleaned("MKISA", gaps_removed=2)),
        ("MK*IS*", PROTEIN, fasta.Cleaned("MKXIS", stops_replaced=1)),
        ("acgu-n", NUCLEOTIDE, fasta.Cleaned("ACGTN", gaps_removed=1)),
    ],
)
def test_cleaning_normalizes_and_counts(letters, kind, clean):
    assert fasta.clean(Record("a", "", letters), kind, "a.fa") == clean


@pytest.mark.parametrize(
    ("letters", "kind", "message"),
    [
        ("ACGTE", NUCLEOTIDE, "'a' in a.fa contains 'E': not allowed in nucleotide sequences."),
        ("MK1@", PROTEIN, "'a' in a.fa contains '1', '@': not allowed in protein sequences."),
        ("--", PROTEIN, "'a' in a.fa is empty"),
        ("*", PROTEIN, "'a' in a.fa is empty"),
    ],
)
def test_foreign_letters_are_refused_by_name(letters, kind, message):
    with pytest.raises(InputProblem, match=message):
        fasta.clean(Record("a", "", letters), kind, "a.fa")


def test_wrapping_keeps_every_letter():
    assert fasta.wrapped("A" * 125) == "\n".join(["A" * 60, "A" * 60, "A" * 5])
    assert fasta.wrapped("A" * 60) == "A" * 60


# ---- preparing -------------------------------------------------------------------------------


def test_prepare_uses_safe_names_and_keeps_the_sent_ones(inputs):
    write(inputs.queries, f">a|b'<i> it's \"odd\"\n{PROTEIN_SEQUENCE.lower()}\n")
    plan = inputs.prepare()
    assert plan.program == "blastp"
    assert plan.queries == Side("queries.fasta", PROTEIN, 1, len(PROTEIN_SEQUENCE))
    assert inputs.chunks[0].read_text() == f">q000000001\n{PROTEIN_SEQUENCE}\n"
    names = (inputs.folder / "queries.tsv").read_text()
    assert names == f"q000000001\ta|b'<i>\t{len(PROTEIN_SEQUENCE)}\tit's \"odd\"\n"


def test_queries_are_dealt_out_once_each_and_unused_parts_are_empty(inputs):
    write(inputs.queries, "".join(f">q{n}\n{PROTEIN_SEQUENCE}{'A' * n}\n" for n in range(25)))
    inputs.prepare()
    dealt = [part.read_text().count(">") for part in inputs.chunks]
    assert sum(dealt) == 25
    assert min(dealt[:2]) >= 10
    assert dealt[2] == 0


@pytest.mark.parametrize(
    ("queries", "most", "parts"), [(1, 4, 1), (19, 4, 1), (25, 4, 2), (1000, 4, 4), (1000, 1, 1)]
)
def test_parts_hold_ten_queries_or_more(queries, most, parts):
    assert parts_for(queries, most) == parts


def test_each_sequence_goes_to_the_part_with_fewest_letters():
    assign = fewest_letters_first(2)
    assert [assign(length) for length in (100, 10, 10, 10, 200, 5)] == [0, 1, 1, 1, 1, 0]


def test_sequence_with_the_identifier_of_an_earlier_one_is_left_out(inputs):
    text = "".join(f">{name}\n{PROTEIN_SEQUENCE}\n" for name in ("x", "y", "x other", "z"))
    write(inputs.database, text)
    write(inputs.queries, text)
    plan = inputs.prepare(exhaustive_up_to=0)
    reason = "Sequence 3 has the identifier 'x' of sequence 1."
    for label in ("queries.fasta", "sent.fasta"):
        assert f"1 sequence in {label} was left out. {reason}" in plan.notes
    assert (plan.queries.sequences, plan.database.sequences) == (3, 3)


def test_notes_name_changes_and_queries_without_possible_hits(inputs):
    write(inputs.queries, f">a\nMK-ISA\n>b\nMK*{PROTEIN_SEQUENCE}\n")
    assert inputs.prepare(exhaustive_up_to=0).notes == [
        "Gaps were removed from 1 sequence in queries.fasta.",
        "Stop codons (*) within 1 sequence in queries.fasta were replaced by X.",
        "1 sequence in queries.fasta is shorter than 12 letters and cannot have hits with these "
        "settings.",
    ]


def test_sequences_of_ambiguous_codes_are_searched_as_protein_with_a_note(inputs):
    """WSMKRYBDHV are codes of several nucleotides each, and amino acids except for B."""
    write(inputs.queries, f">a\n{'WSMKRYBDHV' * 5}\n")
    note = (
        "All letters in queries.fasta are IUPAC codes of nucleotides, but it was searched as "
        "protein. Choose a program if these are nucleotides."
    )
    assert note in inputs.prepare(exhaustive_up_to=0).notes


@pytest.mark.parametrize(
    ("requested", "queries", "database", "program"),
    [
        ("auto", PROTEIN, PROTEIN, "blastp"),
        ("auto", NUCLEOTIDE, NUCLEOTIDE, "blastn"),
        ("auto", NUCLEOTIDE, PROTEIN, "blastx"),
        ("auto", PROTEIN, NUCLEOTIDE, "tblastn"),
        ("tblastx", NUCLEOTIDE, NUCLEOTIDE, "tblastx"),
        ("blastp", NUCLEOTIDE, PROTEIN, "blastp"),
    ],
)
def test_program_follows_the_data_unless_requested(requested, queries, database, program):
    assert choose_program(requested, queries, database) == program


@pytest.mark.parametrize(
    ("requested", "queries", "database", "message"),
    [
        (
            "blastn",
            PROTEIN,
            NUCLEOTIDE,
            "blastn requires nucleotide queries, but the file contains proteins.",
        ),
        (
            "tblastn",
            PROTEIN,
            PROTEIN,
            "tblastn requires a nucleotide database, but the file contains proteins.",
        ),
    ],
)
def test_proteins_where_nucleotides_are_needed_are_refused(requested, queries, database, message):
    with pytest.raises(InputProblem, match=message):
        choose_program(requested, queries, database)


def test_nucleotides_forced_to_proteins_are_noted(inputs):
    write(inputs.queries, ">q\nACGTACGTACGTACGTACGT\n")
    assert inputs.prepare("blastp").notes == [
        "The queries appear to be nucleotides but were searched as proteins (blastp)."
    ]


def test_plan_survives_its_file(tmp_path):
    plan = a_plan("tblastn")
    plan.write(tmp_path / "plan.json")
    assert Plan.read(tmp_path / "plan.json") == plan


def test_shortest_searchable_query_depends_on_the_program():
    programs, large = ("blastn", "blastx", "blastp"), DEFAULTS["exhaustive_up_to"] + 1
    lengths = {name: shortest_searchable(name, large, DEFAULTS) for name in programs}
    assert lengths == {"blastn": 11, "blastx": 90, "blastp": 12}
    assert shortest_searchable("blastp", large - 1, DEFAULTS) == 1


# ---- MMseqs2 ---------------------------------------------------------------------------------


def option(command: list[str], name: str) -> str | None:
    return command[command.index(name) + 1] if name in command else None


def command_for(program: str, **settings) -> list[str]:
    paths = [Path(name) for name in ("queries", "database", "result", "tmp")]
    return mmseqs.search_command("mmseqs", a_plan(program, **settings), *paths, threads=2)


@pytest.mark.parametrize(
    ("program", "search_type"),
    [("blastp", "1"), ("blastx", "2"), ("tblastn", "2"), ("tblastx", "2"), ("blastn", "3")],
)
def test_each_program_has_its_search_type(program, search_type):
    assert option(command_for(program), "--search-type") == search_type


def test_sensitivity_and_word_size_go_where_they_have_an_effect():
    nucleotides, proteins = command_for("blastn", strand="minus"), command_for("blastp")
    assert (option(nucleotides, "-k"), option(nucleotides, "-s")) == ("11", None)
    assert (option(proteins, "-k"), option(proteins, "-s")) == (None, "7.5")
    assert option(nucleotides, "--strand") == "0"
    assert option(command_for("blastx", genetic_code=11), "--translation-table") == "11"


def test_small_databases_are_compared_in_full_unless_speed_is_asked_for():
    def compared(program: str, letters: int, **settings) -> bool:
        return exhaustive(program, letters, {**DEFAULTS, **settings})

    most = DEFAULTS["exhaustive_up_to"]
    assert compared("blastp", most)
    assert compared("blastx", most)
    assert not compared("blastp", most + 1)
    assert not compared("blastp", most, sensitivity=7.4)
    assert not compared("blastp", 1, exhaustive_up_to=0)
    assert not compared("blastn", 1)
    for program in ("tblastn", "tblastx"):  # six frames of a third of the length each
        assert compared(program, most // 2)
        assert not compared(program, most // 2 + 1)
    assert option(command_for("blastp"), "--prefilter-mode") == "1"
    assert option(command_for("blastp", sensitivity=5.7), "--prefilter-mode") is None


def test_candidates_are_never_fewer_than_hits():
    assert option(command_for("blastp", max_hits=900), "--max-seqs") == "900"


def test_failure_of_mmseqs_names_the_step(tmp_path):
    with (
        (tmp_path / "log").open("w") as log,
        pytest.raises(mmseqs.SearchFailed, match=r"^MMseqs2 failed in '-c' with exit code 3\.$"),
    ):
        mmseqs.run([sys.executable, "-c", "raise SystemExit(3)"], log)


def test_release_is_named_only_when_the_pin_is_of_this_binary(tmp_path):
    pin = write(tmp_path / "mmseqs_version.py", 'MMSEQS_VERSION = "18-8cc5c"\n')
    assert mmseqs.release_name("8cc5ce367b56", pin) == "18-8cc5c"
    assert mmseqs.release_name("0123456789ab", pin) == "0123456789ab"
    assert mmseqs.release_name("17.b804f", tmp_path / "absent.py") == "17.b804f"


# ---- alignments and hits ---------------------------------------------------------------------


def test_midline_marks_identity_similarity_and_nothing():
    assert alignment.midline("MKI-W", "MRVAA", protein=True) == "M++  "
    assert alignment.midline("ACGT-", "ACTTA", protein=False) == "|| | "


def test_figures_are_counted_from_the_rows():
    query, target = "MK--ISAW", "MKAAIT-W"
    assert alignment.identities(query, target) == 4
    assert alignment.positives(query, target) == 5
    assert alignment.gap_openings(query, target) == 2
    assert alignment.cigar(query, target) == "2M2D2M1I1M"


def test_blosum62_positives_are_symmetric_and_known():
    assert {"IL", "LI", "DE", "WY", "ST"} <= alignment.POSITIVE
    assert not {"IK", "GA", "CW", "PD"} & alignment.POSITIVE
    assert len(alignment.SIMILAR) == 29


def test_reverse_complement_keeps_gaps():
    assert alignment.reverse_complement("AC-GTR") == "YAC-GT"


@pytest.mark.parametrize(
    ("walk", "stretches", "positions"),
    [
        (Walk(5, 10), ["AC-G", "---", "TTT"], [(5, 7), (7, 7), (8, 10)]),
        (Walk(10, 5), ["ACG", "TTT"], [(10, 8), (7, 5)]),
        (Walk(101, 112, 3), ["MK", "IS"], [(101, 106), (107, 112)]),
        (Walk(112, 101, 3), ["MK", "IS"], [(112, 107), (106, 101)]),
    ],
)
def test_positions_follow_direction_and_step(walk, stretches, positions):
    assert [walk.take(stretch) for stretch in stretches] == positions


def test_blocks_have_sixty_columns_and_their_positions():
    row = "ACDEFGHIKL" * 7
    lines = alignment.blocks(row, row, Walk(1, 70), Walk(901, 970), protein=True)
    assert lines[0] == f"Query    1  {row[:60]}  60"
    assert lines[1] == f"            {row[:60]}"
    assert lines[2] == f"Sbjct  901  {row[:60]}  960"
    assert lines[4] == f"Query   61  {row[60:]}  70"


@pytest.mark.parametrize(
    ("start", "end", "length", "expected"),
    [(1, 30, 90, 1), (3, 30, 90, 3), (90, 1, 90, -1), (88, 20, 90, -3)],
)
def test_frames_are_numbered_as_blast_does(start, end, length, expected):
    assert frame(start, end, length) == expected


def test_minus_strand_hits_reverse_the_target_not_the_query():
    raw = Raw("q1", "d1", 6, 1, 11, 16, "1e-9", 50, "AC-GTTA", "ACCGTTA")
    hit = make_hit(a_plan("blastn"), raw, Sequence("q", 6, ""), Sequence("d", 60, ""))
    assert (hit.qstart, hit.qend, hit.tstart, hit.tend) == (1, 6, 16, 11)
    assert (hit.qaln, hit.taln) == ("TAAC-GT", "TAACGGT")
    assert (hit.identity_percent, hit.gap_openings, hit.query_coverage) == (85.71, 1, 100.0)
    assert hit.positives_percent is None


def raw_line(query, target, evalue="1e-9", bits="50", rows="MKIS\tMKIS"):
    return f"{query}\t{target}\t1\t4\t1\t4\t{evalue}\t{bits}\t{rows}\n"


def test_rows_are_sorted_by_query_evalue_and_score():
    lines = [
        raw_line("q2", "d1"),
        raw_line("q1", "d3", "1e-9", "60"),
        raw_line("q1", "d2", "1e-9", "40"),
        raw_line("q1", "d1", "1e-20"),
    ]
    ranked = [line.split("\t")[:2] for line in sort_raw(lines)]
    assert ranked == [["q1", "d1"], ["q1", "d3"], ["q1", "d2"], ["q2", "d1"]]


@pytest.fixture
def searched(tmp_path):
    """A function: results of two parts and three queries, the second without hits."""
    names = write(tmp_path / "queries.tsv", "q1\tone\t8\tfirst\nq2\ttwo\t4\t\nq3\tthree\t4\t\n")
    database = write(tmp_path / "database.tsv", "d1\tA\t4\ta <b>\nd2\tB\t4\t\nd3\tC\t4\t\n")
    parts = [
        write(tmp_path / "1.tsv", raw_line("q1", "d1") + raw_line("q1", "d2", rows="MKIS\tMKAA")),
        write(tmp_path / "2.tsv", raw_line("q3", "d1")),
    ]
    return lambda **settings: list(read_results(a_plan(**settings), parts, names, database))


def test_every_query_has_a_result_in_input_order(searched):
    found = [(result.query.name, [hit.target.name for hit in result.hits]) for result in searched()]
    assert found == [("one", ["A", "B"]), ("two", []), ("three", ["A"])]


@pytest.mark.parametrize(
    ("settings", "counts"),
    [
        ({"min_identity": 60}, [1, 0, 1]),
        ({"min_query_coverage": 60}, [0, 0, 1]),
        ({"max_hits": 1}, [1, 0, 1]),
    ],
)
def test_filters_of_the_plan_are_applied(searched, settings, counts):
    assert [len(result.hits) for result in searched(**settings)] == counts


def test_tables_have_a_cell_for_every_column(searched):
    hits, best, summary, text = (io.StringIO() for _ in range(4))
    counts = tables.write_tables(a_plan(), searched(), hits, best, summary, text)
    assert (counts.queries, counts.queries_with_hits, counts.hits) == (3, 2, 3)
    for table, columns, rows in ((hits, tables.HIT_COLUMNS, 3), (best, tables.BEST_COLUMNS, 3)):
        lines = [line.split("\t") for line in table.getvalue().splitlines()]
        assert lines[0] == columns
        assert [len(line) for line in lines[1:]] == [len(columns)] * rows
    assert json.loads(summary.getvalue())["top_hits"][1] == {
        "query": "two",
        "length": 4,
        "hits": 0,
        "top_hit": None,
    }
    assert "***** No hits found *****" in text.getvalue()
    assert " Identities = 2/4 (50%), Positives = 3/4 (75%), Gaps = 0/4 (0%)" in text.getvalue()


# ---- the report ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "limit", "depth"),
    [([5, 3, 0], 100, 5), ([5, 3, 0], 7, 4), ([5, 3, 0], 6, 3), ([5, 3], 1, 0), ([], 5, 0)],
)
def test_limits_treat_all_queries_alike(counts, limit, depth):
    assert page.fair_depth(counts, limit) == depth
    assert sum(min(count, depth) for count in counts) <= limit


def embedded(html: str) -> dict:
    blocks = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)
    assert len(blocks) == 1
    return json.loads(blocks[0])


def build(plan, results, **limits) -> str:
    limits = page.Limits(**{"hits": 100, "alignments": 100, "alignments_text": True, **limits})
    return page.build_page(plan, lambda: results, limits, datetime(2025, 1, 2, tzinfo=UTC))


def test_report_leaves_alignments_out_beyond_its_limit_and_says_how_deep_it_goes(searched):
    data = embedded(build(a_plan(), searched(), alignments=2))
    assert (data["alignmentDepth"], data["hitDepth"], data["totalHits"]) == (1, 2, 3)
    assert [[len(hit) for hit in query[4]] for query in data["queries"]] == [[18, 16], [], [18]]


def test_names_stay_text_whatever_they_hold():
    evil = "</script><script>alert(1)</script><!--{{script}}"
    raw = Raw("q", "d", 1, 4, 1, 4, "0", 50, "MKIS", "MKIS")
    query, target = Sequence(evil, 4, evil), Sequence(evil, 4, "\u2028 & '\"")
    plan = a_plan()
    html = build(plan, [Result(query, [make_hit(plan, raw, query, target)])])
    data = embedded(html)
    assert data["queries"][0][:2] == [evil, evil]
    assert data["targets"] == [[evil, "\u2028 & '\"", 4]]
    assert "<script>alert" not in html
    assert html.count("</script>") == 2


def test_file_names_are_escaped_in_the_title():
    side = Side("<b>.fasta", PROTEIN, 0, 0)
    html = build(Plan("blastp", side, side, DEFAULTS, "18"), [])
    assert "<title>&lt;b&gt;.fasta against &lt;b&gt;.fasta</title>" in html


# ---- parameters ------------------------------------------------------------------------------


def test_config_file_has_the_defaults_of_the_schema():
    files = {"queries", "database"}
    defaults = {name: rules["default"] for name, rules in PROPERTIES.items() if name not in files}
    assert {name: value for name, value in DEFAULTS.items() if name not in files} == defaults


def test_snakemake_fills_defaults_through_the_groups():
    config = {"queries": "a.fa", "database": "b.fa.gz"}
    validate(config, str(WORKFLOW / "workflow/schemas/config.schema.yaml"))
    assert (config["evalue"], config["chunks"], config["program"]) == (1e-5, 4, "auto")


def test_every_parameter_is_explained_and_in_the_readme():
    readme = (WORKFLOW / "config/README.md").read_text()
    for name, rules in PROPERTIES.items():
        assert rules["title"], name
        assert rules["description"].endswith((".", ",")), name
        assert f"| `{name}` |" in readme, name


def test_readme_explains_every_column_of_the_hits():
    readme = (WORKFLOW / "config/README.md").read_text()
    assert not [column for column in tables.HIT_COLUMNS if f"`{column}`" not in readme]


def test_manifest_names_files_that_exist():
    manifest = yaml.safe_load((WORKFLOW / "rundesk.yaml").read_text())
    for name in ("queries", "database"):
        path = manifest["example"]["params"][name]
        assert (WORKFLOW / path).is_file()
        assert re.search(PROPERTIES[name]["pattern"], Path(path).name)


def test_sequences_that_cannot_be_searched_are_left_out_and_counted(tmp_path):
    source = tmp_path / "a.fa"
    source.write_text(">good\nMKV\n>digit\nMK1\n>\nMKL\n>empty\n>also\nMKLE\n")
    database = read_database(source, PROTEIN, tmp_path / "c", tmp_path / "n", "18")
    assert (database.sequences, database.left_out) == (2, 3)
    assert database.reasons == [
        "Sequence 'digit' contains '1': not allowed in protein sequences.",
        "Sequence 3 has no identifier after '>'.",
        "Sequence 'empty' is empty.",
    ]
    names = [line.split("\t")[1] for line in (tmp_path / "n").read_text().splitlines()]
    assert names == ["good", "also"]


def test_file_without_any_searchable_sequence_names_the_reason(tmp_path):
    source = tmp_path / "a.fa"
    source.write_text(">digit\nMK1\n")
    words = r"No sequence in a\.fa can be searched\. Sequence 'digit' contains '1'"
    with pytest.raises(InputProblem, match=words):
        read_database(source, PROTEIN, tmp_path / "c", tmp_path / "n", "18")
