"""Search the MS2 spectra of one run."""

import json
import os
from pathlib import Path


def main(job):
    os.environ["OMP_NUM_THREADS"] = str(job.threads)  # read by OpenMS on import
    import pyopenms
    from ms_report import searching
    from ms_report.ending import InputProblem, fail, redirect_stdout

    levels = json.loads(Path(job.input.metrics).read_text(encoding="utf-8"))["levels"]
    mzml, fasta, name = Path(job.input.mzml), Path(job.input.fasta), job.params.name
    with open(job.log[0], "w", buffering=1, encoding="utf-8") as log:
        redirect_stdout(log)
        proteins, peptides = [], pyopenms.PeptideIdentificationList()
        if "2" in levels:
            try:
                proteins, peptides = searching.search(mzml, name, fasta, job.params.settings)
            except InputProblem as problem:
                fail(problem, log)
        pyopenms.IdXMLFile().store(str(job.output.identifications), proteins, peptides)
        log.write(f"{name}: {levels.get('2', 0)} MS2 spectra, {peptides.size()} with candidates\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
