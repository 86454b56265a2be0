"""Command lines of MMseqs2, and running them."""

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from sequence_search.fasta import PROTEIN
from sequence_search.plan import PROGRAMS, Plan
from sequence_search.prepare import LONGEST_NUCLEOTIDE

DATABASE_TYPES = {PROTEIN: "1"}
NUCLEOTIDE_DATABASE = "2"
DATABASE = "sequences"  # with what the names of the files of a database begin
UNGAPPED = "1"  # each query against every sequence, instead of those that share k-mers
STRANDS = {"minus": "0", "plus": "1", "both": "2"}

# All other figures are computed from these: MMseqs2 counts identities, positives and frames
# differently from program to program.
RAW_COLUMNS = "query,target,qstart,qend,tstart,tend,evalue,bits,qaln,taln"


class SearchFailed(RuntimeError):
    """MMseqs2 ended with an error."""


def createdb_command(binary: str, fasta: str | Path, database: str | Path, kind: str) -> list[str]:
    # The type is given, never guessed by MMseqs2: a part may hold a single odd peptide.
    dbtype = DATABASE_TYPES.get(kind, NUCLEOTIDE_DATABASE)
    return [binary, "createdb", str(fasta), str(database), "--dbtype", dbtype, "--shuffle", "0"]


def index_command(
    binary: str,
    database: Path,
    scratch: Path,
    *,
    sensitivity: float,
    masked: bool,
    threads: int,
) -> list[str]:
    """`mmseqs createindex` for protein searches of exactly these settings.

    A table made for a higher sensitivity would find more than a search without one does.
    """
    return [
        *[binary, "createindex", str(database), str(scratch), "-s", str(sensitivity)],
        *["--mask", str(int(masked)), "--threads", str(threads)],
    ]


def gathered(folder: Path, files: Iterable[str]) -> Path:
    """The database whose `files` lie in several folders, in one; those that are empty left out."""
    folder.mkdir()
    for file in map(Path, files):
        if file.name.startswith(DATABASE) and file.stat().st_size:
            (folder / file.name).symlink_to(file.resolve())
    return folder / DATABASE


def search_command(
    binary: str,
    plan: Plan,
    queries: Path,
    database: Path,
    result: Path,
    scratch: Path,
    threads: int,
) -> list[str]:
    """`mmseqs search` with alignments. Identity and coverage are filtered later, see `hits`."""
    settings = plan.settings
    candidates = max(settings["prefilter_hits"], settings["max_hits"])
    return [
        *[binary, "search", str(queries), str(database), str(result), str(scratch)],
        *["--search-type", str(PROGRAMS[plan.program].search_type), "-a", "1"],
        *["-e", str(settings["evalue"]), "--max-seqs", str(candidates)],
        *["--mask", str(int(settings["mask_low_complexity"])), "--threads", str(threads)],
        *program_options(plan),
    ]


def program_options(plan: Plan) -> list[str]:
    settings = plan.settings
    if plan.program == "blastn":
        return [
            *["--strand", STRANDS[settings["strand"]], "-k", str(settings["word_size"])],
            *["--max-seq-len", str(LONGEST_NUCLEOTIDE)],
        ]
    options = ["-s", str(settings["sensitivity"])]
    if plan.exhaustive:
        options += ["--prefilter-mode", UNGAPPED]
    if PROGRAMS[plan.program].translated:
        options += ["--translation-table", str(settings["genetic_code"])]
        options += ["--min-length", str(settings["min_orf_codons"])]
    return options


def convert_command(
    binary: str, plan: Plan, queries: Path, database: Path, result: Path, table: Path, threads: int
) -> list[str]:
    return [
        *[binary, "convertalis", str(queries), str(database), str(result), str(table)],
        *["--search-type", str(PROGRAMS[plan.program].search_type)],
        *["--translation-table", str(plan.settings["genetic_code"])],
        *["--format-output", RAW_COLUMNS, "--threads", str(threads)],
    ]


def run(command: list[str], log: TextIO) -> None:
    """Runs `command` with its output in the log. Raises SearchFailed when it does not succeed."""
    log.write(f"$ {' '.join(command)}\n")
    log.flush()
    try:
        code = subprocess.call(command, stdout=log, stderr=subprocess.STDOUT)
    except OSError as error:
        raise SearchFailed(f"MMseqs2 could not be started: {error}.") from error
    if code:
        raise SearchFailed(f"MMseqs2 could not finish '{command[1]}' (exit code {code}).")


def version(binary: str) -> str:
    """What the binary calls itself, as a release name where the package beside it tells one."""
    try:
        asked = subprocess.run([binary, "version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SearchFailed(f"MMseqs2 could not be started: {error}.") from error
    return release_name(asked.stdout.strip(), Path(binary).parent.parent / "mmseqs_version.py")


def release_name(reported: str, pin: Path) -> str:
    """`18-8cc5c` for the commit `8cc5ce36…` if the package's pin agrees, else as reported."""
    if pin.is_file():
        named = re.search(r'MMSEQS_VERSION = "(\w+-(\w+))"', pin.read_text())
        if named and reported.startswith(named[2]):
            return named[1]
    return reported


def fail(problem: Exception, log: TextIO) -> None:
    """Ends the job with one sentence, last in the log and on standard error."""
    log.write(f"{problem}\n")
    log.flush()
    print(problem, file=sys.stderr)
    sys.exit(1)
