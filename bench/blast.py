"""How often a search at the desk names the same top hit as NCBI BLAST+ does.

Real data, a fifth of it as queries: proteins of a Swiss-Prot subset against the rest of it
(blastp), 16S amplicon reads against others of the sample (blastn), pieces of a bacterial genome
against the others (tblastx); and all pieces against the proteins (blastx), all proteins against the
pieces (tblastn). Of the queries whose best hit BLAST+ gives an e-value under 1e-10, those agree for
which the best-scoring targets of both have one in common: ties agree.

The desk searches with the defaults of its form. Needs `makeblastdb` and BLAST+'s programs (Debian:
ncbi-blast+) on the PATH or in `--blast`, and for the last three a genome (Debian:
kleborate-examples), FASTA in xz.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import lzma
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from bench.stand import ME, Desk, desk, folder, reported
from services.models import RunRequest
from services.settings import HERE

PROTEINS = HERE / "workflows/sequence-search/example/swissprot_subset.fasta.gz"
READS = HERE / "workflows/reads-qc/example/gut16S_R1.fastq.gz"
GENOME = Path("/usr/share/doc/kleborate/examples/data/MGH78578.fna.xz")  # K. pneumoniae
PIECE = 1500  # nucleotides, more than most genes of bacteria
CLEAR = 1e-10  # e-value under which a top hit is one
LOOSE = 1e-5  # e-value under which both list hits
EVERY = 5  # of so many sequences one is a query, the others are the database

PROTEIN_TARGETS = frozenset({"blastp", "blastx"})

Letters = dict[str, str]  # of each sequence, by its name
Tops = dict[str, set[str]]  # query → its best-scoring targets


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=1500, help="of each kind, at most")
    parser.add_argument("--blast", default="", help="folder of BLAST+'s programs")
    parser.add_argument("--genome", type=Path, default=GENOME)
    parser.add_argument("--programs", default="blastp,blastn,blastx,tblastn,tblastx")
    parser.add_argument("--part", type=int, default=0, help="which fifth are queries, 0 to 4")
    asked = parser.parse_args(arguments)
    path = os.pathsep.join(filter(None, [asked.blast, os.environ.get("PATH", "")]))
    wanted = asked.programs.split(",")
    lacking = [name for name in ("makeblastdb", *wanted) if not shutil.which(name, path=path)]
    if lacking:
        raise SystemExit(f"BLAST+ is not installed: {', '.join(lacking)} are needed.")
    if not asked.genome.is_file() and {"blastx", "tblastn", "tblastx"} & set(wanted):
        raise SystemExit(f"There is no {asked.genome}: name a genome by --genome.")
    with (
        reported("Top hits, beside those of NCBI BLAST+"),
        folder() as place,
        desk(place, {}, max_runs="1") as stand,
    ):
        for program in wanted:
            queries, database = data(program, asked.sequences, asked.genome, asked.part)
            compare(stand, place / program, program, queries, database, path)


def data(program: str, most: int, genome: Path, part: int) -> tuple[Letters, Letters]:
    """Queries and database for one program."""
    match program:
        case "blastp":
            return divided(dict(islice(proteins(), most)), part)
        case "blastn":
            return divided(dict(islice(reads(), most)), part)
        case "blastx":
            return dict(islice(pieces(genome), most)), dict(islice(proteins(), most))
        case "tblastn":
            return dict(islice(proteins(), most)), dict(islice(pieces(genome), most))
    return divided(dict(islice(pieces(genome), most)), part)


def divided(sequences: Letters, part: int) -> tuple[Letters, Letters]:
    queries = {name: sequences[name] for name in list(sequences)[part::EVERY]}
    return queries, {name: of for name, of in sequences.items() if name not in queries}


def compare(
    stand: Desk, place: Path, program: str, queries: Letters, database: Letters, path: str
) -> None:
    """Search both ways, and tell how often they agree."""
    theirs = blast(place, program, queries, database, path)
    ours = searched(stand, program, queries, database)
    agreed = sum(1 for query, targets in theirs.items() if targets & ours.get(query, set()))
    missed = len(theirs.keys() - ours.keys())
    share = f"{100 * agreed / len(theirs):.1f} %" if theirs else "none"
    print(
        f"  {program}: {len(queries)} queries, {len(database)} targets,"
        f" {len(theirs)} clear top hits; the same in {agreed} ({share}),"
        f" another in {len(theirs) - agreed - missed}, none in {missed}",
        flush=True,
    )


def blast(place: Path, program: str, queries: Letters, database: Letters, path: str) -> Tops:
    """The clear top hits of BLAST+."""
    place.mkdir()
    for name, sequences in (("queries", queries), ("database", database)):
        (place / f"{name}.fasta").write_text(fasta(sequences))
    kind = "prot" if program in PROTEIN_TARGETS else "nucl"
    task = ["-task", "blastn"] if program == "blastn" else []  # word size 11, as at the desk
    environment = {**os.environ, "PATH": path}
    index = ["makeblastdb", "-in", "database.fasta", "-dbtype", kind, "-out", "database"]
    columns = "6 qseqid sseqid bitscore evalue"
    search = [program, *task, "-query", "queries.fasta", "-db", "database", "-outfmt", columns]
    search += ["-evalue", str(LOOSE), "-out", "hits.tsv"]
    for command in (index, search):
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
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
    params = {**files, "program": program, "evalue": LOOSE}
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


def pieces(genome: Path) -> Iterator[tuple[str, str]]:
    """Number and letters of each piece of the first sequence."""
    with lzma.open(genome, "rt") as file:
        letters = "".join(file.read().split(">")[1].splitlines()[1:])
    for start in range(0, len(letters) - PIECE, PIECE):
        yield f"g{start + 1}", letters[start : start + PIECE]


def fasta(sequences: Letters) -> str:
    return "".join(f">{name}\n{letters}\n" for name, letters in sequences.items())


if __name__ == "__main__":
    main()
