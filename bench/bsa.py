"""Identify proteins in complete LC-MS/MS runs: bovine serum albumin must rank first.

`python -m bench.bsa [--package openms-doc_….deb]`. Runs the workflow `ms-report` on the three BSA
runs and the protein database of the example data of OpenMS, from the Debian package (43 MB, loaded
with `apt-get download` unless given). Fails when albumin is not the first protein.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.settings import HERE

PACKAGE = "openms-doc"
EXAMPLES = Path("usr/share/doc/openms/examples")
DATABASE = "TOPPAS/data/BSA_Identification/18Protein_SoCe_Tr_detergents_trace.fasta"
RUNS = [f"BSA/BSA{number}.mzML" for number in (1, 2, 3)]
WORKFLOW = HERE / "workflows" / "ms-report"
TABLE = WORKFLOW / "example" / "information_table.xlsx"
ALBUMIN = "P02769|ALBU_BOVIN"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--package", type=Path, help="the .deb file, if downloaded already")
    parser.add_argument("--cores", type=int, default=2)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="rundesk-bsa-") as folder:
        place = Path(folder)
        examples = unpack(chosen.package or download(place), place)
        begun = time.monotonic()
        search(place, examples, chosen.cores)
        print(f"three runs searched in {time.monotonic() - begun:.0f} s")
        report(place / "results")


def download(place: Path) -> Path:
    """Download the package from the sources of apt."""
    subprocess.run(["apt-get", "download", PACKAGE], cwd=place, check=True)
    return next(place.glob(f"{PACKAGE}_*.deb"))


def unpack(package: Path, place: Path) -> Path:
    subprocess.run(["dpkg-deb", "-x", str(package), str(place / "package")], check=True)
    return place / "package" / EXAMPLES


def search(place: Path, examples: Path, cores: int) -> None:
    """Run the workflow with the files staged as Rundesk does."""
    inputs = place / "inputs"
    inputs.mkdir()
    for name in (*RUNS, DATABASE):
        (examples / name).rename(inputs / Path(name).name)
    shutil.copy(TABLE, inputs)
    shutil.copytree(WORKFLOW / "config", place / "config")
    config: dict[str, Any] = {
        "information": f"inputs/{TABLE.name}",
        "mzml": [f"inputs/{Path(name).name}" for name in RUNS],
        "fasta": f"inputs/{Path(DATABASE).name}",
        "fragment_tolerance": 0.5,
        "fragment_unit": "Da",
    }
    (place / "config.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), "--scheduler", "greedy"]
    command += ["--snakefile", str(WORKFLOW / "workflow" / "Snakefile")]
    command += ["--directory", str(place), "--configfile", str(place / "config.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"The workflow failed:\n{done.stdout}{done.stderr}")


def report(results: Path) -> None:
    """Print the identified proteins. Raises SystemExit unless albumin is the first."""
    with (results / "proteins.tsv").open(encoding="utf-8", newline="") as file:
        proteins = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    summary = json.loads((results / "summary.json").read_text(encoding="utf-8"))["identification"]
    print(f"{summary['psms']} matches at 1 % FDR, {summary['proteins']} proteins; the first:")
    for protein in proteins[:3]:
        counts = f"{protein['psms']:>4} matches, {protein['peptides']:>3} peptides"
        print(f"  {protein['accession']:<22} {counts}, {float(protein['coverage_percent']):.0f} %")
    if proteins[0]["accession"] != ALBUMIN:
        raise SystemExit("The first protein is not bovine serum albumin.")


if __name__ == "__main__":
    main()
