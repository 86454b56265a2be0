"""Filter the matches by false discovery rate and infer the proteins of all runs."""

import json
from dataclasses import asdict
from pathlib import Path

from ms_report import identification
from ms_report.ending import fail, redirect_stdout
from ms_report.proteins import entries
from ms_report.tables import write_table


def main(job):
    params = job.params
    with open(job.log[0], "w", buffering=1, encoding="utf-8") as log:
        redirect_stdout(log)
        problems = {
            run: json.loads(Path(path).read_text(encoding="utf-8"))
            for run, path in zip(params.runs, job.input.problems, strict=True)
        }
        if all(problems.values()):
            fail(" ".join(problems.values()), log)
        by_run = {
            run: identification.matches(
                path, run, params.run_names[run], params.psm_fdr, params.enzyme
            )
            for run, path in zip(params.runs, job.input.identifications, strict=True)
        }
        accepted = [match for matches in by_run.values() for match in matches]
        database = {
            name: (text, letters) for name, text, letters in entries(job.input.fasta, "database")
        }
        proteins = identification.proteins(accepted, database, params.min_peptides)
        write_table(
            job.output.psms, identification.PSM_COLUMNS, [match.row() for match in accepted]
        )
        rows = [{**asdict(protein), "also": ";".join(protein.also)} for protein in proteins]
        write_table(job.output.proteins, identification.PROTEIN_COLUMNS, rows)
        document = {
            "database": params.fasta_name,
            "database_proteins": len(database),
            "database_notes": json.loads(Path(job.input.notes).read_text(encoding="utf-8")),
            "runs": {
                run: {**identification.summary(matches), "problem": problems[run]}
                for run, matches in by_run.items()
            },
            "psms": len(accepted),
            "peptides": len({match.peptide for match in accepted}),
            "proteins": [asdict(protein) for protein in proteins],
        }
        Path(job.output.identification).write_text(json.dumps(document), encoding="utf-8")
        log.write(f"Accepted {len(accepted)} matches and {len(proteins)} proteins.\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
