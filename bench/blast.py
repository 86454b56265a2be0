"""How often a search at the desk names the same top hit as NCBI BLAST+ does.

Real data: proteins of a Swiss-Prot subset against the rest of it (blastp), and 16S amplicon reads
against others of the same sample (blastn). Of the queries whose best hit BLAST+ gives an e-value
under 1e-10, those agree for which the best-scoring targets of both have one in common: ties agree.

The desk searches as the BLAST URL API does. Needs `makeblastdb`, `blastp` and `blastn` (Debian:
ncbi-blast+), on the PATH or in `--blast`.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from bench.stand import ME, Desk, desk, folder, reported
from services.models import RunRequest
from services.searches import LIKE_BLAST
from services.settings import HERE

PROTEINS = HERE / "workflows/sequence-search/example/swissprot_subset.fasta.gz"
READS = HERE / "workflows/reads-qc/example/gut16S_R1.fastq.gz"
CLEAR = 1e-10  # e-value under which a top hit is one
LOOSE = 1e-5  # e-value under which both list hits
EVERY = 5  # of so many sequences one is a query, the others are the database

Letters = dict[str, str]  # of each sequence, by its name
Tops = dict[str, set[str]]  # query → its best-scoring targets


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=1500, help="of each kind, at most")
    parser.add_argument("--blast", default="", help="folder of BLAST+'s programs")
    asked = parser.parse_args(arguments)
    path = os.pathsep.join(filter(None, [asked.blast, os.environ.get("PATH", "")]))
    if not all(shutil.which(name, path=path) for name in ("makeblastdb", "blastp", "blastn")):
        raise SystemExit("BLAST+ is not installed: makeblastdb, blastp and blastn are needed.")
    kinds = {"blastp": proteins(), "blastn": reads()}
    with (
        reported("Top hits, beside those of NCBI BLAST+"),
        folder() as place,
        desk(place, {}, max_runs="1") as stand,
    ):
        for program, found in kinds.items():
            data = dict(islice(found, asked.sequences))
            compare(stand, place / program, program, data, path)


def compare(stand: Desk, place: Path, program: str, data: Letters, path: str) -> None:
    """Search a part of the data in the rest of it both ways, and tell how often they agree."""
    queries = {name: data[name] for name in list(data)[::EVERY]}
    database = {name: letters for name, letters in data.items() if name not in queries}
    theirs = blast(place, program, queries, database, path)
    ours = searched(stand, program, queries, database)
    agreed = sum(1 for query, targets in theirs.items() if targets & ours.get(query, set()))
    share = f"{100 * agreed / len(theirs):.1f} %" if theirs else "none"
    print(
        f"  {program}: {len(queries)} queries, {len(database)} targets,"
        f" {len(theirs)} clear top hits; the same in {agreed} ({share})",
        flush=True,
    )


def blast(place: Path, program: str, queries: Letters, database: Letters, path: str) -> Tops:
    """The clear top hits of BLAST+."""
    place.mkdir()
    for name, sequences in (("queries", queries), ("database", database)):
        (place / f"{name}.fasta").write_text(fasta(sequences))
    kind = "prot" if program == "blastp" else "nucl"
    task = ["-task", "blastn"] if program == "blastn" else []  # word size 11, as at the desk
    environment = {**os.environ, "PATH": path}
    index = ["makeblastdb", "-in", "database.fasta", "-dbtype", kind, "-out", "database"]
    columns = "6 qseqid sseqid bitscore evalue"
    search = [program, *task, "-query", "queries.fasta", "-db", "database", "-outfmt", columns]
    search += ["-evalue", str(LOOSE), "-out", "hits.tsv"]
    for command in (index, search):
        subprocess.run(command, cwd=place, env=environment, check=True, stdout=subprocess.DEVNULL)
    with (place / "hits.tsv").open() as file:
        rows = [
            dict(zip(("query", "target", "bits", "evalue"), line, strict=True))
            for line in csv.reader(file, delimiter="\t")
        ]
    clear = {row["query"] for row in rows if float(row["evalue"]) < CLEAR}
    return {query: targets for query, targets in tops(rows).items() if query in clear}


def searched(stand: Desk, program: str, queries: Letters, database: Letters) -> Tops:
    """The top hits of the desk."""
    files = {
        name: stand.services.files.register(
            ME, f"{name}.fasta", io.BytesIO(fasta(sequences).encode())
        ).id
        for name, sequences in (("queries", queries), ("database", database))
    }
    params = {**files, "program": program, "evalue": LOOSE, **LIKE_BLAST}
    request = RunRequest(workflow="sequence-search", params=params)
    run = stand.completed(stand.services.runs.submit(ME, request).id)
    with stand.services.results.path(ME, run.id, "results/hits.tsv").open() as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return tops({**row, "bits": row["bit_score"]} for row in rows)


def tops(rows: Iterable[Mapping[str, str]]) -> Tops:
    """The best-scoring targets of each query."""
    best: dict[str, tuple[float, set[str]]] = {}
    for row in rows:
        bits, query = float(row["bits"]), row["query"]
        most, targets = best.get(query, (0.0, set()))
        if bits > most:
            best[query] = bits, {row["target"]}
        elif bits == most:
            targets.add(row["target"])
    return {query: targets for query, (_, targets) in best.items()}


def proteins() -> Iterator[tuple[str, str]]:
    """Name and letters of each protein."""
    with gzip.open(PROTEINS, "rt") as file:
        for entry in file.read().removeprefix(">").split("\n>"):
            head, *lines = entry.splitlines()
            yield head.split()[0].replace("|", "_"), "".join(lines)


def reads() -> Iterator[tuple[str, str]]:
    """Number and letters of each read."""
    with gzip.open(READS, "rt") as file:
        for number, line in enumerate(islice(file, 1, None, 4)):
            yield f"r{number}", line.strip()


def fasta(sequences: Letters) -> str:
    return "".join(f">{name}\n{letters}\n" for name, letters in sequences.items())


if __name__ == "__main__":
    main()
