import json
import re
from importlib.util import find_spec
from pathlib import Path

# Where a desk stages inputs, this file gives each staged path the name that its owner knows.
NAMES = Path("inputs/names.json")

SEARCH_SETTINGS = [
    "enzyme",
    "missed_cleavages",
    "precursor_tolerance",
    "precursor_unit",
    "fragment_tolerance",
    "fragment_unit",
    "fixed_modifications",
    "variable_modifications",
    "min_charge",
    "max_charge",
    "min_peptide_length",
    "max_peptide_length",
]
REPORTED_SETTINGS = [*SEARCH_SETTINGS, "psm_fdr", "min_peptides"]


if config["min_charge"] > config["max_charge"]:
    raise WorkflowError(
        "The lowest charge (min_charge) is above the highest (max_charge)."
    )


def original_names():
    return json.loads(NAMES.read_text(encoding="utf-8")) if NAMES.is_file() else {}


ORIGINAL_NAMES = original_names()


def original_name(path):
    return ORIGINAL_NAMES.get(path, Path(path).name)


def run_keys(paths):
    """A short name for each mzML file, fit for paths and different from all others."""
    keys = {}
    for number, path in enumerate(paths, start=1):
        stem = re.sub(r"\.mzml(\.gz)?$", "", Path(path).name, flags=re.IGNORECASE)
        key = re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_-")[:60] or f"run_{number}"
        if key.lower() in {known.lower() for known in keys}:
            key = f"{key}_{number}"
        keys[key] = path
    return keys


RUNS = run_keys(config["mzml"])
RUN_NAMES = {key: original_name(path) for key, path in RUNS.items()}


wildcard_constraints:
    run="[A-Za-z0-9_-]+",


def mzml_of(wildcards):
    return RUNS[wildcards.run]


def name_of(wildcards):
    return RUN_NAMES[wildcards.run]


def desk_folder():
    """Where `services.sheets` lies, for jobs in an environment of their own."""
    package = find_spec("services")
    if package is None or package.origin is None:
        raise WorkflowError(
            "This workflow reads tables with Rundesk; run it in its environment."
        )
    return str(Path(package.origin).parents[1])


def report_inputs(wildcards):
    found = {
        "information": "results/information.json",
        "metrics": expand("work/metrics/{run}.json", run=RUNS),
    }
    if config.get("fasta"):
        found["identification"] = "work/identification.json"
    return found


def settings(names):
    return {name: config[name] for name in names}


RESULTS = [
    "results/report.html",
    "results/metrics.tsv",
    "results/information.json",
    "results/issues.tsv",
    "results/summary.json",
    *expand("results/chromatograms/{run}.tsv", run=RUNS),
]
if config.get("fasta"):
    RESULTS += [
        "results/psms.tsv",
        "results/proteins.tsv",
        *expand("results/identifications/{run}.idXML", run=RUNS),
    ]
