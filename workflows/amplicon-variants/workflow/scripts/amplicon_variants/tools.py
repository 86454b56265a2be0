"""Tools used by the workflow, with their versions and citations."""

import pysam
from short_reads.multiqc import Tool

HTSLIB = (
    "Danecek P, Bonfield JK, Liddle J, et al. Twelve years of SAMtools and BCFtools. "
    "GigaScience 10, giab008 (2021)."
)
CUTADAPT = Tool(
    "cutadapt",
    "adapter and quality trimming",
    "Martin M. Cutadapt removes adapter sequences from high-throughput sequencing reads. "
    "EMBnet.journal 17, 10–12 (2011).",
    "10.14806/ej.17.1.200",
)
MINIMAP2 = Tool(
    "mappy",
    "alignment (minimap2)",
    "Li H. Minimap2: pairwise alignment for nucleotide sequences. Bioinformatics 34, 3094–3100 "
    "(2018).",
    "10.1093/bioinformatics/bty191",
)
SAMTOOLS = Tool(
    "samtools",
    "sorting and statistics",
    HTSLIB,
    "10.1093/gigascience/giab008",
    pysam.version.__samtools_version__,
)
BCFTOOLS = Tool(
    "bcftools",
    "variant calling",
    HTSLIB,
    "10.1093/gigascience/giab008",
    pysam.version.__bcftools_version__,
)
MULTIQC = Tool(
    "multiqc",
    "this report",
    "Ewels P, Magnusson M, Lundin S, Käller M. MultiQC: summarize analysis results for multiple "
    "tools and samples in a single report. Bioinformatics 32, 3047–3048 (2016).",
    "10.1093/bioinformatics/btw354",
)
SNAKEMAKE = Tool(
    "snakemake",
    "workflow management",
    "Mölder F, Jablonski KP, Letcher B, et al. Sustainable data analysis with Snakemake. "
    "F1000Research 10, 33 (2021).",
    "10.12688/f1000research.29032.2",
)
TOOLS = [CUTADAPT, MINIMAP2, SAMTOOLS, BCFTOOLS, MULTIQC, SNAKEMAKE]
