"""Write the summary of all samples as a table and as a section of the report."""

import csv
import json
import re
from html import escape
from pathlib import Path

from amplicon_variants.variants import read_variants
from short_reads.jobs import fail
from short_reads.multiqc import table_section
from short_reads.reporting import NoSampleLeft, note_of, notes_text, read_checks

COLUMNS = {
    "reads_in": ("Reads in", "Reads or read pairs before trimming", "{:,.0f}"),
    "reads_out": ("Reads out", "Reads or read pairs after trimming", "{:,.0f}"),
    "aligned_reads": ("Aligned reads", "Aligned reads; pairs count as two", "{:,.0f}"),
    "aligned_percent": ("Aligned (%)", "Percentage of reads aligned after trimming", "{:,.1f}"),
    "mean_depth": (
        "Mean depth",
        "Mean depth of the reference; the mates of a pair count once where they overlap",
        "{:,.1f}",
    ),
    "covered_percent": (
        "Covered (%)",
        "Percentage of the reference with at least one read",
        "{:,.1f}",
    ),
    "variants": ("Variants", "Variants that passed the filters", "{:,.0f}"),
    "note": ("Note", "Problems and changes of the input", "{}"),
}
PRIMARY = re.compile(r"^(\d+) \+ (\d+) primary$", re.M)
MAPPED = re.compile(r"^(\d+) \+ (\d+) primary mapped", re.M)


def percent(part, whole):
    return round(100 * part / whole, 2) if whole else 0.0


def read_count(pattern, flagstat):
    """Return the sum of QC-passed and QC-failed reads on a line of samtools flagstat."""
    return sum(map(int, pattern.search(flagstat).groups()))


def coverage(path):
    """Return the mean depth and covered percentage of the reference, from a coverage table."""
    length = covered = depth = 0
    with open(path, encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table, delimiter="\t"):
            size = int(row["endpos"]) - int(row["startpos"]) + 1
            length += size
            covered += int(row["covbases"])
            depth += float(row["meandepth"]) * size
    return round(depth / length, 2), percent(covered, length)


def summary_of(trimming, flagstat, coverage_path, variants, note=""):
    reads = json.loads(Path(trimming).read_text())["read_counts"]
    text = Path(flagstat).read_text()
    mapped, primary = read_count(MAPPED, text), read_count(PRIMARY, text)
    depth, covered = coverage(coverage_path)
    values = [reads["input"], reads["output"], mapped, percent(mapped, primary)]
    return dict(zip(COLUMNS, [*values, depth, covered, variants, note], strict=True))


def main(job):
    samples = list(job.params.samples)
    try:
        checks = read_checks(samples, job.input.checked)
    except NoSampleLeft as problem:
        with open(job.log[0], "w", encoding="utf-8") as log:
            fail(problem, log)
    counts = dict.fromkeys(samples, 0)
    for variant in read_variants(job.input.vcf):
        for sample, call in variant.calls.items():
            counts[sample] += variant.passed and call.has_it
    files = zip(samples, job.input.trimming, job.input.flagstat, job.input.coverage, strict=True)
    rows = {
        sample: summary_of(*paths, counts[sample], note_of(checks[sample]))
        for sample, *paths in files
    }
    with open(job.output.table, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(["sample", *COLUMNS])
        table.writerows([sample, *row.values()] for sample, row in rows.items())
    headers = {
        name: {"title": title, "description": words, "format": form}
        for name, (title, words, form) in COLUMNS.items()
    }
    description = "Reads, alignment and variants of each sample."
    description += escape(notes_text(checks))
    section = table_section("samples-summary", "Samples", description, headers, rows)
    Path(job.output.section).write_text(section, encoding="utf-8")
    Path(job.log[0]).write_text(f"Summarized {len(rows)} samples.\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
