"""Check the protein database and write what can be searched, uncompressed."""

import json
from pathlib import Path

from ms_report.ending import InputProblem, fail
from ms_report.proteins import prepare


def main(job):
    with open(job.log[0], "w", encoding="utf-8") as log:
        try:
            intake = prepare(job.input.fasta, job.params.name, job.output.fasta)
        except InputProblem as problem:
            fail(problem, log)
        notes = intake.notes(job.params.name)
        Path(job.output.notes).write_text(json.dumps(notes), encoding="utf-8")
        log.write(f"{job.params.name} contains {intake.proteins} proteins to search.\n")
        log.writelines(f"{note}\n" for note in notes)


if "snakemake" in globals():
    main(globals()["snakemake"])
