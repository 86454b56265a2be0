"""Describe a run as a Workflow Run RO-Crate that follows the profile Provenance Run Crate 0.5.

The run is a CreateAction whose instrument is the workflow. Each job is a CreateAction whose
instrument is the tool of its rule. An OrganizeAction of the engine links the jobs to the steps
(https://w3id.org/ro/wfrun/provenance/0.5).
"""

from services.results.provenance.entities import RunData, describe
from services.results.provenance.terms import METADATA

__all__ = ["METADATA", "RunData", "describe"]
