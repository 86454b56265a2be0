"""Read the queries, plan the search and split the queries into parts."""

from pathlib import Path

from sequence_search import mmseqs
from sequence_search.fasta import InputProblem
from sequence_search.prepare import Database, prepare


def main(job):
    with open(job.log[0], "w", encoding="utf-8") as log:
        try:
            plan = prepare(
                queries=job.input.queries,
                database=Database.read(job.input.about),
                label=job.params.database,
                requested=job.params.program,
                settings=dict(job.params.settings),
                chunks=[Path(chunk) for chunk in job.output.queries],
                query_names=Path(job.output.query_names),
            )
        except InputProblem as problem:
            mmseqs.fail(problem, log)
        plan.write(job.output.plan)
        log.write(f"{plan.program}: {plan.queries}, {plan.database}\n")
        log.writelines(f"{note}\n" for note in plan.notes)


if "snakemake" in globals():
    main(globals()["snakemake"])
