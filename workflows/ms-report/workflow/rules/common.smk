import json
import re
from importlib.util import find_spec
from pathlib import Path

# Rundesk writes this file when it stages inputs: staged path → original file name.
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
        "The minimum charge (min_charge) must not be above the maximum charge (max_charge)."
    )


def original_names():
    return json.loads(NAMES.read_text(encoding="utf-8")) if NAMES.is_file() else {}


ORIGINAL_NAMES = original_names()


def original_name(path):
    return ORIGINAL_NAMES.get(path, Path(path).name)


def run_keys(paths):
    """Return the mzML files by a short unique key that is safe in paths."""
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
    """Return the folder of the package `services`, for jobs in a separate environment."""
    package = find_spec("services")
    if package is None or package.origin is None:
        raise WorkflowError(
            "This workflow requires Rundesk. Run Snakemake in the environment of Rundesk."
        )
    return str(Path(package.origin).parents[1])


def report_inputs(wildcards):
    inputs = {
        "information": "results/information.json",
        "metrics": expand("work/metrics/{run}.json", run=RUNS),
    }
    if config.get("fasta"):
        inputs["identification"] = "work/identification.json"
    return inputs


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
