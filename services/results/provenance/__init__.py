"""The story of a run as a Workflow Run RO-Crate, by the profile Provenance Run Crate 0.5.

The run is a CreateAction whose instrument is the workflow, each job one whose instrument is the
tool of its rule; an OrganizeAction of the engine ties them to the steps
(https://w3id.org/ro/wfrun/provenance/0.5).
"""

from services.results.provenance.entities import Story, describe
from services.results.provenance.terms import METADATA

__all__ = ["METADATA", "Story", "describe"]
