"""The search engine of OpenMS, set up; and q-values of what it finds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyopenms

from ms_report.ending import Unfit
from ms_report.mzml import parsing

# Our names of parameters, and those of SimpleSearchEngineAlgorithm.
NAMES = {
    "enzyme": "enzyme",
    "missed_cleavages": "peptide:missed_cleavages",
    "min_peptide_length": "peptide:min_size",
    "max_peptide_length": "peptide:max_size",
    "precursor_tolerance": "precursor:mass_tolerance",
    "precursor_unit": "precursor:mass_tolerance_unit",
    "min_charge": "precursor:min_charge",
    "max_charge": "precursor:max_charge",
    "fragment_tolerance": "fragment:mass_tolerance",
    "fragment_unit": "fragment:mass_tolerance_unit",
    "fixed_modifications": "modifications:fixed",
    "variable_modifications": "modifications:variable",
}
FLOATS = {"precursor_tolerance", "fragment_tolerance"}  # OpenMS refuses 10 where it wants 10.0
ANNOTATIONS = ["precursor_mz_error_ppm", "num_matched_peaks"]
DECOY = "DECOY_"  # what the search puts before the accession of a decoy


def search(
    mzml: Path, name: str, fasta: Path, settings: Mapping[str, Any]
) -> tuple[list, pyopenms.PeptideIdentificationList]:
    """The best peptide of each MS2 spectrum, decoys included, scored with q-values.

    Returns protein identifications, as OpenMS keeps them, and peptide identifications.
    """
    engine = pyopenms.SimpleSearchEngineAlgorithm()
    engine.setParameters(parameters(engine.getParameters(), settings))
    found = pyopenms.PeptideIdentificationList()
    outcome = []
    parsing(name, lambda: outcome.append(engine.search(str(mzml), str(fasta), found)))
    code, proteins = outcome[0]
    if code != pyopenms.SimpleSearchEngineAlgorithm.ExitCodes.EXECUTION_OK:
        raise Unfit(f"The search of {name} ended with {code.name}.")
    if found.size():
        rate = pyopenms.FalseDiscoveryRate()
        chosen = rate.getParameters()
        chosen.setValue("add_decoy_peptides", True)
        rate.setParameters(chosen)
        rate.apply(found)
    return proteins, found


def parameters(chosen: pyopenms.Param, settings: Mapping[str, Any]) -> pyopenms.Param:
    """The parameters of the engine with ours in their places."""
    for ours, theirs in NAMES.items():
        value = settings[ours]
        chosen.setValue(theirs, float(value) if ours in FLOATS else value)
    chosen.setValue("decoys", True)
    chosen.setValue("annotate:PSM", ANNOTATIONS)
    return chosen
