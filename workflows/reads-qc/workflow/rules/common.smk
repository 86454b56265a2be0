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

# A threshold that no sequence reaches, so that Sequali compares none with the known contaminants.
# For small files, that comparison takes most of its run time.
NEVER = 10**9


def reads_of(wildcards):
    return list(SAMPLES[wildcards.sample].files)


def trimmed_reads_of(wildcards):
    return [
        f"results/trimmed/{wildcards.sample}_R{number}.fastq.gz"
        for number in range(1, len(reads_of(wildcards)) + 1)
    ]


def quality_options():
    if config["overrepresented"]:
        return []
    return ["--overrepresentation-min-threshold", str(NEVER)]


def sections_option():
    """Remove the report sections for overrepresented sequences if they were not searched."""
    if config["overrepresented"]:
        return []
    removed = [
        f"quality_{stage}_sequali_top_overrepresented_sequences{read}"
        for stage in ("raw", "trimmed")
        for read in ("", "_read1", "_read2")
    ]
    return ["--cl-config", f"remove_sections: {removed}"]


RESULTS = [
    "results/report.html",
    "results/summary.tsv",
    *(
        f"results/quality/{name}.{stage}.html"
        for name in SAMPLES
        for stage in ("raw", "trimmed")
    ),
]
