"""Lines of a FASTA file in any encoding; the workflows that read FASTA have identical copies."""

import gzip
import io
import re
from collections.abc import Iterator
from pathlib import Path

BYTE_ORDER_MARK = "\ufeff"
NOT_ASCII = re.compile(rb"[\x80-\xff]+")
COMMENT = ";"


def read_lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line, without blank lines and `;` comments.

    Reads plain and gzipped files (detected by content) with any line ends. Raises EOFError, OSError
    or zlib.error if the gzip data are damaged.
    """
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    # Latin-1 keeps every byte, so that line ends are found before the encoding is known.
    with (
        gzip.open(path, "rb") if packed else open(path, "rb") as source,
        io.TextIOWrapper(source, encoding="latin-1") as lines,
    ):
        for number, line in enumerate(lines, start=1):
            text = line if line.isascii() else decode(line.encode("latin-1"))
            text = text.strip().lstrip(BYTE_ORDER_MARK)
            if text and not text.startswith(COMMENT):
                yield number, text


def decode(line: bytes) -> str:
    """Return a line in UTF-8, GB18030 or Latin-1, whichever its bytes fit first.

    Chinese text in GB18030 has an even number of bytes above 127 in a row; in Latin-1, accented
    letters rarely stand next to each other.
    """
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        pass
    if all(len(part) % 2 == 0 for part in NOT_ASCII.findall(line)):
        try:
            return line.decode("gb18030")
        except UnicodeDecodeError:
            pass
    return line.decode("latin-1")


def printable(text: str) -> str:
    """Return `text` with control characters (tabs, Ctrl-A of NCBI) replaced by blanks."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
