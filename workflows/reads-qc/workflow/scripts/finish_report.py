"""Makes the MultiQC report work in a frame without an origin."""

from pathlib import Path

from short_reads.multiqc import framed


def main(job):
    page = framed(Path(job.input[0]).read_text(encoding="utf-8"))
    Path(job.output[0]).write_text(page, encoding="utf-8")
    Path(job.log[0]).write_text(f"Report of {len(page):,} characters\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
