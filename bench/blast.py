"""How often a search with sequence-search finds the same top hit as NCBI BLAST+.

Uses real data, a fifth of it as queries: proteins of a Swiss-Prot subset against the others
(blastp), 16S amplicon reads against the others of the sample (blastn), pieces of a bacterial genome
against the others (tblastx); all pieces against the proteins (blastx), and all proteins against the
pieces (tblastn). Counted are the queries whose best hit has an e-value below 1e-10 in BLAST+. The
searches agree on a query if their sets of best-scoring targets overlap.

Rundesk searches with the defaults of the workflow. Needs `makeblastdb` and BLAST+'s programs
(Debian: ncbi-blast+) on the PATH or in `--blast`, and for the last three a genome (Debian:
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
PIECE_LENGTH = 1500  # nucleotides, longer than most bacterial genes
TOP_HIT_EVALUE = 1e-10  # a top hit has a lower e-value
MAX_EVALUE = 1e-5  # of the hits that both report
PARTS = 5  # of the sequences; one part are the queries, the others the database

PROTEIN_TARGETS = frozenset({"blastp", "blastx"})

Letters = dict[str, str]  # of each sequence, by its name
Tops = dict[str, set[str]]  # query → its best-scoring targets


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=1500, help="maximum of each set")
    parser.add_argument("--blast", default="", help="folder of the BLAST+ programs")
    parser.add_argument("--genome", type=Path, default=GENOME)
    parser.add_argument("--programs", default="blastp,blastn,blastx,tblastn,tblastx")
    parser.add_argument("--part", type=int, default=0, help="which fifth is the queries, 0 to 4")
    options = parser.parse_args(arguments)
    path = os.pathsep.join(filter(None, [options.blast, os.environ.get("PATH", "")]))
    programs = options.programs.split(",")
    missing = [name for name in ("makeblastdb", *programs) if not shutil.which(name, path=path)]
    if missing:
        raise SystemExit(f"Install BLAST+: {', '.join(missing)} not found on the PATH.")
    if not options.genome.is_file() and {"blastx", "tblastn", "tblastx"} & set(programs):
        raise SystemExit(f"{options.genome} does not exist; name a genome with --genome.")
    with (
        reported("Top hits compared with NCBI BLAST+"),
        folder() as place,
        desk(place, {}, max_runs="1") as stand,
    ):
        for program in programs:
            queries, database = data(program, options.sequences, options.genome, options.part)
            compare(stand, place / program, program, queries, database, path)


def data(program: str, most: int, genome: Path, part: int) -> tuple[Letters, Letters]:
    """Return the queries and the database for a program."""
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
    queries = {name: sequences[name] for name in list(sequences)[part::PARTS]}
    return queries, {name: of for name, of in sequences.items() if name not in queries}


def compare(
    stand: Desk, place: Path, program: str, queries: Letters, database: Letters, path: str
) -> None:
    """Search with both, and print how often they agree."""
    theirs = blast(place, program, queries, database, path)
    ours = searched(stand, program, queries, database)
    agreed = sum(1 for query, targets in theirs.items() if targets & ours.get(query, set()))
    missed = len(theirs.keys() - ours.keys())
    share = f"{100 * agreed / len(theirs):.1f} %" if theirs else "none"
    print(
        f"  {program}: {len(queries)} queries, {len(database)} targets,"
        f" {len(theirs)} top hits; {agreed} the same ({share}),"
        f" {len(theirs) - agreed - missed} different, {missed} missing",
        flush=True,
    )


def blast(place: Path, program: str, queries: Letters, database: Letters, path: str) -> Tops:
    """Return the top hits of BLAST+."""
    place.mkdir()
    for name, sequences in (("queries", queries), ("database", database)):
        (place / f"{name}.fasta").write_text(fasta(sequences))
    kind = "prot" if program in PROTEIN_TARGETS else "nucl"
    task = ["-task", "blastn"] if program == "blastn" else []  # word size 11, like sequence-search
    environment = {**os.environ, "PATH": path}
    index = ["makeblastdb", "-in", "database.fasta", "-dbtype", kind, "-out", "database"]
    columns = "6 qseqid sseqid bitscore evalue"
    search = [program, *task, "-query", "queries.fasta", "-db", "database", "-outfmt", columns]
    search += ["-evalue", str(MAX_EVALUE), "-out", "hits.tsv"]
    for command in (index, search):
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
    with (place / "hits.tsv").open() as file:
        rows = [
            dict(zip(("query", "target", "bits", "evalue"), line, strict=True))
            for line in csv.reader(file, delimiter="\t")
        ]
    clear = {row["query"] for row in rows if float(row["evalue"]) < TOP_HIT_EVALUE}
    return {query: targets for query, targets in tops(rows).items() if query in clear}


def searched(stand: Desk, program: str, queries: Letters, database: Letters) -> Tops:
    """Return the top hits of sequence-search."""
    files = {
        name: stand.services.files.register(
            ME, f"{name}.fasta", io.BytesIO(fasta(sequences).encode())
        ).id
        for name, sequences in (("queries", queries), ("database", database))
    }
    params = {**files, "program": program, "evalue": MAX_EVALUE}
    request = RunRequest(workflow="sequence-search", params=params)
    run = stand.completed(stand.services.runs.submit(ME, request).id)
    with stand.services.results.path(ME, run.id, "results/hits.tsv").open() as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return tops({**row, "bits": row["bit_score"]} for row in rows)


def tops(rows: Iterable[Mapping[str, str]]) -> Tops:
    """Return the best-scoring targets of each query."""
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
    """Yield the name and the letters of each protein."""
    with gzip.open(PROTEINS, "rt") as file:
        for entry in file.read().removeprefix(">").split("\n>"):
            head, *lines = entry.splitlines()
            yield head.split()[0].replace("|", "_"), "".join(lines)


def reads() -> Iterator[tuple[str, str]]:
    """Yield the number and the letters of each read."""
    with gzip.open(READS, "rt") as file:
        for number, line in enumerate(islice(file, 1, None, 4)):
            yield f"r{number}", line.strip()


def pieces(genome: Path) -> Iterator[tuple[str, str]]:
    """Yield the number and the letters of each piece of the first sequence."""
    with lzma.open(genome, "rt") as file:
        letters = "".join(file.read().split(">")[1].splitlines()[1:])
    for start in range(0, len(letters) - PIECE_LENGTH, PIECE_LENGTH):
        yield f"g{start + 1}", letters[start : start + PIECE_LENGTH]


def fasta(sequences: Letters) -> str:
    return "".join(f">{name}\n{letters}\n" for name, letters in sequences.items())


if __name__ == "__main__":
    main()
