"""Previews of results and files on a page."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import pandas as pd
import streamlit as st

from services.models import Result
from ui.formatting import amount, plural, printable, size

MAX_ROWS = 1000  # of a table that are shown
MAX_UNSCROLLED_ROWS = 8  # a longer table has a filter and scrolls
CHUNK_ROWS, MAX_SEARCHED_ROWS = 20_000, 500_000  # of a filtered table
MAX_TEXT_BYTES = 65536
MAX_JSON_BYTES = 1_000_000  # larger JSON is shown as text
MAX_IMAGE_BYTES = 20_000_000  # of an image that the portal sends itself
MIN_DECIMAL = 1e-4  # smaller numbers are shown in scientific notation
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
FRAME_HEIGHT_PX = 760
ASSETS = Path(__file__).parents[1] / "assets" / "viewer"

_viewer = st.components.v2.component(
    "rundesk_viewer",
    html=(ASSETS / "box.html").read_text(encoding="utf-8"),
    css=(ASSETS / "style.css").read_text(encoding="utf-8"),
    js=(ASSETS / "view.js").read_text(encoding="utf-8"),
)


def draw(result: Result, path: Path, place: str, url: str = "") -> None:
    """Show the file at `path`; the suffix of its name and its kind decide how.

    `place` makes the keys of the widgets unique. `url` is where the API serves the file for
    display; reports and PDF files need it, images use it if there is one.
    """
    name = PurePosixPath(result.path).name.lower()
    suffix = PurePosixPath(name).suffix
    if url and suffix in {".pdf", *IMAGES}:
        data = {"url": url, "title": result.title or result.path, "pdf": suffix == ".pdf"}
        _viewer(key=f"view-{place}", data=data)
    elif url and result.kind == "report" and suffix in {".html", ".htm"}:
        st.iframe(url, height=FRAME_HEIGHT_PX, alt=result.title or result.path)
    elif result.kind == "table" and name.endswith((".tsv", ".csv", ".tsv.gz", ".csv.gz")):
        _table(path, name, place)
    elif name.endswith((".vcf", ".vcf.gz")):
        _variants(path, name, place)
    elif suffix in IMAGES and result.size <= MAX_IMAGE_BYTES:
        st.image(path.read_bytes() if suffix != ".svg" else _svg(path), width="content")
    elif suffix == ".json" and result.size <= MAX_JSON_BYTES:
        _json(path)
    elif result.kind in TEXTS:
        _text(path, name)
    else:
        st.caption("No preview is available for this type of file.")


def _table(path: Path, name: str, place: str, lines: int = 0) -> None:
    """Show the first rows of a table, or those that match a filter; skip some `lines` before it."""
    try:
        frame = next(_chunks(path, name, lines, MAX_ROWS + 1))
        words = "" if len(frame) <= MAX_UNSCROLLED_ROWS else _filter(place)
        frame, complete = _matching(words, path, name, lines) if words else (frame, True)
    except (ValueError, OSError, EOFError, StopIteration):  # errors of the parser are ValueErrors
        _text(path, name)
        return
    frame.columns = [str(column) for column in frame.columns]
    st.dataframe(
        frame.head(MAX_ROWS),
        hide_index=True,
        height="content" if len(frame) <= MAX_UNSCROLLED_ROWS else 320,
        row_height=32,
        placeholder="–",
        alt=f"Rows of {name}",
        column_config=_formats(frame),
    )
    if words:
        st.caption(_matches(len(frame), complete))
    elif len(frame) > MAX_ROWS:
        st.caption(f"Showing the first {MAX_ROWS:,} rows. Download the file to get all rows.")


def _matches(count: int, complete: bool) -> str:
    """Return a sentence on how many rows match; not `complete`: the rest was not searched."""
    if count > MAX_ROWS:
        return f"More than {MAX_ROWS:,} matching rows. The first {MAX_ROWS:,} are shown."
    if complete:
        return plural(count, "1 matching row.", "{count} matching rows.")
    return plural(
        count,
        "1 matching row in the first {searched} rows.",
        "{count} matching rows in the first {searched} rows.",
        searched=f"{MAX_SEARCHED_ROWS:,}",
    )


def _filter(place: str) -> str:
    """Draw the filter of a table; return its text."""
    words = st.text_input(
        "Filter rows",
        key=f"filter-{place}",
        type="search",
        max_chars=200,
        placeholder="Filter rows…",
        icon=":material/filter_list:",
        label_visibility="collapsed",
        width=300,
    )
    return (words or "").strip()


def _chunks(path: Path, name: str, lines: int, size: int) -> Iterator[pd.DataFrame]:
    """Yield the rows of a table, `size` at a time."""
    compression: Literal["gzip"] | None = "gzip" if name.endswith(".gz") else None
    with pd.read_csv(
        path,
        sep="," if ".csv" in name else "\t",
        compression=compression,
        skiprows=lines,
        chunksize=size,
        low_memory=False,
    ) as reader:
        yield from reader


def _matching(words: str, path: Path, name: str, lines: int) -> tuple[pd.DataFrame, bool]:
    """Return the rows with these words in a cell, and False if the rest was not searched.

    The search stops after MAX_ROWS matching rows or MAX_SEARCHED_ROWS rows.
    """
    matching: list[pd.DataFrame] = []
    for number, chunk in enumerate(_chunks(path, name, lines, CHUNK_ROWS), 1):
        cells = chunk.astype(str)
        hits = cells.apply(lambda column: column.str.contains(words, case=False, regex=False))
        matching.append(chunk[hits.any(axis=1)])
        if sum(map(len, matching)) > MAX_ROWS:
            return pd.concat(matching), True
        if number * CHUNK_ROWS >= MAX_SEARCHED_ROWS:
            return pd.concat(matching), False
    return pd.concat(matching), True


def _variants(path: Path, name: str, place: str) -> None:
    """Show the records of a VCF file as a table, and its header in an expander."""
    header: list[bytes] = []
    with gzip.open(path) if name.endswith(".gz") else path.open("rb") as file:
        try:
            for line in file:
                if not line.startswith(b"##"):
                    break
                header.append(line)
            else:
                header = []  # a file of header lines only is shown as text
        except (OSError, EOFError):
            header = []
    if not header:
        _text(path, name)
        return
    _table(path, name, place, len(header))
    with st.expander(f"Header ({amount(len(header), 'line')})"):
        text = b"".join(header)[:MAX_TEXT_BYTES].decode("utf-8", "replace")
        st.code(printable(text), language=None, wrap_lines=True, height=260)


def _formats(frame: pd.DataFrame) -> dict[str, Any]:
    """Return a scientific format for the columns with very small numbers, such as E-values."""
    tiny = [
        name
        for name in frame.select_dtypes("floating").columns
        if ((frame[name] != 0) & (frame[name].abs() < MIN_DECIMAL)).any()
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
    """Show the first MAX_TEXT_BYTES of a file."""
    with gzip.open(path) if name.endswith(".gz") else path.open("rb") as file:
        try:
            head = file.read(MAX_TEXT_BYTES + 1)
        except (OSError, EOFError):
            head = b"\0"
    if b"\0" in head:
        st.caption("This file cannot be read as text.")
        return
    tall = head.count(b"\n") > 14 or len(head) > 2000
    with st.container(height=320 if tall else "content", border=False):
        text = printable(head[:MAX_TEXT_BYTES].decode("utf-8", "replace")) or " "
        st.code(text, language=None, wrap_lines=True)
    if len(head) > MAX_TEXT_BYTES:
        st.caption(f"Showing the first {size(MAX_TEXT_BYTES)}. Download the file to get all of it.")


def _svg(path: Path) -> str:
    """Return the source of an SVG file; as an image it runs no scripts and loads nothing."""
    return path.read_text("utf-8", "replace")
