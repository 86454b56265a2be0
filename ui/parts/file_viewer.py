"""A look into a result or a file without leaving the page."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
import streamlit as st

from services.models import Result
from ui.formatting import amount, printable, size

ROWS = 1000  # of a table that are shown
FEW = 8  # rows that need neither a filter nor a scroll bar
CHUNK, SEARCHED = 20_000, 500_000  # rows that are looked through at once, and in all
TEXT = 65536  # bytes of a text
JSON = 1_000_000  # bytes up to which JSON is shown as a tree
IMAGE = 20_000_000  # bytes up to which an image is shown that goes through the portal
SMALL = 1e-4  # below this a number is written in scientific notation
IMAGES = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg"}
TEXTS = {
    "alignment",
    "annotation",
    "fasta",
    "fastq",
    "json",
    "spectra",
    "table",
    "text",
    "variants",
}
FRAME = 760  # px
ASSETS = Path(__file__).parents[1] / "assets" / "viewer"

_viewer = st.components.v2.component(
    "rundesk_viewer",
    html=(ASSETS / "box.html").read_text(encoding="utf-8"),
    css=(ASSETS / "style.css").read_text(encoding="utf-8"),
    js=(ASSETS / "view.js").read_text(encoding="utf-8"),
)


def draw(result: Result, path: Path, place: str, url: str = "") -> None:
    """Show `result`, whose bytes are at `path`; `place` tells its widgets from those of others.

    Its own name says what it is. Reports and PDF are shown if the API serves them at `url`, for
    framing; pictures come from there too.
    """
    name = PurePosixPath(result.path).name.lower()
    suffix = PurePosixPath(name).suffix
    if url and suffix in {".pdf", *IMAGES}:
        told = {"url": url, "title": result.title or result.path, "pdf": suffix == ".pdf"}
        _viewer(key=f"view-{place}", data=told)
    elif url and result.kind == "report" and suffix in {".html", ".htm"}:
        st.iframe(url, height=FRAME, alt=result.title or result.path)
    elif result.kind == "table" and name.endswith((".tsv", ".csv", ".tsv.gz", ".csv.gz")):
        _table(path, name, place)
    elif name.endswith((".vcf", ".vcf.gz")):
        _variants(path, name, place)
    elif suffix in IMAGES and result.size <= IMAGE:
        st.image(path.read_bytes() if suffix != ".svg" else _svg(path), width="content")
    elif suffix == ".json" and result.size <= JSON:
        _json(path)
    elif result.kind in TEXTS:
        _text(path, name)
    else:
        st.caption("There is no preview for this kind of file.")


def _table(path: Path, name: str, place: str, lines: int = 0) -> None:
    """The rows after so many `lines`: the first ROWS, or those with the words asked for."""
    try:
        frame = next(_chunks(path, name, lines, ROWS + 1))
        few = len(frame) <= FEW
        words = "" if few else _words(place)
        frame, all_seen = _with(words, path, name, lines) if words else (frame, True)
    except (ValueError, OSError, EOFError, StopIteration):  # the parsers' errors are ValueErrors
        _text(path, name)
        return
    frame.columns = [str(column) for column in frame.columns]
    st.dataframe(
        frame.head(ROWS),
        hide_index=True,
        height="content" if len(frame) <= FEW else 320,
        row_height=32,
        placeholder="–",
        alt=f"Rows of {name}",
        column_config=_formats(frame),
    )
    if words:
        more = f", the first {ROWS:,} are shown" if len(frame) > ROWS else ""
        among = "" if all_seen else f" among the first {SEARCHED:,}"
        count = "More than " * bool(more) + amount(min(len(frame), ROWS), "row")
        st.caption(f"{count} with these words{among}{more}.")
    elif len(frame) > ROWS:
        st.caption(f"The first {ROWS:,} rows; download the file for all of them.")


def _words(place: str) -> str:
    """What rows are asked for."""
    words = st.text_input(
        "Filter rows",
        key=f"filter-{place}",
        type="search",
        max_chars=200,
        placeholder="Only rows with …",
        icon=":material/filter_list:",
        label_visibility="collapsed",
        width=300,
    )
    return (words or "").strip()


def _chunks(path: Path, name: str, lines: int, size: int) -> Iterator[pd.DataFrame]:
    """The rows of a table, `size` at a time."""
    packing: Any = "gzip" if name.endswith(".gz") else None
    with pd.read_csv(
        path,
        sep="," if ".csv" in name else "\t",
        compression=packing,
        skiprows=lines,
        chunksize=size,
        low_memory=False,
    ) as reader:
        yield from reader


def _with(words: str, path: Path, name: str, lines: int) -> tuple[pd.DataFrame, bool]:
    """Up to ROWS + 1 rows that have these words in a cell; whether no row was left out."""
    found: list[pd.DataFrame] = []
    for number, chunk in enumerate(_chunks(path, name, lines, CHUNK), 1):
        cells = chunk.astype(str)
        hit = cells.apply(lambda one: one.str.contains(words, case=False, regex=False)).any(axis=1)
        found.append(chunk[hit])
        if sum(map(len, found)) > ROWS:
            return pd.concat(found), True
        if number * CHUNK >= SEARCHED:
            return pd.concat(found), False
    return pd.concat(found), True


def _variants(path: Path, name: str, place: str) -> None:
    """The records of a VCF file as a table, its header folded."""
    header: list[bytes] = []
    with gzip.open(path) if name.endswith(".gz") else path.open("rb") as file:
        try:
            for line in file:
                if not line.startswith(b"##"):
                    break
                header.append(line)
            else:
                header = []  # and nothing else
        except (OSError, EOFError):
            header = []
    if not header:
        _text(path, name)
        return
    _table(path, name, place, len(header))
    with st.expander(f"Header, {amount(len(header), 'line')}"):
        text = b"".join(header)[:TEXT].decode("utf-8", "replace")
        st.code(printable(text), language=None, wrap_lines=True, height=260)


def _formats(frame: pd.DataFrame) -> dict[str, Any]:
    """Columns of very small numbers, as E-values are, in scientific notation."""
    tiny = [
        name
        for name in frame.select_dtypes("floating").columns
        if ((frame[name] != 0) & (frame[name].abs() < SMALL)).any()
    ]
    return {name: st.column_config.NumberColumn(format="scientific") for name in tiny}


def _json(path: Path) -> None:
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        _text(path, path.name)
    else:
        st.json(content, expanded=2)


def _text(path: Path, name: str) -> None:
    """The first TEXT bytes."""
    with gzip.open(path) if name.endswith(".gz") else path.open("rb") as file:
        try:
            head = file.read(TEXT + 1)
        except (OSError, EOFError):
            head = b"\0"
    if b"\0" in head:
        st.caption("This file cannot be read as text.")
        return
    tall = head.count(b"\n") > 14 or len(head) > 2000
    with st.container(height=320 if tall else "content", border=False):
        text = printable(head[:TEXT].decode("utf-8", "replace")) or " "
        st.code(text, language=None, wrap_lines=True)
    if len(head) > TEXT:
        st.caption(f"The first {size(TEXT)}; download the file for all of it.")


def _svg(path: Path) -> str:
    """Drawn as an image, in which nothing runs and nothing is fetched."""
    return path.read_text("utf-8", "replace")
