"""Writes what went in and what came out of each sample, and which files the report is made of."""

import csv
import json
from pathlib import Path

from short_reads.multiqc import table_section

COLUMNS = {
    "reads_in": ("Reads in", "Reads, or pairs, of the sample", "{:,.0f}"),
    "reads_out": ("Reads out", "Reads, or pairs, that are left after trimming", "{:,.0f}"),
    "reads_out_percent": ("Left", "Share of reads that are left, percent", "{:,.1f}"),
    "bases_in": ("Bases in", "Nucleotides of the sample", "{:,.0f}"),
    "bases_out": ("Bases out", "Nucleotides that are left after trimming", "{:,.0f}"),
    "bases_out_percent": ("Bases left", "Share of nucleotides that are left, percent", "{:,.1f}"),
    "with_adapter_percent": ("Adapter", "Share of reads with an adapter, percent", "{:,.1f}"),
    "mean_length_in": ("Length in", "Mean length of the reads before, nucleotides", "{:,.1f}"),
    "mean_length_out": ("Length out", "Mean length of the reads after, nucleotides", "{:,.1f}"),
    "gc_percent": ("GC", "G and C of the nucleotides after trimming, percent", "{:,.1f}"),
    "q20_in_percent": ("Q20 in", "Nucleotides of quality 20 and more before, percent", "{:,.1f}"),
    "q20_out_percent": ("Q20 out", "Nucleotides of quality 20 and more after, percent", "{:,.1f}"),
}


def percent(part, whole):
    return round(100 * part / whole, 2) if whole else 0.0


def summary_of(trimming, raw, trimmed):
    """One sample's figures from the reports of Cutadapt and Sequali. Of pairs, both reads count."""
    reads, bases = trimming["read_counts"], trimming["basepair_counts"]
    with_adapter = [reads["read1_with_adapter"], reads["read2_with_adapter"]]
    found = [count for count in with_adapter if count is not None]
    return {
        "reads_in": reads["input"],
        "reads_out": reads["output"],
        "reads_out_percent": percent(reads["output"], reads["input"]),
        "bases_in": bases["input"],
        "bases_out": bases["output"],
        "bases_out_percent": percent(bases["output"], bases["input"]),
        "with_adapter_percent": percent(sum(found), reads["input"] * len(found)),
        "mean_length_in": mean_length(raw),
        "mean_length_out": mean_length(trimmed),
        "gc_percent": share(trimmed, "total_gc_bases"),
        "q20_in_percent": share(raw, "q20_bases"),
        "q20_out_percent": share(trimmed, "q20_bases"),
    }


def total(quality, name):
    parts = [quality.get(part) for part in ("summary", "summary_read2")]
    return sum(part[name] for part in parts if part)


def share(quality, name):
    return percent(total(quality, name), total(quality, "total_bases"))


def mean_length(quality):
    reads = total(quality, "total_reads")
    return round(total(quality, "total_bases") / reads, 1) if reads else 0.0


def report_files(job, empty):
    """What MultiQC reads. Its part for Sequali cannot take samples without reads."""
    own = [job.output.section, *job.params.sections]
    trimmed = [file for file in job.input.trimmed if Path(file).stem not in empty]
    return [*own, *job.input.raw, *job.input.trimming, *trimmed]


def main(job):
    folders = zip(
        job.params.samples, job.input.trimming, job.input.raw, job.input.trimmed, strict=True
    )
    rows = {
        sample: summary_of(*(json.loads(Path(file).read_text()) for file in files))
        for sample, *files in folders
    }
    with open(job.output.table, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(["sample", *COLUMNS])
        table.writerows([sample, *row.values()] for sample, row in rows.items())
    headers = {
        name: {"title": title, "description": words, "format": form}
        for name, (title, words, form) in COLUMNS.items()
    }
    empty = [sample for sample, row in rows.items() if not row["reads_out"]]
    words = "What went into trimming and what came out. Of pairs, both reads count together."
    if empty:
        words += f" No reads are left of {', '.join(empty)}."
    section = table_section("reads-summary", "Reads in and out", words, headers, rows)
    Path(job.output.section).write_text(section, encoding="utf-8")
    files = "".join(f"{file}\n" for file in report_files(job, empty))
    Path(job.output.files).write_text(files, encoding="utf-8")
    Path(job.log[0]).write_text(f"{len(rows)} samples\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
