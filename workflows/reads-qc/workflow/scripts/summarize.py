"""Write the summary table of all samples and the list of files for MultiQC."""

import csv
import json
from pathlib import Path

from short_reads.multiqc import table_section

COLUMNS = {
    "reads_in": ("Reads in", "Reads or read pairs before trimming", "{:,.0f}"),
    "reads_out": ("Reads out", "Reads or read pairs after trimming", "{:,.0f}"),
    "reads_out_percent": ("Reads kept (%)", "Percentage of reads kept", "{:,.1f}"),
    "bases_in": ("Bases in", "Bases before trimming", "{:,.0f}"),
    "bases_out": ("Bases out", "Bases after trimming", "{:,.0f}"),
    "bases_out_percent": ("Bases kept (%)", "Percentage of bases kept", "{:,.1f}"),
    "with_adapter_percent": ("Adapter (%)", "Percentage of reads with an adapter", "{:,.1f}"),
    "mean_length_in": ("Length in (nt)", "Mean read length before trimming", "{:,.1f}"),
    "mean_length_out": ("Length out (nt)", "Mean read length after trimming", "{:,.1f}"),
    "gc_percent": ("GC (%)", "Percentage of G and C after trimming", "{:,.1f}"),
    "q20_in_percent": (
        "Q20 in (%)",
        "Percentage of bases with quality ≥ 20 before trimming",
        "{:,.1f}",
    ),
    "q20_out_percent": (
        "Q20 out (%)",
        "Percentage of bases with quality ≥ 20 after trimming",
        "{:,.1f}",
    ),
}


def percent(part, whole):
    return round(100 * part / whole, 2) if whole else 0.0


def summary_of(trimming, raw, trimmed):
    """Return the summary of one sample from the reports of Cutadapt and Sequali.

    `reads_in` and `reads_out` count pairs once; all other values include both reads of a pair.
    """
    reads, bases = trimming["read_counts"], trimming["basepair_counts"]
    with_adapter = [reads["read1_with_adapter"], reads["read2_with_adapter"]]
    counts = [count for count in with_adapter if count is not None]
    return {
        "reads_in": reads["input"],
        "reads_out": reads["output"],
        "reads_out_percent": percent(reads["output"], reads["input"]),
        "bases_in": bases["input"],
        "bases_out": bases["output"],
        "bases_out_percent": percent(bases["output"], bases["input"]),
        "with_adapter_percent": percent(sum(counts), reads["input"] * len(counts)),
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
    """Return the files for MultiQC, whose Sequali module fails on samples without reads."""
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
    description = "Reads before (in) and after (out) trimming. For paired samples, reads are pairs."
    if empty:
        description += f" No reads remain for {', '.join(empty)}."
    title = "Reads before and after trimming"
    section = table_section("reads-summary", title, description, headers, rows)
    Path(job.output.section).write_text(section, encoding="utf-8")
    files = "".join(f"{file}\n" for file in report_files(job, empty))
    Path(job.output.files).write_text(files, encoding="utf-8")
    Path(job.log[0]).write_text(f"Summarized {len(rows)} samples.\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
