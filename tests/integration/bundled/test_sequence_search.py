"""The sequence search with real Snakemake, MMseqs2 and sequences."""

from __future__ import annotations

import csv
import gzip
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.host.launcher import program
from tests.helpers.sequences import aligned_rows, between, embedded, reverse_complement

ROOT = Path(__file__).parents[3]
WORKFLOW = ROOT / "workflows" / "sequence-search"
EXAMPLE = WORKFLOW / "example"
CHROMOSOME = ROOT / "tests" / "data" / "chr17_4.2kb.fa"

pytestmark = pytest.mark.workflow

HOSTILE = "evil|</script><script>alert('1')</script>\"&"


@dataclass(frozen=True)
class Run:
    """A run directory after Snakemake ended."""

    folder: Path
    code: int
    output: str

    def table(self, name: str) -> list[dict[str, str]]:
        with (self.folder / "results" / name).open() as file:
            return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    @property
    def summary(self) -> dict:
        return json.loads(self.text("results/summary.json"))

    @property
    def hits(self) -> list[dict[str, str]]:
        return self.table("hits.tsv")


def run(folder: Path, queries: Path, database: Path, **params: object) -> Run:
    """Runs the workflow in `folder` with the inputs staged as by Rundesk."""
    config = dict(params)
    for name, source in (("queries", queries), ("database", database)):
        staged = folder / "inputs" / name / source.name
        staged.parent.mkdir(parents=True)
        shutil.copy(source, staged)
        config[name] = str(staged.relative_to(folder))
    (folder / "config.json").write_text(json.dumps(config))
    command = program("snakemake", "--cores", "2", "--scheduler", "greedy")
    command += ["--snakefile", str(WORKFLOW / "workflow" / "Snakefile")]
    command += ["--directory", str(folder), "--configfile", str(folder / "config.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return Run(folder, done.returncode, done.stdout + done.stderr)


def succeeded(finished: Run) -> Run:
    assert finished.code == 0, finished.output[-3000:]
    return finished


def read_fasta(path: Path) -> dict[str, str]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt") as file:
        entries = file.read().split(">")[1:]
    return {
        entry.split(maxsplit=1)[0]: "".join(entry.splitlines()[1:]).upper() for entry in entries
    }


def write_fasta(path: Path, sequences: dict[str, str]) -> Path:
    path.write_text("".join(f">{name}\n{letters}\n" for name, letters in sequences.items()))
    return path


def ends(hit: dict[str, str], side: str) -> tuple[int, int]:
    return int(hit[f"{side}_start"]), int(hit[f"{side}_end"])


def alignments(finished: Run) -> Iterator[tuple[dict[str, str], str, str]]:
    """Each row of the hits table with the two rows of its alignment in the report."""
    return aligned_rows(finished.hits, finished.text("results/report.html"))


@pytest.fixture(scope="module")
def example(tmp_path_factory) -> Run:
    """The example with its sensitivity, and four parts asked for, of which its queries fill two."""
    queries, database = EXAMPLE / "queries.fasta.gz", EXAMPLE / "swissprot_subset.fasta.gz"
    folder = tmp_path_factory.mktemp("example")
    return succeeded(run(folder, queries, database, sensitivity=5.7))


@pytest.fixture(scope="module")
def proteins() -> dict[str, str]:
    return read_fasta(EXAMPLE / "queries.fasta.gz")


@pytest.fixture(scope="module")
def chromosome() -> str:
    return next(iter(read_fasta(CHROMOSOME).values()))


@pytest.fixture(scope="module")
def nucleotides(tmp_path_factory, chromosome) -> Run:
    """Pieces of the chromosome, one of the other strand, one in lower case with a hostile name."""
    folder = tmp_path_factory.mktemp("nucleotides")
    queries = {
        "forward": chromosome[500:900],
        "reverse": reverse_complement(chromosome[1000:1600]),
        HOSTILE: chromosome[2000:2300].lower(),
        "unrelated": "ACGGT" * 30,
    }
    return succeeded(run(folder, write_fasta(folder / "pieces.fa", queries), CHROMOSOME))


# ---- proteins --------------------------------------------------------------------------------


def test_example_finds_48_hits_of_16_queries(example):
    summary = example.summary
    assert len(example.hits) == summary["hits"] == 48
    assert len({hit["query"] for hit in example.hits}) == summary["queries"]["with_hits"] == 16
    assert summary["queries"]["sequences"] == 25
    assert summary["database"]["sequences"] == 1497
    assert summary["program"] == "blastp"
    assert re.fullmatch(r"\d+-\w{5}", summary["mmseqs_version"])


@pytest.mark.long
def test_hits_do_not_depend_on_the_division(example, tmp_path):
    queries, database = EXAMPLE / "queries.fasta.gz", EXAMPLE / "swissprot_subset.fasta.gz"
    asked = {"sensitivity": 5.7, "chunks": 1, "alignments_text": False}
    whole = succeeded(run(tmp_path, queries, database, **asked))
    assert whole.text("results/hits.tsv") == example.text("results/hits.tsv")
    assert whole.text("results/best_hits.tsv") == example.text("results/best_hits.tsv")
    assert not (tmp_path / "results" / "alignments.txt").exists()
    for name in ("results/blast.xml", "results/blast.tab"):
        assert whole.text(name) == example.text(name)
    searched = sorted((example.folder / "logs" / "search").glob("*.log"))
    used = ["mmseqs search" in log.read_text() for log in searched]
    assert used == [True, True, False, False]


@pytest.mark.long
def test_small_database_compared_in_full_misses_nothing(example, proteins, tmp_path):
    database = EXAMPLE / "swissprot_subset.fasta.gz"
    peptide = next(iter(read_fasta(database).values()))[40:50]  # too short for k-mers
    queries = write_fasta(tmp_path / "queries.fa", {**proteins, "peptide": peptide})
    whole = succeeded(run(tmp_path, queries, database, chunks=1, evalue=10))
    assert whole.summary["exhaustive"]
    assert not example.summary["exhaustive"]
    assert "ungappedprefilter" in whole.text("logs/search/001.log")
    clear = {(hit["query"], hit["target"]) for hit in whole.hits if float(hit["evalue"]) <= 1e-5}
    assert clear > {(hit["query"], hit["target"]) for hit in example.hits}
    assert len(clear) == 59
    assert "peptide" in {hit["query"] for hit in whole.hits}


@pytest.mark.long  # the table of the smallest database takes 0.8 GB
def test_table_of_a_database_changes_no_hit(tmp_path):
    files = EXAMPLE / "queries.fasta.gz", EXAMPLE / "swissprot_subset.fasta.gz"
    brief = {"chunks": 1, "alignments_text": False, "blast_formats": False, "sensitivity": 1}
    plain = succeeded(run(tmp_path / "plain", *files, **brief))
    tabled = succeeded(run(tmp_path / "tabled", *files, **brief, index_from=0))
    assert tabled.text("results/hits.tsv") == plain.text("results/hits.tsv")
    names = {"best_hits.tsv", "hits.tsv", "report.html", "summary.json"}
    assert {path.name for path in (plain.folder / "results").iterdir()} == names
    table = tmp_path / "tabled/work/index/sequences.idx"
    assert table.stat().st_size > 10**8
    table.unlink()
    assert "createindex" in tabled.text("logs/index.log")


def test_best_hits_have_a_row_for_every_query_in_input_order(example, proteins):
    best = example.table("best_hits.tsv")
    assert [row["query"] for row in best] == list(proteins)
    assert sum(int(row["hits"]) for row in best) == 48
    assert [row["target"] for row in best if row["hits"] == "0"] == [""] * 9
    first = {}
    for hit in example.hits:
        first.setdefault(hit["query"], hit["target"])
    assert {row["query"]: row["target"] for row in best if row["target"]} == first


def test_figures_agree_with_the_sequences(example, proteins):
    database = read_fasta(EXAMPLE / "swissprot_subset.fasta.gz")
    for hit, query, target in alignments(example):
        ends = [
            int(hit[f"{side}_{end}"]) for side in ("query", "target") for end in ("start", "end")
        ]
        assert query.replace("-", "") == between(proteins[hit["query"]], *ends[:2])
        assert target.replace("-", "") == between(database[hit["target"]], *ends[2:])
        same = sum(first == second for first, second in zip(query, target, strict=True))
        assert float(hit["identity_percent"]) == pytest.approx(100 * same / len(query), abs=0.01)
        assert int(hit["query_length"]) == len(proteins[hit["query"]])
        assert float(hit["evalue"]) <= 1e-5


def test_alignments_text_shows_each_hit(example):
    text = example.text("results/alignments.txt")
    assert text.count("\n Score = ") == 48
    assert text.count("***** No hits found *****") == 9
    assert max(len(line) for line in re.findall(r"^Query +\d+  (\S+)", text, re.M)) == 60


def test_report_loads_nothing_and_holds_every_hit(example):
    html = example.text("results/report.html")
    page = html.replace(re.search(r'id="data">(.*?)</script>', html, re.S)[1], "")
    assert not re.findall(r"https?:|\bsrc=|\bhref=|url\(|@import|fetch\(|XMLHttpRequest|//\w", page)
    assert not re.findall(r"localStorage|sessionStorage|innerHTML|insertAdjacentHTML|eval\(", page)
    data = embedded(example.text("results/report.html"))
    assert [len(query[4]) for query in data["queries"]] == [
        int(row["hits"]) for row in example.table("best_hits.tsv")
    ]
    assert all(len(hit) == 18 for query in data["queries"] for hit in query[4])


# ---- nucleotides -------------------------------------------------------------


def test_blastn_finds_both_strands_with_their_positions(nucleotides, chromosome):
    assert nucleotides.summary["program"] == "blastn"
    found = {
        hit["query"]: (float(hit["identity_percent"]), *ends(hit, "target"))
        for hit in nucleotides.hits
    }
    assert found == {
        "forward": (100, 501, 900),
        "reverse": (100, 1600, 1001),
        HOSTILE: (100, 2001, 2300),
    }
    for hit, query, target in alignments(nucleotides):
        assert query == target == between(chromosome, *ends(hit, "target"))


def test_hostile_names_stay_text_in_every_result(nucleotides):
    html = nucleotides.text("results/report.html")
    assert "<script>alert" not in html
    assert HOSTILE in [query[0] for query in embedded(html)["queries"]]
    assert HOSTILE in [row["query"] for row in nucleotides.table("best_hits.tsv")]
    assert f"Query= {HOSTILE}\n" in nucleotides.text("results/alignments.txt")


# ---- data that cannot be searched ------------------------------------------------------------


def test_damaged_file_ends_the_run_with_one_sentence(tmp_path):
    whole = (EXAMPLE / "swissprot_subset.fasta.gz").read_bytes()
    (tmp_path / "cut.fasta.gz").write_bytes(whole[: len(whole) // 2])
    failed = run(tmp_path, EXAMPLE / "queries.fasta.gz", tmp_path / "cut.fasta.gz")
    assert failed.code == 1
    assert failed.text("logs/database.log").splitlines()[-1] == (
        "cut.fasta.gz is damaged: its gzip data are truncated or corrupt. Upload it again."
    )
    assert "cut.fasta.gz is damaged" in failed.output
    assert "Traceback" not in failed.output


def test_proteins_forced_to_nucleotides_are_refused(tmp_path):
    failed = run(tmp_path, EXAMPLE / "queries.fasta.gz", CHROMOSOME, program="blastn")
    assert failed.code == 1
    assert failed.text("logs/prepare.log").splitlines()[-1] == (
        "blastn requires nucleotide queries, but the file contains proteins. Choose another "
        "program or auto."
    )
