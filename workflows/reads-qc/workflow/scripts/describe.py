"""Write the methods section of the report: steps, versions and citations."""

import json
from pathlib import Path

from short_reads.multiqc import Tool, methods_section, with_version

STEPS = [
    "The FASTQ files of each sample were checked completely, including the read names of pairs.",
    "Sequali measured the quality of the raw reads.",
    "Cutadapt removed adapters and low-quality ends and discarded reads that were then too short.",
    "Sequali measured the quality of the trimmed reads.",
    "MultiQC compiled this report.",
]
TOOLS = [
    Tool(
        "sequali",
        "quality of the reads",
        "Vorderman RHP. Sequali: efficient and comprehensive quality control of short- and "
        "long-read sequencing data. Bioinformatics Advances 5, vbaf010 (2025).",
        "10.1093/bioadv/vbaf010",
    ),
    Tool(
        "cutadapt",
        "adapter and quality trimming",
        "Martin M. Cutadapt removes adapter sequences from high-throughput sequencing reads. "
        "EMBnet.journal 17, 10–12 (2011).",
        "10.14806/ej.17.1.200",
    ),
    Tool(
        "multiqc",
        "this report",
        "Ewels P, Magnusson M, Lundin S, Käller M. MultiQC: summarize analysis results for "
        "multiple tools and samples in a single report. Bioinformatics 32, 3047–3048 (2016).",
        "10.1093/bioinformatics/btw354",
    ),
    Tool(
        "snakemake",
        "workflow management",
        "Mölder F, Jablonski KP, Letcher B, et al. Sustainable data analysis with Snakemake. "
        "F1000Research 10, 33 (2021).",
        "10.12688/f1000research.29032.2",
    ),
]


def main(job):
    tools = with_version(TOOLS, "snakemake", job.params.snakemake)
    settings = {key: value for key, value in job.params.settings.items() if key != "samples"}
    section = methods_section("Read quality control", STEPS, tools, settings)
    Path(job.output.methods).write_text(section, encoding="utf-8")
    versions = {tool.package: tool.version for tool in tools}
    Path(job.output.versions).write_text(json.dumps(versions), encoding="utf-8")
    Path(job.log[0]).write_text(f"{versions}\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
