"""Previews of results and files on a page.

Content of a file reaches Streamlit only as bytes, or as text of elements that cannot load anything:
`st.image` and others take text as a path or a URL. No preview ends in an error of the page.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import math
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any
from xml.parsers import expat

import streamlit as st
from PIL import Image

from services.errors import Invalid, Message, NotFound, RundeskError
from services.files import excerpts
from services.models import Result
from ui.formatting import plain, printable, sentences, size
from ui.parts import table_viewer

MAX_TEXT_BYTES = 65536
MAX_JSON_BYTES = 1_000_000  # larger JSON is shown as text
MAX_JSON_DEPTH = 100  # deeper JSON is shown as text
MAX_IMAGE_BYTES = 20_000_000  # a larger image is not checked, and not sent by the portal
MAX_IMAGE_PIXELS = 80_000_000
MAX_SVG_BYTES = 5_000_000  # of an SVG document that the portal sends itself
MAX_SAFE_INTEGER = 2**53 - 1  # of JavaScript
PDF_END_BYTES = 65536  # at the end of a PDF file; its end marker is within these
IMAGES = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg"}
IMAGE_FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
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

NO_PREVIEW = Message("unreadable_file", "No preview is available for this type of file.")
PREVIEW_FAILED = Message(
    "unreadable_file", "This file cannot be shown.", hint="Download the file to see its content."
)
DAMAGED_IMAGE = Message(
    "unreadable_file",
    "This image cannot be shown because it is damaged, or not a PNG, JPEG, GIF or WebP file.",
)
INVALID_SVG = Message(
    "unreadable_file", "This image cannot be shown because it is not a valid SVG document."
)
IMAGE_TOO_LARGE = Message(
    "file_too_large", "This image is too large to be shown.", hint="Download the file."
)
NOT_A_PDF = Message("unreadable_file", "This file cannot be shown because it is not a PDF file.")
INCOMPLETE_PDF = Message(
    "unreadable_file", "This PDF file cannot be shown because its end is missing."
)

log = logging.getLogger("rundesk.portal")
_viewer = st.components.v2.component(
    "rundesk_viewer",
    html=(ASSETS / "box.html").read_text(encoding="utf-8"),
    css=(ASSETS / "style.css").read_text(encoding="utf-8"),
    js=(ASSETS / "view.js").read_text(encoding="utf-8"),
)


def draw(result: Result, path: Path, place: str, url: str = "") -> None:
    """Show the file at `path`, or the reason why it cannot be shown; raises nothing.

    The suffix of its name and its kind decide how. `place` makes the keys of the widgets unique.
    `url` is where the API serves the file for display; reports and PDF files need it, images use it
    if there is one.
    """
    try:
        _draw(result, path, place, url)
    except (Invalid, NotFound) as error:
        _explain(error)
    except Exception:
        log.exception("The preview of %r failed", result.path)
        _explain(Invalid(PREVIEW_FAILED()))


def _draw(result: Result, path: Path, place: str, url: str) -> None:
    name = PurePosixPath(result.path).name.lower()
    suffix = PurePosixPath(name).suffix
    unpacked = PurePosixPath(excerpts.unpacked_name(name)).suffix
    if suffix in IMAGES:
        _image(result, path, place, url)
    elif url and suffix == ".pdf":
        _check_pdf(path)
        _browser_view(result, place, url)
    elif url and result.kind == "report" and suffix in {".html", ".htm"}:
        if not excerpts.read_bytes(path, 1):
            raise Invalid(excerpts.EMPTY())
        st.iframe(url, height=FRAME_HEIGHT_PX, alt=result.title or result.path)
    elif result.kind == "table" and unpacked in {".tsv", ".csv"}:
        _table_or_text(path, name, place)
    elif unpacked == ".vcf":
        _variants_or_text(path, name, place)
    elif suffix == ".json":
        _json_or_text(path, name)
    elif result.kind in TEXTS:
        _text(path, name)
    else:
        raise Invalid(NO_PREVIEW())


def _explain(error: RundeskError) -> None:
    st.caption(plain(sentences(error.message, error.hint)))


def _browser_view(result: Result, place: str, url: str) -> None:
    """Show a PDF file or an image that the browser loads from `url`."""
    pdf = result.path.lower().endswith(".pdf")
    data = {"url": url, "title": result.title or result.path, "pdf": pdf}
    _viewer(key=f"view-{place}", data=data)


# ---- images and PDF -----------------------------------------------------------------------------


def _image(result: Result, path: Path, place: str, url: str) -> None:
    svg = result.path.lower().endswith(".svg")
    head = excerpts.read_bytes(path, 1)
    if not head:
        raise Invalid(excerpts.EMPTY())
    known = path.stat()
    if known.st_size <= MAX_IMAGE_BYTES:
        problem = _image_problem(path, svg, known.st_mtime_ns, known.st_size)
        if problem is not None:
            raise Invalid(problem())
    if url:
        _browser_view(result, place, url)
    elif svg:
        content = _content(path, MAX_SVG_BYTES)
        # as an image it runs no scripts and loads nothing
        data = base64.b64encode(content).decode()
        _browser_view(result, place, f"data:image/svg+xml;base64,{data}")
    else:
        st.image(io.BytesIO(_content(path, MAX_IMAGE_BYTES)), width="content")


def _content(path: Path, limit: int) -> bytes:
    content = excerpts.read_bytes(path, limit + 1)
    if len(content) > limit:
        raise Invalid(IMAGE_TOO_LARGE())
    return content


@lru_cache(maxsize=256)
def _image_problem(path: Path, svg: bool, _modified: int, size: int) -> Message | None:
    """Return why an image cannot be shown, if so."""
    content = excerpts.read_bytes(path, size)
    return _svg_problem(content) if svg else _raster_problem(content)


def _raster_problem(content: bytes) -> Message | None:
    try:
        with Image.open(io.BytesIO(content), formats=IMAGE_FORMATS) as image:
            if math.prod(image.size) > MAX_IMAGE_PIXELS:
                return IMAGE_TOO_LARGE
            image.load()
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        return IMAGE_TOO_LARGE
    except Exception:  # each format has errors of its own
        return DAMAGED_IMAGE
    return None


def _svg_problem(content: bytes) -> Message | None:
    """Return the problem of a text that browsers do not show as SVG; reads no other file."""
    elements: list[str] = []
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = lambda name, _: elements.append(name)
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError):
        return INVALID_SVG
    return None if elements[0] == "http://www.w3.org/2000/svg svg" else INVALID_SVG


def _check_pdf(path: Path) -> None:
    head = excerpts.read_bytes(path, 1024)
    if not head:
        raise Invalid(excerpts.EMPTY())
    if b"%PDF-" not in head:
        raise Invalid(NOT_A_PDF())
    if b"%%EOF" not in excerpts.read_end(path, PDF_END_BYTES):
        raise Invalid(INCOMPLETE_PDF())


# ---- text ---------------------------------------------------------------------------------------


def _table_or_text(path: Path, name: str, place: str) -> None:
    try:
        table_viewer.draw_table(path, name, place)
    except table_viewer.NotATable:
        _text(path, name)


def _variants_or_text(path: Path, name: str, place: str) -> None:
    try:
        table_viewer.draw_variants(path, name, place)
    except table_viewer.NotATable:
        _text(path, name)


def _json_or_text(path: Path, name: str) -> None:
    """Show JSON as a tree if that shows every value as it is written, else as text."""
    content = excerpts.read_bytes(path, MAX_JSON_BYTES + 1)
    value = _exact_json(content) if len(content) <= MAX_JSON_BYTES else None
    if isinstance(value, dict | list):
        st.json(value, expanded=2)
    else:
        _text(path, name, language="json")


def _exact_json(content: bytes) -> Any:
    """Return the value of JSON, or None if a tree in the browser would not show it as written.

    That is the case for numbers like 1.0, 1E3 and 12345678901234567890, NaN, the same key twice,
    and what is no JSON.
    """
    try:
        value = json.loads(
            content,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_decimal,
            parse_constant=_refuse,
        )
        return value if _depth(value) <= MAX_JSON_DEPTH else None
    except (ValueError, RecursionError):
        return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key occurs twice")
    return values


def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > MAX_SAFE_INTEGER or text == "-0":
        raise ValueError(text[:20])
    return int(text)


def _decimal(text: str) -> float:
    """Return a number that Python and JavaScript write like `text`."""
    value = float(text)
    if repr(value) != text or "e" in text or text.endswith(".0"):
        raise ValueError(text[:20])
    return value


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    return depth


def _text(path: Path, name: str, *, language: str | None = None) -> None:
    """Show the first MAX_TEXT_BYTES of a file."""
    excerpt = excerpts.read_text(path, name, MAX_TEXT_BYTES)
    text = printable(excerpt.text)
    tall = text.count("\n") > 14 or len(text) > 2000
    with st.container(height=320 if tall else "content", border=False):
        st.code(text or " ", language=language, wrap_lines=True)
    if excerpt.cut:
        st.caption(f"Showing the first {size(MAX_TEXT_BYTES)}. Download the file to get all of it.")
    if excerpt.replaced:
        st.caption(table_viewer.REPLACED)
