"""Previews of files: exact values, reasons for what cannot be shown, and never an error."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import logging
import lzma
import os
import random
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import strategies as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from services.files.excerpts import COMPRESSIONS
from services.files.registry import KIND_OF, kind_of
from services.models import Result
from tests.helpers.properties import given, settings
from ui.parts import file_viewer

DATA = Path(__file__).parents[2] / "data" / "previews"
URL = "http://127.0.0.1:1/api/v1/runs/0/results/x?inline=1"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9"/></svg>'
VCF = '##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tINFO\n17\t0302\t.\tA="1\n17\t1e3\tNA\t\n'
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer <<>>\nstartxref\n9\n%%EOF\n"


def png(color="red", size=(8, 8), format="PNG"):
    stream = io.BytesIO()
    Image.new("RGB", size, color).save(stream, format)
    return stream.getvalue()


def zstd(content):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


def script(path, name, kind, size, url):
    import streamlit as st

    from services.models import Result
    from ui.parts import file_viewer

    result = Result(path=name, size=size, sha256="", kind=kind)
    file_viewer.draw(result, path, "test", url)
    st.markdown("below")


@pytest.fixture
def show(tmp_path):
    def draw(name, content, url=""):
        """Draw a preview of a file with this name and content; None: there is no file."""
        path = tmp_path / "content"
        if content is not None and content != path:
            path.write_bytes(content)
        given = {
            "path": path,
            "name": name,
            "kind": kind_of(name),
            "size": len(content or b""),
            "url": url,
        }
        session = AppTest.from_function(script, default_timeout=30, kwargs=given).run()
        assert not session.exception
        assert session.markdown[-1].value == "below"
        return session

    return draw


def captions(session):
    return " ".join(caption.value for caption in session.caption).replace("\\", "")


def cells(session):
    """The header and the cells of a table as they are displayed."""
    element = session.dataframe[0]
    frame = element.value
    labels = json.loads(element.proto.columns or "{}")
    header = [labels.get(name, {}).get("label", name) for name in frame.columns]
    if element.proto.arrow_data.styler.display_values:
        frame = pa.ipc.open_stream(element.proto.arrow_data.styler.display_values).read_pandas()
    return [header, *frame.astype(str).values.tolist()]


# ---- values are shown as they are written -------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        (DATA / "ids.tsv").read_text(),
        (DATA / "na.tsv").read_text(),
        "read\thash\nr1\t340282366920938463463374607431768211455\n",
        "a\tb\tc\n001\t1.0\t2026-01-02\n1e3\t1.00\t03/04/05\n",
        "evalue\tbits\n1e-05\t32\n2.10E-120\t1e3\n0.0\t-5\n",
        "n\n12345678901234567890\n1\n",
        "n\n9007199254740993\n-0\n",
        "n\n1e400\n1e-400\n",
        "true\tinf\n+1\t.5\nTrue\tnan\n 1\t1_000\n",
        'gene\tnote\nx\t5\' "end\n"y\t""\n',
        "a\ta\t\t_index\n1\t2\t3\t4\n",
        "only header\n",
        "中文\tä\n样品\t\u00a0x\u3000\n",
    ],
)
def test_table_shows_every_cell_as_it_is_written(show, text):
    expected = [line.split("\t") for line in text.splitlines()]
    shown = cells(show("a.tsv", text.encode()))
    assert [[cell.strip(" ") if cell == " " else cell for cell in row] for row in shown] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'a,b\n"x, ""y""",001\n"two\nlines",NA\n',
            [["a", "b"], ['x, "y"', "001"], ["two\nlines", "NA"]],
        ),
        ("\ufeffa,b\r\n1,2\r\n\r\n3\r\n", [["a", "b"], ["1", "2"], ["3", ""]]),
    ],
)
def test_csv_shows_quoted_cells_short_rows_and_a_byte_order_mark_correctly(show, text, expected):
    assert cells(show("a.csv", text.encode())) == expected


def test_table_with_row_names_of_r_keeps_its_first_column(show):
    assert cells(show("a.tsv", b"x\ty\nr1\t1\t2\nr2\t3\t4\n"))[1:] == [
        ["r1", "1", "2"],
        ["r2", "3", "4"],
    ]


def test_column_of_numbers_is_numeric_so_that_it_sorts_as_numbers(show):
    session = show("a.tsv", b"id\tevalue\n01\t1e-05\n02\t2.0\n03\t10\n")
    frame = session.dataframe[0].value
    assert frame["evalue"].tolist() == [1e-05, 2.0, 10.0]
    assert frame["id"].tolist() == ["01", "02", "03"]


def test_variants_are_shown_as_they_are_written(show):
    expected = [line.split("\t") for line in VCF.splitlines()[1:]]
    for name, content in (("a.vcf", VCF.encode()), ("a.vcf.gz", gzip.compress(VCF.encode()))):
        assert cells(show(name, content)) == expected


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 12345678901234567890}',
        '{"a": 1E3, "b": 1.0}',
        '{"a": NaN, "b": [Infinity]}',
        '{"a": 1, "a": 2}',
        "[" * 5000 + "]" * 5000,
        "[" * 500 + "]" * 500,
        '"https://example.org/picture.png"',
        '{"a": 0.1000000000000000055511151231257827}',
        "[1e400, -0]",
        "{broken",
    ],
)
def test_json_that_a_tree_would_change_is_shown_as_text(show, text):
    session = show("a.json", text.encode())
    assert not session.json
    assert session.code[0].value == text


def test_json_is_shown_as_a_tree_if_that_shows_it_exactly(show):
    value = {"id": "001", "n": 9007199254740991, "x": -0.25, "list": [None, True, "NA"]}
    session = show("a.json", json.dumps(value).encode())
    assert json.loads(session.json[0].value) == value


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_text_and_tables_are_shown_in_every_encoding_of_unicode(show, encoding):
    text = "name\tn\n样品 ä\t001\n"
    assert show("a.txt", text.encode(encoding)).code[0].value == text.strip()
    assert cells(show("a.tsv", text.encode(encoding))) == [["name", "n"], ["样品 ä", "001"]]
    assert show("a.json", '{"ä": 1.0}'.encode(encoding)).code[0].value == '{"ä": 1.0}'


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [
        ("gz", gzip.compress),
        ("bgz", gzip.compress),
        ("bz2", bz2.compress),
        ("xz", lzma.compress),
        ("zst", zstd),
    ],
)
class TestCompressed:
    def test_compressed_files_are_shown(self, show, suffix, compress):
        packed = compress(b"a\tb\n001\tNA\n")
        assert cells(show(f"a.tsv.{suffix}", packed)) == [["a", "b"], ["001", "NA"]]
        assert show(f"a.fasta.{suffix}", compress(b">q\nMKT\n")).code[0].value == ">q\nMKT"

    def test_damaged_compressed_files_are_explained(self, show, suffix, compress):
        noise = random.Random(1).randbytes(300_000).hex(" ", 40).replace(" ", "\n")
        packed = compress(f"##fileformat=VCFv4.2\n{noise}".encode())
        contents = [packed[:5000], packed[:9], packed[:3]]
        if suffix != "zst":  # Arrow writes no checksums, so that not all damage can be noticed
            contents.append(packed[:2000] + bytes(3000) + packed[5000:])
        for content in contents:
            for name in ("a.tsv", "a.csv", "a.vcf", "a.fasta", "a.json", "a.txt"):
                session = show(f"{name}.{suffix}", content)
                assert "data are damaged or incomplete" in captions(session), (name, len(content))

    def test_files_without_the_compression_of_their_names_are_explained(
        self, show, suffix, compress
    ):
        for name in ("a.tsv", "a.vcf", "a.fastq", "a.log"):
            session = show(f"{name}.{suffix}", b"a\tb\n1\t2\n")
            assert "it is not compressed with" in captions(session)
            assert f".{suffix}." in captions(session)
        assert "contains binary data" in captions(show(f"a.txt.{suffix}", compress(b"\0\1\2")))
        assert "is empty" in captions(show(f"a.tsv.{suffix}", compress(b"")))


# ---- what cannot be shown is explained ----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", b"PK\3\4\0\0", "contains binary data"),
        ("a.txt", bytes(range(1, 32)) * 9, "contains binary data"),
        ("a.tsv", "样品\t分组\n".encode("gbk"), "not encoded in UTF-8"),
        ("a.tsv", b"", "This file is empty."),
        ("a.json", b"", "This file is empty."),
        ("a.png", b"", "This file is empty."),
        ("a.svg", b"", "This file is empty."),
        ("a.vcf", b"", "This file is empty."),
        ("a.bam", b"BAM\1\0", "contains binary data"),
        ("a.docx", b"PK", "No preview is available"),
        (
            "a.dot",
            b'digraph { a [image="/etc/passwd" href="http://x"] }',
            "No preview is available",
        ),
        ("a.ipynb", b'{"cells": []}', "No preview is available"),
        ("a.html", b"<img src=/etc/passwd>", "No preview is available"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "is damaged"),
        ("a.png", png()[:50], "is damaged"),
        ("a.jpg", png(format="JPEG", size=(300, 300))[:300], "is damaged"),
        ("a.gif", b"/etc/passwd", "is damaged"),
        ("a.webp", png(format="TIFF"), "is damaged"),
        ("a.png", png(format="EPS"), "is damaged"),
        ("a.svg", b"<svg", "not a valid SVG document"),
        ("a.svg", SVG[:-6], "not a valid SVG document"),
        ("a.svg", b"<html><body>hello</body></html>", "not a valid SVG document"),
        ("a.svg", b"<svg>no namespace</svg>", "not a valid SVG document"),
        ("a.svg", b'<?xml version="1.0" encoding="nonsense"?>' + SVG, "not a valid SVG document"),
    ],
)
def test_file_that_cannot_be_shown_is_explained(show, name, content, reason):
    for url in ("", URL):
        if url and name.endswith((".html", ".dot", ".ipynb", ".docx")):
            continue
        session = show(name, content, url)
        assert reason in captions(session), (url, captions(session))
        assert not session.get("image")
        assert not session.get("bidi_component")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"no pdf", "it is not a PDF file"),
        (PDF[:-6], "its end is missing"),
        (PDF[:40], "its end is missing"),
    ],
)
def test_pdf_that_cannot_be_shown_is_explained(show, content, reason):
    session = show("a.pdf", content, URL)
    assert reason in captions(session)
    assert not session.get("bidi_component")


def test_pdf_is_shown(show):
    (viewer,) = show("a.pdf", PDF, URL).get("bidi_component")
    assert URL in (viewer.proto.json or viewer.proto.mixed.json)


def test_empty_report_is_explained(show):
    assert "is empty" in captions(show("a.html", b"", URL))
    assert show("a.html", b"<p>", URL).get("iframe")[0].proto.src == URL


def test_text_with_some_invalid_bytes_says_so(show):
    for name in ("a.txt", "a.tsv"):
        session = show(name, b"name\tn\nM\xfcller\t1\n")
        assert captions(session) == "Bytes that are not valid UTF-8 are shown as �."


@pytest.mark.parametrize("name", ["a.tsv", "a.csv", "a.txt", "a.json", "a.vcf", "a.png", "a.svg"])
def test_directory_pipe_and_missing_file_are_explained(show, tmp_path, name):
    path = tmp_path / "content"
    assert "was removed from storage" in captions(show(name, None))
    path.mkdir()
    assert "not a regular file" in captions(show(name, None))
    path.rmdir()
    os.mkfifo(path)
    assert "not a regular file" in captions(show(name, None))
    path.unlink()
    path.symlink_to(path)
    assert "reading it failed" in captions(show(name, None))


@pytest.mark.parametrize("suffix", ["tsv", "csv", "vcf", "txt", "json"])
def test_one_huge_line_is_shown_in_part_or_explained(show, suffix):
    session = show(f"a.{suffix}", b"x" * 3_000_000)
    assert "Showing the first 65.5 kB" in captions(session) or "line 1 has more" in captions(
        session
    )


def test_wide_and_heavy_tables_are_shown_in_part(show):
    wide = "\t".join(f"c{number}" for number in range(3000))
    session = show("a.tsv", f"{wide}\n{wide}\n".encode())
    assert len(session.dataframe[0].value.columns) == 200
    assert "Showing the first 200 of 3,000 columns." in captions(session)
    session = show("a.tsv", b"a\n" + (b"x" * 900_000 + b"\n") * 20)
    assert len(session.dataframe[0].value) == 4
    assert "Showing the first 4 rows." in captions(session)


def test_filter_of_a_damaged_table_says_how_far_it_was_searched(show):
    rows = "".join(f"{number}\t{'x' * 9000}\n" for number in range(8000))  # 72 MB
    packed = gzip.compress(f"n\tx\n{rows}".encode(), 1)
    session = show("a.tsv.gz", packed[: len(packed) * 9 // 10])
    session.text_input(key="filter-test").set_value("777").run()
    assert not session.exception
    assert len(session.dataframe[0].value) > 5
    assert "rows were searched. This file cannot be shown because its gzip data" in captions(
        session
    )


# ---- bytes and paths are never confused ---------------------------------------------------------


@pytest.mark.parametrize("suffix", sorted({*KIND_OF, "dot", "ipynb", "vg", "mp3", "mp4"}))
def test_file_that_names_a_path_or_a_url_shows_no_other_file(show, tmp_path, suffix):
    secret = tmp_path / "secret.png"
    secret.write_bytes(png("blue"))
    svg = tmp_path / "secret.svg"
    svg.write_bytes(SVG)
    for text in (
        str(secret),
        str(svg),
        f"file://{secret}",
        "http://127.0.0.1:1/x.png",
        f"{secret}\n",
    ):
        for url in ("", URL):
            session = show(f"leak.{suffix}", text.encode(), url)
            assert not session.get("image")
            shown = [*session.get("bidi_component"), *session.get("iframe")]
            for element in shown:
                assert str(secret) not in str(element.proto)
                assert text not in str(element.proto)


def test_svg_is_handed_to_the_browser_as_an_image_of_its_own_bytes(show):
    (viewer,) = show("a.svg", SVG).get("bidi_component")
    data = json.loads(viewer.proto.json or viewer.proto.mixed.json)
    assert data["url"] == "data:image/svg+xml;base64," + base64.b64encode(SVG).decode()


def test_raster_images_are_shown_whatever_format_their_names_say(show):
    for name, format in (("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.png", "WEBP"), ("a.gif", "GIF")):
        assert show(name, png(format=format)).get("image")


def test_specification_of_a_chart_is_shown_as_json(show):
    spec = {"data": {"url": "file:///etc/passwd"}, "mark": "bar", "usermeta": {"x": "![a](b)"}}
    session = show("chart.json", json.dumps(spec).encode())
    assert json.loads(session.json[0].value) == spec
    assert not session.get("vega_lite_chart")


def test_markdown_and_markup_are_shown_as_text(show):
    text = "![x](/etc/passwd) <img src='http://x/y.png'> [a](file:///etc)"
    for name in ("a.md", "a.txt", "a.xml", "a.log"):
        session = show(name, text.encode())
        assert session.code[0].value == text
        assert len(session.markdown) == 1


def test_cells_and_columns_stay_text(show):
    cell = "![x](http://evil.example/x.png) <b> :material/bolt: data:image/png;base64,AAAA"
    session = show("a.tsv", f"{cell}\thttps://x/y.png\n{cell}\t/etc/passwd\n".encode())
    assert cells(session) == [[cell, "https://x/y.png"], [cell, "/etc/passwd"]]
    assert "link" not in session.dataframe[0].proto.columns
    assert "image" not in session.dataframe[0].proto.columns.replace(cell, "")


# ---- any bytes under any name -------------------------------------------------------------------

SUFFIXES = sorted(
    {
        *KIND_OF,
        "bin",
        *(
            f"{kind}.{ending}"
            for kind in ("tsv", "csv", "vcf", "txt", "fa")
            for ending in COMPRESSIONS
        ),
    }
)
STARTS = [
    b"",
    b"\x1f\x8b\x08\0",
    b"BZh91AY&SY",
    b"\xfd7zXZ\0",
    b"\x28\xb5\x2f\xfd",
    b"\x89PNG\r\n\x1a\n",
    b"GIF89a",
    b"\xff\xd8\xff\xe0",
    b"RIFF\0\0\0\0WEBP",
    b"%PDF-1.7\n",
    b"##fileformat=VCFv4.2\n#CHROM\tPOS\n",
    b'<svg xmlns="http://www.w3.org/2000/svg">',
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b'{"a": [',
    b'a,b\n"',
    b"a\tb\n",
]


class Failures(logging.Handler):
    """Collects what the viewer logs, which are failures without an explanation of their own."""

    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record.getMessage())


@settings(max_examples=600)
@given(
    suffix=st.sampled_from(SUFFIXES),
    start=st.sampled_from(STARTS),
    rest=st.one_of(
        st.binary(max_size=300),
        st.text(max_size=100).map(str.encode),
        st.text("ab01.,;\t\n\"'{}[]<>-eEN", max_size=200).map(str.encode),
    ),
    url=st.sampled_from(["", URL]),
)
def test_preview_of_any_bytes_under_any_suffix_raises_nothing(suffix, start, rest, url):
    failures = Failures()
    file_viewer.log.addHandler(failures)
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "content")
            path.write_bytes(start + rest)
            name = f"file.{suffix}"
            result = Result(path=name, size=len(start + rest), sha256="", kind=kind_of(name))
            file_viewer.draw(result, path, "any", url)
    finally:
        file_viewer.log.removeHandler(failures)
    assert failures.records == []
