"""Odd files through the bundled workflows, with the real tools.

Each run has good and bad samples: a bad one is named, and the others have the right values.
"""

from __future__ import annotations

import gzip
import html
import json
import random
from pathlib import Path

import pytest

from tests.helpers import mzml
from tests.helpers.mzml import Spectrum, light
from tests.helpers.remote import Remote, finished, problems

WORKFLOWS = Path(__file__).parents[3] / "workflows"

pytestmark = [pytest.mark.workflow, pytest.mark.timeout(700)]  # s; each fixture is a whole run


@pytest.fixture(scope="module")
def remote(desk) -> Remote:
    return Remote.of(desk)


def letters(count: int, seed: int = 1) -> str:
    return "".join(random.Random(seed).choices("ACGT", k=count))


def fastq(names, sequence="", quality="I", length=60) -> str:
    parts = []
    for number, name in enumerate(names):
        bases = sequence or letters(length, number)
        marks = quality if len(quality) == len(bases) else quality * len(bases)
        parts.append(f"@{name}\n{bases}\n+\n{marks}\n")
    return "".join(parts)


GOOD = fastq([f"r{n}" for n in range(5)])


# ---- reads-qc ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quality(remote):
    """One run with every odd FASTQ file as a sample, by the name of the sample."""
    low = "h" * 40 + "B" * 20
    pairs = {
        "underscore": ("r{}_1", "r{}_2"),
        "casava": ("r{}_1:N:0:ACGT", "r{}_2:N:0:ACGT"),
    }
    single = {
        "good": GOOD,
        "long": fastq(["ont"], length=70_000),
        "dos": GOOD.replace("\n", "\r\n"),
        "nonl": GOOD.rstrip("\n"),
        "header": GOOD.replace("@r0", "@r0 Müller"),
        "neg": "",
        "zero": "@a\n\n+\n\n@b\n\n+\n\n",
        "phred64": fastq([f"r{n}" for n in range(20)], quality=low),
        "broken": GOOD + "@half\nACGT\n+\nII\n",
    }
    rows = []
    for name, text in single.items():
        encoding = "latin-1" if name == "header" else "utf-8"
        sent = remote.upload(f"{name}.fastq", text.encode(encoding))
        rows.append({"sample": name, "fastq_1": sent})
    for name, sides in pairs.items():
        sent = [
            remote.upload(f"{name}_R{n}.fastq", fastq([side.format(i) for i in range(5)]).encode())
            for n, side in enumerate(sides, start=1)
        ]
        rows.append({"sample": name, "fastq_1": sent[0], "fastq_2": sent[1]})
    members = gzip.compress(GOOD[:100].encode()) + gzip.compress(GOOD[100:].encode())
    rows.append({"sample": "members", "fastq_1": remote.upload("m.fastq.bgz", members)})
    params = {"samples": rows, "adapters": "none"}
    return finished(remote, {"workflow": "reads-qc", "params": params})


@pytest.fixture(scope="module")
def summary(quality):
    return {row["sample"]: row for row in quality.table("results/summary.tsv")}


@pytest.mark.parametrize("sample", ["good", "dos", "nonl", "header", "members"])
def test_reads_qc_layout_of_the_file_does_not_change_the_counts(summary, sample):
    row = summary[sample]
    assert (row["reads_in"], row["reads_out"], row["bases_out"]) == ("5", "5", "300")


def test_reads_qc_long_first_read_is_processed(summary):
    assert (summary["long"]["reads_in"], summary["long"]["bases_in"]) == ("1", "70000")


@pytest.mark.parametrize("sample", ["underscore", "casava"])
def test_reads_qc_mates_in_any_notation_are_pairs(summary, sample):
    assert (summary[sample]["reads_in"], summary[sample]["bases_in"]) == ("5", "600")
    assert summary[sample]["note"] == ""


def test_reads_qc_old_encoding_is_converted_and_noted(summary):
    row = summary["phred64"]
    assert float(row["q20_in_percent"]) == pytest.approx(66.67, abs=0.05)
    assert int(row["bases_out"]) == 800
    assert row["note"] == "The qualities were converted from Phred+64 to Phred+33."


@pytest.mark.parametrize(
    ("sample", "reads", "note"),
    [
        ("neg", "0", "neg.fastq contains no reads."),
        ("zero", "2", "2 of 2 reads have no bases."),
        ("broken", "0", "broken.fastq is not valid FASTQ at line 2"),
    ],
)
def test_reads_qc_bad_sample_is_a_row_with_its_reason(quality, summary, sample, reads, note):
    assert summary[sample]["reads_in"] == reads
    assert note in summary[sample]["note"]
    report = quality.content("results/report.html").decode()
    assert f"Sample {sample}: " in report


def test_reads_qc_without_any_read_is_refused_with_the_names(remote):
    empty = [{"sample": n, "fastq_1": remote.upload(f"{n}.fastq", b"")} for n in ("a", "b")]
    reply = remote.submit({"workflow": "reads-qc", "params": {"samples": empty}})
    messages = problems(reply, 400)
    assert "a.fastq is empty" in messages["params.samples.0.fastq_1"]


# ---- amplicon-variants -------------------------------------------------------------------------

NOTATIONS = {
    "casava": ("M{} 1:N:0:ACGT", "M{} 2:N:0:ACGT"),
    "slash": ("M{}/1", "M{}/2"),
    "underscore": ("M{}_1", "M{}_2"),
}


@pytest.fixture(scope="module")
def amplicon() -> tuple[str, list[tuple[str, str]]]:
    """A reference, and pairs that overlap in full; half of them have a substitution."""
    reference = letters(1200, 7)
    swap = {"A": "G", "C": "T", "G": "A", "T": "C"}
    changed = reference[:600] + swap[reference[600]] + reference[601:]
    complement = str.maketrans("ACGT", "TGCA")
    pairs = []
    for number in range(20):
        part = (changed if number % 2 else reference)[520:670]
        pairs.append((part, part.translate(complement)[::-1]))
    return reference, pairs


@pytest.fixture(scope="module")
def variants(remote, amplicon):
    reference, pairs = amplicon
    rows = []
    for sample, sides in NOTATIONS.items():
        files = []
        for side, notation in enumerate(sides):
            text = "".join(
                f"@{notation.format(n)}\n{pair[side]}\n+\n{'I' * 150}\n"
                for n, pair in enumerate(pairs)
            )
            files.append(remote.upload(f"{sample}_R{side + 1}.fastq", text.encode()))
        rows.append({"sample": sample, "fastq_1": files[0], "fastq_2": files[1]})
    rows.append({"sample": "neg", "fastq_1": remote.upload("neg.fastq", b"")})
    broken = remote.upload("broken.fastq", b"@a\nACGT\n+\nIIII\n@b\nACGT\n+\nI\n")
    rows.append({"sample": "broken", "fastq_1": broken})
    text = f"\ufeff; amplicon\r\n>ref\tMüller\r\n{reference.lower()}\r\n\r\n"
    params = {
        "samples": rows,
        "reference": remote.upload("ref.fa", text.encode()),
        "adapters": "none",
        "min_variant_depth": 100,
    }
    return finished(remote, {"workflow": "amplicon-variants", "params": params})


def test_amplicon_variants_counts_overlapping_mates_once_in_any_notation(variants):
    (row,) = variants.table("results/variants.tsv")
    assert (row["sequence"], row["position"]) == ("ref", "601")
    assert {sample: row[f"{sample}_reads"] for sample in NOTATIONS} == dict.fromkeys(
        NOTATIONS, "10/20"
    )


def test_amplicon_variants_depth_counts_overlapping_mates_once(variants):
    (row,) = variants.table("results/variants.tsv")
    assert row["depth"] == str(20 * len(NOTATIONS))
    assert row["filter"] == "LowDepth"  # 60 are fewer than 100; counted twice, they are 120


def test_amplicon_variants_mean_depth_counts_overlapping_mates_once(variants):
    """20 pairs cover the same 150 of 1,200 bases; samtools coverage gives a mean depth of 5."""
    samples = {row["sample"]: row for row in variants.table("results/samples.tsv")}
    depths = {name: float(samples[name]["mean_depth"]) for name in NOTATIONS}
    assert depths == dict.fromkeys(NOTATIONS, pytest.approx(2.5, abs=0.05))


def test_amplicon_variants_bad_samples_are_rows_with_their_reason(variants):
    samples = {row["sample"]: row for row in variants.table("results/samples.tsv")}
    assert samples["slash"]["reads_in"] == "20"
    assert samples["neg"]["note"] == "neg.fastq contains no reads."
    assert "broken.fastq is not valid FASTQ at line 8" in samples["broken"]["note"]


# ---- ms-report ---------------------------------------------------------------------------------


def run_of(count=10, **changes) -> list[Spectrum]:
    return [Spectrum(time=0.1 * n, **changes) for n in range(count)]


@pytest.fixture(scope="module")
def spectra(remote):
    """One run of ms-report with odd mzML files; `a.mzML` and `A.mzML` differ in their spectra."""
    mixed = [s for n in range(10) for s in (Spectrum(time=0.2 * n), light(0.2 * n + 0.1))]
    grouped = [*run_of(), light(2.0, group="uv"), light(2.1, mzml.ABSORPTION)]
    not_a_number = [*run_of(9), Spectrum(time=2.0, intensity=(10.0, float("nan"), float("inf")))]
    no_level = [
        *run_of(4, level=None),
        Spectrum(2.0, None, mzml.MSN, precursor=400.0),
        Spectrum(2.1, None, mzml.MSN),
    ]
    seconds = run_of(3, unit=mzml.SECONDS)
    files = {
        "pda.mzML": mzml.File(mixed),
        "grouped.mzML": mzml.File(grouped, groups={"uv": mzml.PDA}),
        "late.mzML": mzml.File(run_of(), before_root=f"<!-- {'x' * 100_000} -->\n"),
        "nan.mzML": mzml.File(not_a_number),
        "srm.mzML": mzml.File(chromatograms=3),
        "light.mzML": mzml.File([light(0.0)]),
        "levels.mzML": mzml.File(no_level),
        "untimed.mzML": mzml.File([*run_of(3), Spectrum(time=None)]),
        "timeless.mzML": mzml.File([Spectrum(time=None)] * 2),
        "seconds.mzML": mzml.File(seconds),
        "a.mzML": mzml.File(run_of(2)),
        "A.mzML": mzml.File(run_of(4)),
    }
    ids = [remote.upload(name, file.bytes()) for name, file in files.items()]
    ids.append(remote.upload("empty.mzML", b""))
    ids.append(remote.upload("a.mzML.gz", gzip.compress(mzml.File(run_of(6)).bytes())))
    table = "Sample ID,File\n" + "".join(f"S-{n},{n}\n" for n in ["A.mzML", "a.mzML", "a.mzML.gz"])
    params = {"information": remote.upload("t.csv", table.encode()), "mzml": ids}
    return finished(remote, {"workflow": "ms-report", "params": params})


@pytest.fixture(scope="module")
def metrics(spectra):
    return {row["file"]: row for row in spectra.table("results/metrics.tsv")}


@pytest.mark.parametrize(("file", "light_count"), [("pda.mzML", "10"), ("grouped.mzML", "2")])
def test_ms_report_light_spectra_are_not_ms1(metrics, file, light_count):
    row = metrics[file]
    assert (row["spectra"], row["ms1_spectra"], row["uv_spectra"]) == ("10", "10", light_count)
    assert (row["total_ion_current"], row["base_peak_mz"]) == ("600", "300")
    assert (row["signal_jumps"], row["signal_falls"]) == ("0", "0")


def test_ms_report_root_element_may_come_late(metrics):
    assert (metrics["late.mzML"]["spectra"], metrics["late.mzML"]["problem"]) == ("10", "")


def test_ms_report_values_that_are_no_numbers_are_left_out(spectra, metrics):
    assert metrics["nan.mzML"]["total_ion_current"] == str(9 * 60 + 10)
    page = spectra.content("results/report.html").decode()
    assert "1 spectrum has values that are not finite numbers" in page


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ("srm.mzML", "srm.mzML contains only chromatograms, no spectra."),
        ("light.mzML", "light.mzML contains only spectra of a UV or PDA detector."),
        ("empty.mzML", "empty.mzML is empty."),
    ],
)
def test_ms_report_bad_run_is_a_row_with_its_reason(spectra, metrics, file, problem):
    assert (metrics[file]["spectra"], metrics[file]["problem"]) == ("0", problem)
    assert problem in spectra.content("results/report.html").decode()


def test_ms_report_missing_levels_are_inferred_and_noted(spectra, metrics):
    row = metrics["levels.mzML"]
    assert (row["ms1_spectra"], row["ms2_spectra"]) == ("4", "2")
    assert (
        "6 spectra have no MS level in the file" in spectra.content("results/report.html").decode()
    )


def test_ms_report_scan_times_in_seconds_minutes_or_absent(metrics):
    assert float(metrics["seconds.mzML"]["last_min"]) == pytest.approx(0.2 / 60)
    assert float(metrics["a.mzML"]["last_min"]) == pytest.approx(0.1)
    assert float(metrics["untimed.mzML"]["first_min"]) == 0
    assert (metrics["timeless.mzML"]["first_min"], metrics["timeless.mzML"]["spectra"]) == ("", "2")


def test_ms_report_exact_name_wins(metrics):
    samples = {file: metrics[file]["sample_ids"] for file in ("a.mzML", "A.mzML", "a.mzML.gz")}
    assert samples == {file: f"S-{file}" for file in samples}


@pytest.fixture(scope="module")
def searched(remote):
    """A search of BSA in a database with a tab, a comment, GB18030 and Latin-1 in its headers."""
    example = WORKFLOWS / "ms-report" / "example"
    text = gzip.decompress((example / "proteins.fasta.gz").read_bytes()).decode()
    lines = [
        line.replace(" ", "\t", 1) if line.startswith(">") else line for line in text.splitlines()
    ]
    more = ">REV_HV1H2 Protein Rev\nMAGRSGDSDEELIRTVRLIKLLYQSNPPPNPEGTRQARRNRRRRWRERQRQIHSISERIL\n"
    more += ">bad1\nMK1\n>empty\n>REV_HV1H2 again\nMKWVTF\n"
    odd = b"; comment\r\n" + "\r\n".join(lines).encode() + b"\r\n" + more.encode()
    odd += ">x1 蛋白质\nMKWVTFISLLR\n".encode("gb18030") + ">x2 Müller\nMKWVTFISLLK\n".encode(
        "latin-1"
    )
    params = {
        "information": remote.upload("t.csv", b"Sample ID,File\nS,BSA1.mzML.gz\n"),
        "mzml": [
            remote.upload("BSA1.mzML.gz", (example / "BSA1.mzML.gz").read_bytes()),
            remote.upload("srm.mzML", mzml.File(chromatograms=1).bytes()),
        ],
        "fasta": remote.upload("odd.fasta", odd),
        "fragment_tolerance": 0.5,
        "fragment_unit": "Da",
    }
    return finished(remote, {"workflow": "ms-report", "params": params})


def test_ms_report_finds_proteins_whatever_the_headers_contain(searched):
    proteins = searched.table("results/proteins.tsv")
    assert "ALBU_BOVIN" in proteins[0]["accession"]
    assert "\t" not in proteins[0]["accession"]
    assert proteins[0]["description"]


def test_ms_report_candidates_are_read_by_openms(searched, tmp_path):
    import pyopenms

    rows = searched.table("results/psms.tsv")
    (tmp_path / "BSA1.idXML").write_bytes(searched.content("results/identifications/BSA1.idXML"))
    proteins, peptides = [], pyopenms.PeptideIdentificationList()
    pyopenms.IdXMLFile().load(str(tmp_path / "BSA1.idXML"), proteins, peptides)
    found = {
        hit.getSequence().toUnmodifiedString()
        for number in range(peptides.size())
        for hit in peptides[number].getHits()
    }
    assert {row["peptide"] for row in rows} <= found
    assert rows


def test_ms_report_bad_proteins_are_named_and_the_others_searched(searched):
    note = (
        "3 proteins in odd.fasta were left out. Protein bad1 contains '1', which is not an amino"
        " acid. Protein empty has no sequence. The identifier REV_HV1H2 occurs more than once; its"
        " first protein was searched."
    )
    summary = json.loads(searched.content("results/summary.json"))
    assert summary["identification"]["notes"] == [note]
    page = searched.content("results/report.html").decode()
    assert html.escape(note) in page.replace("&#39;", "&#x27;")


def test_ms_report_search_names_a_run_without_spectra(searched):
    rows = {row["file"]: row for row in searched.table("results/metrics.tsv")}
    assert rows["srm.mzML"]["problem"] == "srm.mzML contains only chromatograms, no spectra."
    assert int(rows["BSA1.mzML.gz"]["psms"]) > 10


# ---- sequence-search ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found(remote):
    """A search of queries of which some cannot be searched."""
    amino = "ACDEFGHIKLMNPQRSTVWY"
    protein = "".join(random.Random(3).choices(amino, k=300))
    long = "".join(random.Random(4).choices(amino, k=66_000))
    queries = f"; old comment\n>good\n{protein}\n>digit\nMK1V\n>\nMKVL\n>long\n{long}\n>empty\n"
    params = {
        "queries": remote.upload("q.fasta", queries.encode()),
        "database": remote.upload("db.fasta", f">d\n{protein}\n>bad\nM@\n".encode()),
    }
    return finished(remote, {"workflow": "sequence-search", "params": params})


def test_sequence_search_bad_sequences_are_named_and_the_others_searched(found):
    (row,) = found.table("results/best_hits.tsv")
    assert (row["query"], row["target"]) == ("good", "d")
    page = found.content("results/summary.json").decode()
    for words in (
        "4 sequences in q.fasta were left out.",
        "Sequence 'digit' contains '1'",
        "Sequence 3 has no identifier after",
        "Sequence 'long' has 66,000 letters; MMseqs2 searches protein queries of up to 65,536.",
        "Sequence 'empty' is empty.",
        "1 sequence in db.fasta was left out. Sequence 'bad' contains '@'",
    ):
        assert words in page
