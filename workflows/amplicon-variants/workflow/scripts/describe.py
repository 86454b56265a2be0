"""Says in the report what was done, by which versions, and what to cite."""

import json
from pathlib import Path

from amplicon_variants.tools import TOOLS
from short_reads.multiqc import methods_section, with_version

STEPS = [
    "The files of each sample were read to their ends; pairs were checked for the same names.",
    "Cutadapt removed adapters and doubtful ends, and left out what was then too short.",
    "minimap2 aligned the reads of each sample; samtools sorted, indexed and measured them.",
    "bcftools called the variants of all samples together, wrote one alternative to a line, moved "
    "insertions and deletions to the left, and marked variants of low quality or depth.",
    "MultiQC put the statistics into this report.",
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
