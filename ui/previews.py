"""A look into a result or a file without leaving the page."""

from __future__ import annotations

import gzip
import json
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
import streamlit as st

from services.models import Result
from ui.look import printable, size

ROWS = 1000  # of a table
TEXT = 65536  # bytes of a text
JSON = 1_000_000  # bytes up to which JSON is shown as a tree
IMAGE = 20_000_000  # bytes up to which an image is shown
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


def draw(result: Result, path: Path, url: str = "") -> None:
    """Show `result`, whose bytes are at `path`.

    Its own name says what it is. A report is shown if the API serves it for framing at `url`.
    """
    name = PurePosixPath(result.path).name.lower()
    suffix = PurePosixPath(name).suffix
    if url and result.kind == "report" and suffix in {".html", ".htm"}:
        st.iframe(url, height=FRAME, alt=result.title or result.path)
    elif result.kind == "table" and name.endswith((".tsv", ".csv", ".tsv.gz", ".csv.gz")):
        _table(path, name)
    elif suffix in IMAGES and result.size <= IMAGE:
        st.image(path.read_bytes() if suffix != ".svg" else _svg(path), width="content")
    elif suffix == ".json" and result.size <= JSON:
        _json(path)
    elif result.kind in TEXTS:
        _text(path, name)
    else:
        st.caption("There is no preview for this kind of file.")


def _table(path: Path, name: str) -> None:
    """The first ROWS rows."""
    separator = "," if ".csv" in name else "\t"
    packing: Any = "gzip" if name.endswith(".gz") else None
    try:
        frame = pd.read_csv(
            path, sep=separator, compression=packing, nrows=ROWS + 1, low_memory=False
        )
    except (ValueError, OSError, EOFError):  # the parsers' errors are ValueErrors
        _text(path, name)
        return
    frame.columns = [str(column) for column in frame.columns]
    height = "content" if len(frame) <= 8 else 320
    st.dataframe(
        frame.head(ROWS),
        hide_index=True,
        height=height,
        row_height=32,
        placeholder="–",
        alt=f"Rows of {name}",
        column_config=_formats(frame),
    )
    if len(frame) > ROWS:
        st.caption(f"The first {ROWS:,} rows; download the file for all of them.")


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
