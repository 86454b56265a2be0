"""The card of a workflow, from the files of its repository."""

from __future__ import annotations

import json

from services.catalogue.card import Card, card_of

README = """<!-- a template -->
# Snakemake workflow: `Calling small variants`

[![Snakemake](https://img.shields.io/x.svg)](https://snakemake.github.io)

A Snakemake workflow for **calling** variants with [GATK](https://example.org). It takes
FASTQ files.

## Usage

Some more words about the usage of this workflow.
"""


def test_card_of_repository_has_title_summary_version_and_license(tmp_path):
    folder = tmp_path / "dna-seq"
    (folder / ".rundesk").mkdir(parents=True)
    (folder / "README.md").write_text(README)
    (folder / "LICENSE").write_text("MIT\n\nPermission is hereby granted, free of charge, to any")
    (folder / ".rundesk/source.json").write_text(json.dumps({"ref": "v2.1.0"}))
    assert card_of(folder) == Card(
        title="Calling small variants",
        summary="A Snakemake workflow for calling variants with GATK. It takes FASTQ files.",
        version="v2.1.0",
        license="MIT",
    )


def test_card_of_citation_gives_version_and_license(tmp_path):
    (tmp_path / "CITATION.cff").write_text("version: 1.2\nlicense: GPL-3.0-only\n")
    assert card_of(tmp_path) == Card(version="1.2", license="GPL-3.0-only")


def test_card_of_title_that_repeats_the_name_is_left_out(tmp_path):
    folder = tmp_path / "rna-seq-star"
    folder.mkdir()
    (folder / "README.md").write_text("# Snakemake workflow: rna-seq-star\n\n- a list\n")
    assert card_of(folder) == Card()
    assert card_of(tmp_path / "none") == Card()
