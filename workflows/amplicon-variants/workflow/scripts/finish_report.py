"""Make the MultiQC report work in a sandboxed frame without an origin."""

from pathlib import Path

from short_reads.multiqc import make_frame_safe


def main(job):
    page = make_frame_safe(Path(job.input[0]).read_text(encoding="utf-8"))
    Path(job.output[0]).write_text(page, encoding="utf-8")
    Path(job.log[0]).write_text(f"Wrote a report of {len(page):,} characters.\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
