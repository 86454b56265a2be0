"""Filtered peptide-spectrum matches, and proteins inferred from them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pyopenms

PSM_COLUMNS = [
    *["run", "file", "spectrum", "time_min", "precursor_mz", "charge", "peptide", "modified"],
    *["proteins", "q_value", "score", "error_ppm", "missed_cleavages", "matched_peaks"],
]
PROTEIN_COLUMNS = [
    *["accession", "description", "peptides", "unique_peptides", "psms", "coverage_percent"],
    *["best_score", "length", "also"],
]
RUN_IDENTIFIER = "all runs"


@dataclass(frozen=True)
class Match:
    """A spectrum and the peptide it was assigned to.

    `time_min` is in minutes, `score` is the logarithm of the hyperscore, `places` has the 0-based
    first and last residue of the peptide in each protein.
    """

    run: str
    file: str
    spectrum: str
    time_min: float
    precursor_mz: float
    charge: int
    peptide: str
    modified: str
    q_value: float
    score: float
    error_ppm: float
    missed_cleavages: int
    matched_peaks: int
    places: dict[str, tuple[int, int]]

    def row(self) -> dict[str, Any]:
        """Return the row of psms.tsv."""
        return {**asdict(self), "proteins": ";".join(self.places)}


@dataclass(frozen=True)
class Protein:
    """Proteins with the same peptides; `accession` is the one with the highest coverage."""

    accession: str
    description: str
    length: int
    peptides: int  # different sequences
    unique_peptides: int  # of these, the ones that are in no other protein of the database
    psms: int
    coverage_percent: float
    best_score: float
    also: list[str]  # accessions of the others


def matches(path: str | Path, run: str, file: str, fdr: float, enzyme: str) -> list[Match]:
    """Return the matches of a run up to the false discovery rate `fdr`, without decoys, by time."""
    candidates = pyopenms.PeptideIdentificationList()
    pyopenms.IdXMLFile().load(str(path), [], candidates)
    digestion = pyopenms.ProteaseDigestion()
    digestion.setEnzyme(enzyme)
    accepted = []
    for identification in candidates:
        for hit in identification.getHits()[:1]:
            if hit.getScore() <= fdr and hit.getMetaValue("target_decoy") != "decoy":
                accepted.append(_match(identification, hit, run, file, digestion))
    return sorted(accepted, key=lambda match: match.time_min)


def _match(identification, hit, run: str, file: str, digestion) -> Match:
    sequence = hit.getSequence()
    return Match(
        run=run,
        file=file,
        spectrum=str(identification.getMetaValue("spectrum_reference")),
        time_min=identification.getRT() / 60,
        precursor_mz=identification.getMZ(),
        charge=hit.getCharge(),
        peptide=sequence.toUnmodifiedString(),
        modified=sequence.toString(),
        q_value=hit.getScore(),
        score=float(hit.getMetaValue("ln(hyperscore)_score")),
        error_ppm=float(hit.getMetaValue("precursor_mz_error_ppm")),
        missed_cleavages=digestion.countInternalCleavageSites(sequence.toUnmodifiedString()),
        matched_peaks=int(hit.getMetaValue("num_matched_peaks")),
        places={
            evidence.getProteinAccession(): (evidence.getStart(), evidence.getEnd())
            for evidence in hit.getPeptideEvidences()
            if not evidence.getProteinAccession().startswith("DECOY_")
        },
    )


def proteins(
    accepted: Sequence[Match], database: Mapping[str, tuple[str, str]], min_peptides: int
) -> list[Protein]:
    """Return the proteins inferred from the matches of all runs, best first.

    Indistinguishable proteins are grouped; a shared peptide is assigned to the protein with the
    better evidence (BasicProteinInferenceAlgorithm of OpenMS). `database` has description and
    sequence by accession; proteins with fewer than `min_peptides` peptides are left out.
    """
    if not accepted:
        return []
    inferred = [
        _protein(names, shared, database)
        for names, shared in _groups(accepted)
        if len({match.peptide for match in shared}) >= min_peptides
    ]
    return sorted(inferred, key=lambda p: (-p.peptides, -p.psms, -p.best_score, p.accession))


def _groups(accepted: Sequence[Match]) -> Iterator[tuple[list[str], list[Match]]]:
    """Yield groups of indistinguishable proteins with the matches assigned to them."""
    everything = pyopenms.ProteinIdentification()
    everything.setIdentifier(RUN_IDENTIFIER)
    everything.setScoreType("ln(hyperscore)")
    everything.setHigherScoreBetter(True)
    everything.setHits([_protein_hit(name) for name in sorted(_accessions(accepted))])
    spectra = pyopenms.PeptideIdentificationList([_spectrum(match) for match in accepted])
    algorithm = pyopenms.BasicProteinInferenceAlgorithm()
    chosen = algorithm.getParameters()
    chosen.setValue("greedy_group_resolution", True)
    chosen.setValue("treat_charge_variants_separately", False)
    chosen.setValue("treat_modification_variants_separately", False)
    algorithm.setParameters(chosen)
    algorithm.run(spectra, everything)
    behind = defaultdict(list)
    for match, spectrum in zip(accepted, spectra, strict=True):
        for evidence in spectrum.getHits()[0].getPeptideEvidences():
            behind[evidence.getProteinAccession()].append(match)
    for group in everything.getIndistinguishableProteins():
        names = [_text(name) for name in group.accessions]
        if behind[names[0]]:
            yield names, behind[names[0]]


def _accessions(accepted: Sequence[Match]) -> set[str]:
    return {accession for match in accepted for accession in match.places}


def _protein_hit(accession: str) -> pyopenms.ProteinHit:
    hit = pyopenms.ProteinHit()
    hit.setAccession(accession)
    hit.setMetaValue("target_decoy", "target")
    return hit


def _spectrum(match: Match) -> pyopenms.PeptideIdentification:
    """Return a match as an OpenMS object, with the score used for protein inference."""
    sequence = pyopenms.AASequence.fromString(match.modified)
    hit = pyopenms.PeptideHit(match.score, 0, match.charge, sequence)
    for accession in match.places:
        evidence = pyopenms.PeptideEvidence()
        evidence.setProteinAccession(accession)
        hit.addPeptideEvidence(evidence)
    identification = pyopenms.PeptideIdentification()
    identification.setIdentifier(RUN_IDENTIFIER)
    identification.setScoreType("ln(hyperscore)")
    identification.setHigherScoreBetter(True)
    identification.setHits([hit])
    return identification


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _protein(
    names: Sequence[str], behind: Sequence[Match], database: Mapping[str, tuple[str, str]]
) -> Protein:
    """Return a group as one protein: the member with the highest coverage."""
    cover = {name: _coverage(name, behind, len(database[name][1])) for name in names}
    best = min(names, key=lambda name: (-cover[name], name))
    description, sequence = database[best]
    own = {match.peptide for match in behind if set(match.places) <= set(names)}
    return Protein(
        accession=best,
        description=description,
        length=len(sequence),
        peptides=len({match.peptide for match in behind}),
        unique_peptides=len(own),
        psms=len(behind),
        coverage_percent=cover[best],
        best_score=max(match.score for match in behind),
        also=sorted(set(names) - {best}),
    )


def _coverage(accession: str, behind: Sequence[Match], length: int) -> float:
    covered = set[int]()
    for match in behind:
        if accession in match.places:
            first, last = match.places[accession]
            covered.update(range(first, last + 1))
    return 100 * len(covered) / length


def summary(accepted: Sequence[Match]) -> dict[str, Any]:
    """Return the summary of the matches of a run for the report."""
    whole = sum(match.missed_cleavages == 0 for match in accepted)
    return {
        "psms": len(accepted),
        "peptides": len({match.peptide for match in accepted}),
        "median_error_ppm": median(m.error_ppm for m in accepted) if accepted else None,
        "fully_cleaved": whole / len(accepted) if accepted else None,
        "times_min": [match.time_min for match in accepted],
        "errors_ppm": [match.error_ppm for match in accepted],
    }
