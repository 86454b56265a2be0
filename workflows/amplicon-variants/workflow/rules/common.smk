import sys
from pathlib import Path

from snakemake import __version__ as snakemake_version
from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from short_reads.samples import SheetProblem, matching, read_samples
from short_reads.trimming import trimming_options

try:
    SAMPLES = {sample.name: sample for sample in read_samples(config["samples"])}
except SheetProblem as problem:
    raise WorkflowError(str(problem))

PAIRED = [name for name, sample in SAMPLES.items() if sample.paired]
SINGLE = [name for name, sample in SAMPLES.items() if not sample.paired]

REFERENCE = "work/reference/reference.fasta"


def reads_of(wildcards):
    return list(SAMPLES[wildcards.sample].files)


def checked_reads_of(wildcards):
    """Return the reads as `check_reads` provides them; gzipped or not, whatever their name."""
    return [
        f"work/reads/{wildcards.sample}_R{number}.fastq"
        for number in range(1, len(reads_of(wildcards)) + 1)
    ]


def trimmed_reads_of(wildcards):
    return [
        f"work/trimmed/{wildcards.sample}_R{number}.fastq.gz"
        for number in range(1, len(reads_of(wildcards)) + 1)
    ]


RESULTS = [
    "results/variants.html",
    "results/variants.tsv",
    "results/variants.vcf.gz",
    "results/variants.vcf.gz.tbi",
    "results/samples.tsv",
    "results/report.html",
    *(f"results/alignments/{name}.bam" for name in SAMPLES),
    *(f"results/alignments/{name}.bam.bai" for name in SAMPLES),
]
