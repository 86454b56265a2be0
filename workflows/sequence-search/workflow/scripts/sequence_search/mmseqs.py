"""Command lines of MMseqs2 and their execution."""

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

from sequence_search.fasta import PROTEIN
from sequence_search.plan import PROGRAMS, Plan
from sequence_search.prepare import MAX_NUCLEOTIDES

DATABASE_TYPES = {PROTEIN: "1"}
NUCLEOTIDE_DATABASE = "2"
DATABASE = "sequences"  # prefix of the file names of a database
UNGAPPED = "1"  # compares all sequences, not only those that share k-mers
STRANDS = {"minus": "0", "plus": "1", "both": "2"}

# All other values are computed from these columns, because MMseqs2 counts identities, positives and
# frames differently in each type of search.
RAW_COLUMNS = "query,target,qstart,qend,tstart,tend,evalue,bits,qaln,taln"


class SearchFailed(RuntimeError):
    """MMseqs2 failed."""


def createdb_command(binary: str, fasta: str | Path, database: str | Path, kind: str) -> list[str]:
    # The type is set because MMseqs2 may guess it wrong for a part with a single unusual peptide.
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
    """Return `mmseqs createindex` for protein searches with exactly these settings.

    An index for a higher sensitivity would find more hits than a search without an index.
    """
    return [
        *[binary, "createindex", str(database), str(scratch), "-s", str(sensitivity)],
        *["--mask", str(int(masked)), "--threads", str(threads)],
    ]


def link_database(folder: Path, files: Iterable[str]) -> Path:
    """Link the non-empty files of a database into one folder and return its path there."""
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
    """Return `mmseqs search` with alignments. `hits` filters by identity and coverage later."""
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
            *["--max-seq-len", str(MAX_NUCLEOTIDES)],
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
    """Run `command` with its output in the log. Raises SearchFailed if it fails."""
    log.write(f"$ {' '.join(command)}\n")
    log.flush()
    try:
        code = subprocess.call(command, stdout=log, stderr=subprocess.STDOUT)
    except OSError as error:
        raise SearchFailed(f"MMseqs2 could not be started: {error}.") from error
    if code:
        raise SearchFailed(f"MMseqs2 failed in '{command[1]}' with exit code {code}.")


def version(binary: str) -> str:
    """Return the version of the binary, as a release name if its Python package has one.

    Raises SearchFailed if MMseqs2 does not start.
    """
    try:
        done = subprocess.run([binary, "version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SearchFailed(f"MMseqs2 could not be started: {error}.") from error
    return release_name(done.stdout.strip(), Path(binary).parent.parent / "mmseqs_version.py")


def release_name(reported: str, pin: Path) -> str:
    """Return `18-8cc5c` for the commit `8cc5ce36…` if the package pins it, else as reported."""
    if pin.is_file():
        named = re.search(r'MMSEQS_VERSION = "(\w+-(\w+))"', pin.read_text())
        if named and reported.startswith(named[2]):
            return named[1]
    return reported


def fail(problem: Exception, log: TextIO) -> None:
    """Write the problem to the end of the log and to standard error, and exit with code 1."""
    log.write(f"{problem}\n")
    log.flush()
    print(problem, file=sys.stderr)
    sys.exit(1)
