"""What the files of a workflow say about the values of its configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from services.catalogue import file_words, observations, snakefiles
from services.catalogue.overlays import OVERLAY
from services.catalogue.recognition import Fact, recognise

READ = """
import pandas as pd
configfile: "config/config.yaml"
samples = (
    pd.read_csv(config["data"]["samples"], sep="\\t", dtype=str)
    .set_index("sample")
)
validate(samples, schema="schemas/samples.schema.yaml")
"""
ROWS = "properties:\n  sample: {type: string}\n  fq1: {type: string}\nrequired: [sample]\n"


def workflow(folder: Path, **files: str) -> Path:
    for path, text in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return folder


def facts(folder: Path, config: str, **schema: Any) -> dict[str, Fact]:
    found = recognise(folder, yaml.safe_load(config), schema)
    return {".".join(fact.path): fact for fact in found}


def file_columns(fact: Fact) -> list[str]:
    columns = (fact.rows or {})["properties"]
    return [name for name, column in columns.items() if column.get("format") == "file-path"]


def test_recognise_table_that_the_snakefile_reads_has_its_row_schema(tmp_path):
    folder = workflow(
        tmp_path,
        **{"workflow/Snakefile": READ, "workflow/schemas/samples.schema.yaml": ROWS},
    )
    fact = facts(folder, "data: {samples: /path/to/samples.csv}")["data.samples"]
    assert (fact.kind, fact.how, fact.suffix) == ("sheet", "read", ".tsv")
    assert (file_columns(fact), (fact.rows or {})["required"]) == (["fq1"], ["sample"])


def test_recognise_table_without_a_schema_has_the_columns_of_the_shipped_one(tmp_path):
    text = "sample,reads_file,depth\nA,data/a.bam,30\n"
    folder = workflow(tmp_path, **{"workflow/Snakefile": "", ".test/config/units.csv": text})
    fact = facts(folder, "units: config/units.csv")["units"]
    assert (fact.kind, fact.how, fact.suffix) == ("sheet", "name", ".csv")
    assert file_columns(fact) == ["reads_file"]


def test_recognise_list_without_a_header_and_unknown_table_are_files(tmp_path):
    folder = workflow(tmp_path, **{"workflow/Snakefile": "", "config/genes.tsv": "STAT1\nTP53\n"})
    found = facts(folder, "genes: config/genes.tsv\nother: /path/to/table.tsv")
    assert [fact.kind for fact in found.values()] == ["file", "file"]


def test_recognise_what_a_plan_has_shown_takes_precedence(tmp_path):
    folder = workflow(tmp_path, **{"workflow/Snakefile": "", "config/README.md": ""})
    table = {"path": "t.txt", "columns": ["id", "bam"], "separator": ",", "header": True}
    record = {
        "config": {"a": "t.txt", "b": "in", "c": "x/y.odd", "d": "out"},
        "tables": [table | {"schema": ""}],
        "listed": ["in"],
        "inputs": ["x/y.odd", "out/1.txt"],
    }
    observations.keep(folder, [record])
    found = facts(folder, "a: t.txt\nb: in\nc: x/y.odd\nd: out")
    assert {name: (fact.kind, fact.how) for name, fact in found.items()} == {
        "a": ("sheet", "planned"),
        "b": ("folder", "planned"),
        "c": ("file", "planned"),
    }
    assert (file_columns(found["a"]), found["a"].suffix) == (["bam"], ".csv")


def test_recognise_overlay_decides(tmp_path):
    overlay = {
        "texts": ["adapter"],
        "files": {"index": "[.]idx$"},
        "folders": ["runs"],
        "sheets": {"units": {"columns": ["id", "spectra"], "files": ["spectra"]}},
    }
    folder = workflow(tmp_path, **{"workflow/Snakefile": "", OVERLAY: yaml.safe_dump(overlay)})
    found = facts(folder, "adapter: data/a.fasta\nindex: none\nruns: here\nunits: ''\nn: 1")
    assert {name: (fact.kind, fact.how) for name, fact in found.items()} == {
        "index": ("file", "overlay"),
        "runs": ("folder", "overlay"),
        "units": ("sheet", "overlay"),
    }
    assert (found["index"].pattern, file_columns(found["units"])) == ("[.]idx$", ["spectra"])


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ("ref: {fasta: /path/to/genome.fa.gz}", "file"),
        ("ref: {sizes: resources/hg38.chromSizes}", "file"),
        ("bam: [a/1.bam, a/2.bam]", "files"),
        ("input_dir: data/reads", "folder"),
        ("genome: https://example.org/genome.fa", None),
        ("outdir: results/run", None),
        ("log_dir: data/logs", None),
        ("adapter: AGATCGGAAGAGC", None),
        ("extra: -a file.txt --min 3", None),
        ("pattern: '{sample}_{unit}.fq.gz'", None),
        ("file_extension: .pod5", None),
        ("conda_env: envs/tools.yaml", None),
        ("version: v1.2.3", None),
        ("threshold: 0.05", None),
    ],
)
def test_recognise_names_and_texts(tmp_path, config, kind):
    found = facts(workflow(tmp_path, **{"workflow/Snakefile": ""}), config)
    assert [fact.kind for fact in found.values()] == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("name", "description", "cells", "expected"),
    [
        ("fq1", "", [], True),
        ("fastq_2", "", [""], True),
        ("bam", "", ["data/a.bam"], True),
        ("path", "", [], True),
        ("x", "path to FASTQ file", [], True),
        ("x", "", ["data/a.fastq.gz"], True),
        ("reads", "", ["1000"], False),
        ("sample", "", ["A"], False),
        ("fastq_dir", "", [], False),
    ],
)
def test_is_file_column_by_name_description_and_cells(name, description, cells, expected):
    assert file_words.is_file_column(name, description, cells) is expected


def test_snakefiles_variables_wrappers_and_modules_are_found(tmp_path):
    text = (
        'envvars:\n    "KEY",  # of the license\n    "HOST_NAME",\n'
        'rule a:\n    wrapper: "v5.8.3/bio/bgzip"\n'
        'rule b:\n    wrapper: "file:scripts/own"\n'
        'module m:\n    snakefile: github("owner/name", path="workflow/Snakefile", tag="v1")\n'
    )
    folder = workflow(tmp_path, **{"workflow/Snakefile": text})
    assert snakefiles.variables(folder) == ["KEY", "HOST_NAME"]
    assert snakefiles.wrappers(folder) == ["v5.8.3/bio/bgzip"]
    assert snakefiles.remote_modules(folder) == ["github: owner/name"]
