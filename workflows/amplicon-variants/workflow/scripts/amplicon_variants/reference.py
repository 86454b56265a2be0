"""Checks and normalization of the reference: uncompressed, upper case, U replaced by T."""

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

LINE = 60  # letters
LETTERS = re.compile(r"[ACGTUNRYSWKMBDHV]+")
NAME = re.compile(r"[0-9A-Za-z!#$%&+./:;?@^_|~-][0-9A-Za-z!#$%&*+./:;=?@^_|~-]*")  # SAM, 1.2.1


class ReferenceProblem(Exception):
    """The reference cannot be used. The message names the sequence and the reason."""


def write_reference(source: str, target: TextIO) -> dict[str, int]:
    """Write the sequences of `source` and return their lengths by name. Raises ReferenceProblem."""
    lengths: dict[str, int] = {}
    file = Path(source).name
    try:
        for name, letters in sequences(source):
            check(file, name, letters, lengths)
            lengths[name] = len(letters)
            target.write(f">{name}\n")
            target.writelines(f"{letters[at : at + LINE]}\n" for at in range(0, len(letters), LINE))
    except UnicodeDecodeError:
        raise ReferenceProblem(f"{file} is not a FASTA file.") from None
    except (EOFError, OSError, zlib.error):
        raise ReferenceProblem(
            f"{file} is damaged: its gzip data are truncated or corrupt. Upload it again."
        ) from None
    if not lengths:
        raise ReferenceProblem(f"{file} contains no sequences.")
    return lengths


def check(file: str, name: str, letters: str, known: dict[str, int]) -> None:
    if not NAME.fullmatch(name):
        raise ReferenceProblem(
            f"The name of sequence {len(known) + 1} in {file} is missing or not allowed in SAM."
        )
    if name in known:
        raise ReferenceProblem(f"The sequence name {name} occurs twice in {file}.")
    if not letters:
        raise ReferenceProblem(f"Sequence {name} in {file} is empty.")
    if not LETTERS.fullmatch(letters):
        wrong = next(letter for letter in letters if not LETTERS.match(letter))
        raise ReferenceProblem(
            f"Sequence {name} in {file} contains {wrong!r}, which is not a nucleotide."
        )


def sequences(source: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the letters of each sequence, with U replaced by T."""
    with open_text(source) as stream:
        name, parts = None, []
        for line in stream:
            if line.startswith(">"):
                if name is not None:
                    yield name, "".join(parts)
                name, parts = (line[1:].split() or [""])[0], []
            elif name is None and line.strip():
                raise ReferenceProblem(f"{Path(source).name} is not a FASTA file.")
            else:
                parts.append("".join(line.split()).upper().replace("U", "T"))
        if name is not None:
            yield name, "".join(parts)


def open_text(source: str) -> TextIO:
    with open(source, "rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return gzip.open(source, "rt", encoding="utf-8") if packed else open(source, encoding="utf-8")
