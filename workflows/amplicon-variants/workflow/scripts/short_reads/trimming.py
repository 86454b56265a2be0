"""Command-line options of Cutadapt."""

from collections.abc import Mapping
from typing import Any

ADAPTERS = {
    "illumina": ("AGATCGGAAGAGC", "AGATCGGAAGAGC"),
    "nextera": ("CTGTCTCTTATACACATCT", "CTGTCTCTTATACACATCT"),
    "small_rna": ("TGGAATTCTCGGGTGCCAAGG", "GATCGTCGGACTGTAGAACTC"),
    "none": ("", ""),
}


def trimming_options(config: Mapping[str, Any], paired: bool) -> list[str]:
    """Return the options for single or paired reads, without file names."""
    options = ["--minimum-length", config["min_length"]]
    options += adapter_options(config, paired)
    options += ["--error-rate", config["error_rate"], "--overlap", config["min_overlap"]]
    cutoffs = f"{config['quality_cutoff_start']},{config['quality_cutoff']}"
    options += ["--quality-cutoff", cutoffs]
    if config["two_color"]:
        options += ["--nextseq-trim", config["quality_cutoff"]]
    for letter in ("u", "U") if paired else ("u",):
        for length in (config["cut_start"], -config["cut_end"]):
            options += [f"-{letter}", length] if length else []
    if config["trim_n"]:
        options.append("--trim-n")
    if config["max_n_percent"] < 100:  # Cutadapt reads 1 and more as a count
        options += ["--max-n", config["max_n_percent"] / 100]
    return [str(option) for option in options]


def adapter_options(config: Mapping[str, Any], paired: bool) -> list[str]:
    custom = (config["adapter_1"], config["adapter_2"])
    first, second = ADAPTERS.get(config["adapters"], custom)
    options = ["-a", first] if first else []
    return options + (["-A", second] if second and paired else [])
