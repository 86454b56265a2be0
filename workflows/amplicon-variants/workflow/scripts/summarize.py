"""Writes what became of each sample: a table, and the same for the report."""

import csv
import json
import re
from pathlib import Path

from amplicon_variants.variants import read_variants
from short_reads.multiqc import table_section

COLUMNS = {
    "reads_in": ("Reads in", "Reads, or pairs, of the sample", "{:,.0f}"),
    "reads_out": ("After trimming", "Reads, or pairs, that are left", "{:,.0f}"),
    "aligned_reads": ("Aligned", "Single reads that have a place on the reference", "{:,.0f}"),
    "aligned_percent": ("Aligned", "Share of the single reads that are left, percent", "{:,.1f}"),
    "mean_depth": ("Mean depth", "Mean depth of the reference", "{:,.1f}"),
    "covered_percent": ("Covered", "Share of the reference with any read, percent", "{:,.1f}"),
    "variants": ("Variants", "Variants of the sample that passed the filters", "{:,.0f}"),
}
PRIMARY = re.compile(r"^(\d+) \+ (\d+) primary$", re.M)
MAPPED = re.compile(r"^(\d+) \+ (\d+) primary mapped", re.M)


def percent(part, whole):
    return round(100 * part / whole, 2) if whole else 0.0


def counted(pattern, flagstat):
    """Reads that passed the machine's own check, and those that did not."""
    return sum(map(int, pattern.search(flagstat).groups()))


def coverage(path):
    """Mean depth and covered share of the whole reference, from the rows of samtools coverage."""
    length = covered = depth = 0
    with open(path, encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            size = int(row["endpos"]) - int(row["startpos"]) + 1
            length += size
            covered += int(row["covbases"])
            depth += float(row["meandepth"]) * size
    return round(depth / length, 2), percent(covered, length)


def summary_of(trimming, flagstat, coverage_path, variants):
    reads = json.loads(Path(trimming).read_text())["read_counts"]
    text = Path(flagstat).read_text()
    mapped, primary = counted(MAPPED, text), counted(PRIMARY, text)
    depth, covered = coverage(coverage_path)
    values = [reads["input"], reads["output"], mapped, percent(mapped, primary)]
    return dict(zip(COLUMNS, [*values, depth, covered, variants], strict=True))


def main(job):
    samples = list(job.params.samples)
    found = dict.fromkeys(samples, 0)
    for variant in read_variants(job.input.vcf):
        for sample, call in variant.calls.items():
            found[sample] += variant.passed and call.has_it
    files = zip(samples, job.input.trimming, job.input.flagstat, job.input.coverage, strict=True)
    rows = {sample: summary_of(*paths, found[sample]) for sample, *paths in files}
    with open(job.output.table, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(["sample", *COLUMNS])
        table.writerows([sample, *row.values()] for sample, row in rows.items())
    headers = {
        name: {"title": title, "description": words, "format": form}
        for name, (title, words, form) in COLUMNS.items()
    }
    words = "From the reads as they were sent to the variants of each sample."
    section = table_section("samples-summary", "Samples", words, headers, rows)
    Path(job.output.section).write_text(section, encoding="utf-8")
    Path(job.log[0]).write_text(f"{len(rows)} samples\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
