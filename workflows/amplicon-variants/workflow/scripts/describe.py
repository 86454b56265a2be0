"""Write the methods section of the report: steps, versions and citations."""

import json
from pathlib import Path

from amplicon_variants.tools import TOOLS
from short_reads.multiqc import methods_section, with_version

STEPS = [
    "The FASTQ files of each sample were checked completely, including the read names of pairs.",
    "Cutadapt removed adapters and low-quality ends and discarded reads that were then too short.",
    "minimap2 aligned the reads of each sample; samtools sorted and indexed the alignments and "
    "computed statistics.",
    "bcftools called the variants of all samples together, split multiallelic variants, "
    "left-aligned insertions and deletions, and filtered variants with low quality or depth.",
    "MultiQC compiled this report.",
]


def main(job):
    tools = with_version(TOOLS, "snakemake", job.params.snakemake)
    settings = {key: value for key, value in job.params.settings.items() if key != "samples"}
    settings["reference"] = Path(settings["reference"]).name
    section = methods_section("Amplicon variants", STEPS, tools, settings)
    Path(job.output.methods).write_text(section, encoding="utf-8")
    versions = {tool.package: tool.version for tool in tools}
    Path(job.output.versions).write_text(json.dumps(versions), encoding="utf-8")
    Path(job.log[0]).write_text(f"{versions}\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
