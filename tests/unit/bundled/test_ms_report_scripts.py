"""Modules of the mass spectrometry report workflow, without Snakemake."""

from __future__ import annotations

import gzip
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from snakemake.utils import validate

from tests.helpers import mzml as mzml_files

WORKFLOW = Path(__file__).parents[3] / "workflows" / "ms-report"
sys.path.append(str(WORKFLOW / "workflow" / "scripts"))

import pyopenms  # noqa: E402
from ms_report import figures, identification, mzml, page, proteins, searching  # noqa: E402
from ms_report.ending import InputProblem  # noqa: E402
from ms_report.headers import read_headers  # noqa: E402
from ms_report.identification import Match  # noqa: E402
from ms_report.information import information  # noqa: E402
from ms_report.matching import match, run_name  # noqa: E402
from ms_report.metrics import chromatogram, metrics, survey_of  # noqa: E402
from ms_report.mzml import Recording, Scan  # noqa: E402
from ms_report.overview import COLUMNS, overview, since_previous  # noqa: E402
from ms_report.tables import cell  # noqa: E402

pytestmark = pytest.mark.workflow

SCHEMAS = WORKFLOW / "workflow" / "schemas"
SCHEMA = yaml.safe_load((SCHEMAS / "config.schema.yaml").read_text())
ROW_SCHEMA = yaml.safe_load((SCHEMAS / "information.schema.yaml").read_text())
DEFAULTS = yaml.safe_load((WORKFLOW / "config" / "config.yaml").read_text())
PROPERTIES = {
    name: rules for group in SCHEMA["$defs"].values() for name, rules in group["properties"].items()
}
HOSTILE = "</script><script>alert('1')</script>\"&"


# ---- parameters ------------------------------------------------------------------------------


def test_every_parameter_is_described_and_has_its_default_in_the_config():
    inputs = {"information", "mzml", "fasta"}
    for name, rules in PROPERTIES.items():
        assert rules["title"], name
        assert rules["description"].endswith("."), name
        assert rules["help_text"].endswith("."), name
        if name not in inputs:
            assert DEFAULTS[name] == rules["default"], name
        if rules["type"] in ("number", "integer"):
            assert {"minimum", "exclusiveMinimum"} & rules.keys(), name
            assert "maximum" in rules, name
    assert set(DEFAULTS) == set(PROPERTIES) - {"fasta"}
    validate(dict(DEFAULTS), SCHEMAS / "config.schema.yaml")


@pytest.mark.parametrize("kind", ["fixed", "variable"])
def test_modifications_and_enzymes_are_those_of_the_search(kind):
    known = pyopenms.SimpleSearchEngineAlgorithm().getDefaults()
    names = {str(name) for name in known.getValidStrings(f"modifications:{kind}")}
    assert set(PROPERTIES[f"{kind}_modifications"]["items"]["enum"]) <= names
    enzymes = {str(name) for name in known.getValidStrings("enzyme")}
    assert set(PROPERTIES["enzyme"]["enum"]) <= enzymes


def test_settings_reach_the_search_engine():
    engine = pyopenms.SimpleSearchEngineAlgorithm()
    given = {**DEFAULTS, "precursor_tolerance": 5, "variable_modifications": []}
    engine.setParameters(searching.parameters(engine.getParameters(), given))
    taken = engine.getParameters()
    assert taken.getValue("precursor:mass_tolerance") == 5.0
    assert list(taken.getValue("modifications:variable")) == []
    assert taken.getValue("peptide:missed_cleavages") == 2


def test_headers_of_the_table_mean_one_column_each():
    seen: dict[str, str] = {}
    for name, rules in ROW_SCHEMA["properties"].items():
        for header in {rules["title"].lower(), *(alias.lower() for alias in rules["aliases"])}:
            assert seen.setdefault(header, name) == name, header


@pytest.mark.parametrize(
    ("written", "fits"),
    [
        ("2026-03-31", True),
        ("2026/3/1", True),
        ("2026年3月31日", True),
        ("2026-03-31 14:05", True),
        ("2026-13-01", False),
        ("31.03.26", False),
        ("yesterday", False),
    ],
)
def test_dates_are_accepted_in_common_formats(written, fits):
    pattern = ROW_SCHEMA["properties"]["date"]["pattern"]
    assert bool(re.search(pattern, written)) is fits


# ---- rows and runs ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        "BSA1.mzML",
        "bsa1.MZML.gz",
        "BSA1.raw",
        "D:\\data\\June\\BSA1.raw",
        "/data/BSA1.d/",
        " BSA1 ",
        "ＢＳＡ１.mzML",  # noqa: RUF001 - full width, as Chinese input methods write it
    ],
)
def test_file_names_match_a_run_in_any_notation(written):
    assert match([written], {"a": "BSA1.mzML.gz", "b": "BSA10.mzML"}) == ["a"]


def test_names_of_several_runs_or_none_match_nothing():
    runs = {"a": "x.mzML", "b": "x.mzML.gz"}
    assert match(["x.raw", None, "y", "X"], runs) == [None, None, None, None]
    assert run_name("a.b.mzML") == "a.b"


@pytest.mark.parametrize(
    ("written", "run"),
    [
        ("a.mzML", "a"),
        ("A.mzML", "b"),
        ("a.mzML.gz", "c"),
        ("data\\A.mzML", "b"),
        ("A.raw", "b"),
        ("a\u200b.mzML", "a"),
        ("Probe_a\u0308", "d"),
    ],
)
def test_match_prefers_the_run_with_exactly_this_name(written, run):
    runs = {"a": "a.mzML", "b": "A.mzML", "c": "a.mzML.gz", "d": "Probe_\u00e4.mzML"}
    assert match([written], runs) == [run]


def sheet(*files: str | None) -> dict:
    records = [{"sample_id": f"S{n}", **({"file": f} if f else {})} for n, f in enumerate(files)]
    return {
        "records": records,
        "rows": list(range(3, 3 + len(records))),
        "metadata": {},
        "columns": [
            {"name": "sample_id", "header": "样品编号", "letter": "A", "known": True},
            {"name": "file", "header": "文件", "letter": "B", "known": True},
        ],
        "issues": [],
    }


def test_rows_without_run_and_runs_without_row_are_reported_with_cells():
    found = information(
        sheet("a.raw", "lost.raw", "A.mzML"), "t.csv", {"a": "a.mzML", "b": "b.mzML"}
    )
    assert [row["run"] for row in found["rows"]] == ["a", None, "a"]
    issues = [(issue["row"], issue["column"], issue["cell"]) for issue in found["issues"]]
    assert issues == [(4, "文件", "B4"), (5, "文件", "B5"), (None, "", "")]
    assert found["issues"][1]["message"] == "A.mzML is already used in row 3."
    assert found["issues"][2]["message"] == "b.mzML is not in the table."


# ---- mzML ------------------------------------------------------------------------------------


INJECTION = '<cvParam cvRef="MS" accession="MS:1000927" name="ion injection time" value="12.5"/>'


def recorded(path: Path) -> Path:
    """A small mzML file: one MS1 spectrum and one empty MS2 spectrum."""
    first, second = pyopenms.MSSpectrum(), pyopenms.MSSpectrum()
    first.set_peaks(([400.0, 500.0], [10.0, 30.0]))
    first.setMSLevel(1)
    first.setRT(60.0)
    second.setMSLevel(2)
    second.setRT(61.0)
    precursor = pyopenms.Precursor()
    precursor.setMZ(450.0)
    precursor.setCharge(2)
    second.setPrecursors([precursor])
    experiment = pyopenms.MSExperiment()
    experiment.setSpectra([first, second])
    writer = pyopenms.MzMLFile()
    options = writer.getOptions()
    options.setWriteIndex(False)
    writer.setOptions(options)
    writer.store(str(path), experiment)
    path.write_text(re.sub(r"<scan\b[^>]*>", rf"\g<0>{INJECTION}", path.read_text(), count=1))
    return path


def test_spectra_are_read_in_one_pass(tmp_path):
    scans = mzml.read(recorded(tmp_path / "a.mzML"), "a.mzML").scans
    assert [(scan.level, scan.time, scan.peaks) for scan in scans] == [(1, 60, 2), (2, 61, 0)]
    assert (scans[0].total, scans[0].base, scans[0].base_mz) == (40, 30, 500)
    assert (scans[0].low, scans[0].high, scans[0].injection) == (400, 500, 12.5)
    assert (scans[1].precursor, scans[1].charge, scans[1].base_mz) == (450, 2, None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x.mzML is empty."),
        (b"plain text", "x.mzML is not an mzML file: it does not start with an XML element."),
        (b"PK\x03\x04", "it appears to be a zip archive"),
        (b"\xff\xfe<\x00m\x00", "it is UTF-16 text"),
        (b">sp|P1\nMKV\n", "it appears to be a sequence file"),
        (b"<?xml version='1.0'?><html></html>", "x.mzML is an XML file but not mzML"),
        (
            gzip.compress(b"<mzML>" * 99, mtime=0)[:-9],
            "x.mzML is damaged: its gzip data are truncated",
        ),
        (b"<?xml version='1.0'?><mzML><run>", "x.mzML cannot be read: it is damaged or truncated."),
    ],
)
def test_file_that_is_not_mzml_raises_the_reason(tmp_path, content, message):
    path = tmp_path / "staged"
    path.write_bytes(content)
    with pytest.raises(InputProblem) as caught:
        mzml.read(path, "x.mzML")
    assert message in str(caught.value)


# ---- figures ---------------------------------------------------------------------------------


def scan(time: float, total: float = 100.0, level: int = 1, **given) -> Scan:
    values = {
        **{"peaks": 3, "base": total / 2, "base_mz": 500.0, "low": 400.0, "high": 600.0},
        **{"mode": "centroid", "polarity": "positive", "precursor": None, "charge": 0},
        **{"injection": None, **given},
    }
    return Scan(level=level, time=time, total=total, **values)


def test_signal_and_timing_of_a_run():
    scans = [scan(0, 10), scan(1, 100), scan(2, 99), scan(3, 5, injection=4.0), scan(63, 5)]
    found = metrics(Recording(scans=scans), "a", 1)
    assert (found["jumps"], found["falls"]) == (1, 1)
    assert (found["interval_s"], found["longest_gap_s"], found["gap_from_s"]) == (1, 60, 3)
    assert found["tic_quartiles_s"] == [1, 1, 2]
    assert found["injection_ms"] == {"1": {"median": 4.0, "longest": 4.0}}
    assert any("No spectra were recorded for 60 s, from 0.05 min." in n for n in found["notes"])
    assert any("no MS2 spectra" in note for note in found["notes"])


def test_charges_and_cycles_of_a_run():
    scans = [scan(0)]
    scans += [
        scan(n, level=2, precursor=500.0 + n, charge=c) for n, c in enumerate([2, 2, 3, 0], 1)
    ]
    scans += [scan(5), scan(6, 0.0, level=2, precursor=450.0, charge=2, peaks=0)]
    found = metrics(Recording(scans=scans), "a", 1)
    assert found["charges"] == {"2": 3, "3": 1, "unknown": 1}
    assert (found["cycle_s"], found["ms2_per_ms1"]) == (5, 2.5)
    assert found["precursor_range"] == [450.0, 504.0]
    assert found["empty_spectra"] == 1


def test_run_of_a_single_spectrum_has_no_intervals():
    found = metrics(Recording(scans=[scan(3)]), "a", 1)
    assert [found[name] for name in ("interval_s", "longest_gap_s", "cycle_s")] == [None] * 3


def test_chromatogram_keeps_the_highest_of_each_stretch():
    scans = [scan(60 * n, 7.0 if n == 1234 else 1.0) for n in range(5000)]
    points = chromatogram(survey_of(scans), 800)
    assert len(points) <= 800
    assert max(points, key=lambda point: point[1])[:2] == [1234, 7.0]


def test_injections_are_apart_by_the_time_between_starts():
    runs = {
        "b": {"started": "2026-03-01T11:30:00"},
        "a": {"started": "2026-03-01T10:00:00"},
        "c": {"started": ""},
    }
    assert since_previous(runs) == {"b": 90}


@pytest.mark.parametrize(
    ("value", "written"),
    [(None, ""), (0.1234567891, "0.1234568"), ("=1+1", "'=1+1"), ("a\tb\n", "a b"), (3, "3")],
)
def test_cells_of_tables(value, written):
    assert cell(value) == written


def test_numbers_of_the_report():
    assert figures.power(1.2e7) == "1.20 × 10⁷"
    assert [figures.duration(n) for n in (90, 180, 4320)] == ["90 min", "3.0 h", "3 days"]
    assert figures.counted(1, "spectrum", "spectra") == "1 spectrum"
    bars = figures.histogram([0.0, 0.1, 10.0])
    assert bars is not None
    assert sum(bar["count"] for bar in bars["bars"]) == 3
    assert figures.histogram([]) is None


# ---- proteins --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("MKV\n", "line 1 comes before the first header"),
        (
            ">a\nMK1\n>b\n",
            "db.fasta contains no proteins that can be searched. Protein a contains '1', which is"
            " not an amino acid. Protein b has no sequence.",
        ),
        (">rev_a\nMKV\n", "already contains decoys, such as rev_a"),
        (">a\nACGT\n>b\nGGTA\n", "contains nucleotide sequences"),
        ("", "contains no proteins"),
    ],
)
def test_invalid_database_raises_the_reason(tmp_path, text, message):
    (tmp_path / "db").write_text(text)
    with pytest.raises(InputProblem) as caught:
        proteins.prepare(tmp_path / "db", "db.fasta", tmp_path / "out")
    assert message in str(caught.value)


def test_database_is_written_for_the_search(tmp_path):
    (tmp_path / "db").write_bytes(gzip.compress(b">a first\nmk\nv*\n\n>b\nMKL\n"))
    intake = proteins.prepare(tmp_path / "db", "db.fasta.gz", tmp_path / "out")
    assert (intake.proteins, intake.notes("db.fasta.gz")) == (2, [])
    assert (tmp_path / "out").read_text() == ">a first\nMKV\n>b \nMKL\n"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (">x\nMK1\n", "Protein x contains '1', which is not an amino acid."),
        (">x\n", "Protein x has no sequence."),
        (">x\n-*-\n", "Protein x has no sequence."),
        (">\nMKL\n", "Protein 2 has no identifier."),
        (
            ">a again\nMKL\n",
            "The identifier a occurs more than once; its first protein was searched.",
        ),
    ],
)
def test_protein_that_cannot_be_searched_is_left_out_and_named(tmp_path, bad, reason):
    (tmp_path / "db").write_text(f">a\nMKV\n{bad}>b\nM-K.W\n")
    intake = proteins.prepare(tmp_path / "db", "db.fasta", tmp_path / "out")
    assert (tmp_path / "out").read_text() == ">a \nMKV\n>b \nMKW\n"
    assert intake.notes("db.fasta") == [f"1 protein in db.fasta was left out. {reason}"]


def test_only_the_first_proteins_that_are_left_out_are_named(tmp_path):
    (tmp_path / "db").write_text(">a\nMKV\n" + "".join(f">x{n}\n" for n in range(7)))
    intake = proteins.prepare(tmp_path / "db", "db.fasta", tmp_path / "out")
    (note,) = intake.notes("db.fasta")
    assert note.startswith("7 proteins in db.fasta were left out. Protein x0 has no sequence.")
    assert note.endswith("Protein x4 has no sequence. 2 more were left out for such reasons.")


def a_match(peptide: str, *accessions: str, score: float = 10.0) -> Match:
    return Match(
        run="a",
        file="a.mzML",
        spectrum="scan=1",
        time_min=1.0,
        precursor_mz=500.0,
        charge=2,
        peptide=peptide,
        modified=peptide,
        q_value=0.0,
        score=score,
        error_ppm=1.0,
        missed_cleavages=0,
        matched_peaks=9,
        places={name: (0, len(peptide) - 1) for name in accessions},
    )


def test_proteins_with_the_same_peptides_are_grouped_by_better_evidence():
    accepted = [
        a_match("PEPTIDEK", "A", "B"),
        a_match("PEPTIDEK", "A", "B"),
        a_match("SAMPLERK", "A"),
        a_match("ELVISK", "C", "D", score=5.0),
    ]
    database = dict.fromkeys("ABCD", ("text", "X" * 40))
    found = identification.proteins(accepted, database, 1)
    assert [(p.accession, p.peptides, p.psms, p.also) for p in found] == [
        ("A", 2, 3, []),
        ("C", 1, 1, ["D"]),
    ]
    assert found[0].coverage_percent == pytest.approx(20)
    assert (found[0].unique_peptides, found[1].unique_peptides) == (1, 1)
    assert [p.accession for p in identification.proteins(accepted, database, 2)] == ["A"]
    assert identification.proteins([], database, 1) == []


# ---- the page --------------------------------------------------------------------------------


def test_page_escapes_all_input(tmp_path):
    table = sheet(HOSTILE)
    table["records"][0]["sample_id"] = HOSTILE
    table["metadata"] = {HOSTILE: HOSTILE}
    table["columns"][0]["header"] = HOSTILE
    recording = mzml.read(recorded(tmp_path / "a.mzML"), "a.mzML")
    recording.instrument = HOSTILE
    measured = metrics(recording, HOSTILE, 1)
    measured["chromatogram"] = chromatogram(recording.scans, 10)
    found = {
        "database": HOSTILE,
        "database_proteins": 1,
        "database_notes": [HOSTILE],
        "runs": {"a": identification.summary([a_match("PEPTIDEK", "A")])},
        "psms": 1,
        "peptides": 1,
        "proteins": [
            {
                **{"accession": HOSTILE, "description": HOSTILE, "length": 9, "peptides": 1},
                **{"unique_peptides": 1, "psms": 1, "coverage_percent": 9.0, "best_score": 1.0},
                "also": [HOSTILE],
            }
        ],
    }
    document = information(table, HOSTILE, {"a": HOSTILE})
    html = page.build_page(
        json.loads(json.dumps(document)),
        {"a": json.loads(json.dumps(measured))},
        found,
        title=HOSTILE,
        settings={**DEFAULTS, "enzyme": HOSTILE},
        made=datetime(2026, 1, 2, tzinfo=UTC),
    )
    assert "<script>alert" not in html
    assert html.count("</script>") == 2
    assert "&lt;/script&gt;&lt;script&gt;alert" in html
    (row,) = overview(document, {"a": measured}, found)
    assert set(row) == set(COLUMNS)


@pytest.mark.parametrize(
    ("text", "decoys"),
    [
        (">P1 albumin\nMKWVTFISLL\n>REV_HV1H2 Protein Rev\nMAGRSGDSDE\n", False),
        (">REV_HV1H2 Protein Rev\nMAGRSGDSDE\n", False),
        (">a\nMKWVTF\n>rev_b\nMAGRSGDSDE\n", False),
        (">a\nMKWVTF\n>rev_a\nMSHUFFLED\n", True),
        (">a\nMKWVTF\n>REV_b\nFTVWKM\n", True),
        (">a\nMKWVTF\n>DECOY_b\nMAGR\n", True),
    ],
)
def test_database_contains_decoys_only_with_their_proteins(tmp_path, text, decoys):
    source = tmp_path / "d.fasta"
    source.write_text(text)
    if decoys:
        with pytest.raises(InputProblem, match="already contains decoys"):
            proteins.prepare(source, "d.fasta", tmp_path / "out.fasta")
    else:
        intake = proteins.prepare(source, "d.fasta", tmp_path / "out.fasta")
        assert (intake.proteins, intake.left_out) == (text.count(">"), 0)


def test_read_headers_finds_levels_times_and_light_in_groups(tmp_path):
    path = tmp_path / "a.mzML"
    spectra = [
        mzml_files.Spectrum(time=1.5),
        mzml_files.Spectrum(time=90.0, unit=mzml_files.SECONDS, level=None),
        mzml_files.Spectrum(time=None, level=None, kind=mzml_files.MSN),
        mzml_files.light(2.0, group="uv"),
        mzml_files.Spectrum(level=None, kind=("MS:1000294", "mass spectrum")),
    ]
    path.write_bytes(mzml_files.File(spectra, groups={"uv": mzml_files.PDA}).bytes())
    headers = read_headers(path)
    assert [header.level for header in headers] == [1, 1, 2, 0, 0]
    assert [header.time for header in headers] == [90, 90, None, 120, 0]
    assert [header.is_light for header in headers] == [False, False, False, True, False]


def test_metrics_of_a_run_that_cannot_be_measured_have_its_problem():
    figures = metrics(Recording(chromatograms=2), "srm.mzML", 10, "srm.mzML has no spectra.")
    assert figures["notes"] == ["srm.mzML has no spectra."]
    assert (figures["spectra"], figures["total_ion_current"]) == (0, None)
