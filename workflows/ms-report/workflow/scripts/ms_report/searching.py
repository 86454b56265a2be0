"""Search with OpenMS, and q-values of the matches."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyopenms

from ms_report.ending import InputProblem
from ms_report.mzml import run_openms

# Parameter of the workflow → parameter of SimpleSearchEngineAlgorithm.
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
FLOATS = {"precursor_tolerance", "fragment_tolerance"}  # OpenMS rejects integers for these
ANNOTATIONS = ["precursor_mz_error_ppm", "num_matched_peaks"]
DECOY = "DECOY_"  # prefix of decoy accessions


def search(
    mzml: Path, name: str, fasta: Path, settings: Mapping[str, Any]
) -> tuple[list, pyopenms.PeptideIdentificationList]:
    """Return protein identifications and the best peptide of each MS2 spectrum, with q-values.

    Both include decoys. Raises InputProblem if a file cannot be read or the search fails.
    """
    engine = pyopenms.SimpleSearchEngineAlgorithm()
    engine.setParameters(parameters(engine.getParameters(), settings))
    peptides = pyopenms.PeptideIdentificationList()
    outcome = []
    run_openms(name, lambda: outcome.append(engine.search(str(mzml), str(fasta), peptides)))
    code, proteins = outcome[0]
    if code != pyopenms.SimpleSearchEngineAlgorithm.ExitCodes.EXECUTION_OK:
        raise InputProblem(f"The search of {name} failed with the OpenMS code {code.name}.")
    if peptides.size():
        rate = pyopenms.FalseDiscoveryRate()
        chosen = rate.getParameters()
        chosen.setValue("add_decoy_peptides", True)
        rate.setParameters(chosen)
        rate.apply(peptides)
    return proteins, peptides


def parameters(chosen: pyopenms.Param, settings: Mapping[str, Any]) -> pyopenms.Param:
    """Return the parameters of the engine with the settings of the workflow."""
    for ours, theirs in NAMES.items():
        value = settings[ours]
        chosen.setValue(theirs, float(value) if ours in FLOATS else value)
    chosen.setValue("decoys", True)
    chosen.setValue("annotate:PSM", ANNOTATIONS)
    return chosen
