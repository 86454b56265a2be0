"""Keeps the matches below the false discovery rate and infers the proteins of all runs."""

import json
from dataclasses import asdict
from pathlib import Path

from ms_report import identification as found
from ms_report.ending import printing_into
from ms_report.proteins import entries
from ms_report.tables import write_table


def main(job):
    params = job.params
    with open(job.log[0], "w", buffering=1, encoding="utf-8") as log:
        printing_into(log)
        by_run = {
            run: found.matches(path, run, params.run_names[run], params.psm_fdr, params.enzyme)
            for run, path in zip(params.runs, job.input.identifications, strict=True)
        }
        accepted = [match for matches in by_run.values() for match in matches]
        database = {
            name: (text, letters) for name, text, letters in entries(job.input.fasta, "database")
        }
        proteins = found.proteins(accepted, database, params.min_peptides)
        write_table(job.output.psms, found.PSM_COLUMNS, [match.row() for match in accepted])
        rows = [{**asdict(one), "also": ";".join(one.also)} for one in proteins]
        write_table(job.output.proteins, found.PROTEIN_COLUMNS, rows)
        told = {
            "database": params.fasta_name,
            "database_proteins": len(database),
            "runs": {run: found.summary(matches) for run, matches in by_run.items()},
            "psms": len(accepted),
            "peptides": len({match.peptide for match in accepted}),
            "proteins": [asdict(one) for one in proteins],
        }
        Path(job.output.identification).write_text(json.dumps(told), encoding="utf-8")
        log.write(f"{len(accepted)} matches, {len(proteins)} proteins\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
