"""Write the hits as BLAST XML (-outfmt 5) and as BLAST table with comments (-outfmt 7)."""

import sys
from pathlib import Path


def main(job):
    sys.path.append(job.params.desk)  # the same code serves BLAST clients in the API
    from services.search.blast import tabular, xml
    from services.search.blast.report import Report

    report = Report.read(**{name: Path(path) for name, path in job.input.items()})
    with open(job.log[0], "w", encoding="utf-8") as log:
        for name, render in (("xml", xml.render), ("tabular", tabular.render)):
            path = job.output[name]
            with open(path, "w", encoding="utf-8", newline="\n") as file:
                file.writelines(render(report))
            log.write(f"Wrote {path}, {Path(path).stat().st_size:,} bytes.\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
