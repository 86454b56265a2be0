"""Reads the sheets of workbooks: Excel (xlsx, xls) and OpenDocument (ods)."""

from __future__ import annotations

import datetime
import io
import posixpath
import re
import warnings
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from xml.parsers import expat

from services.errors import Message, RundeskError
from services.settings import MIB
from services.sheets import old_workbook, opendocument
from services.sheets.cells import (
    KEEP_ONE_SHEET,
    TOO_MANY_ELEMENTS,
    Cell,
    ErrorValue,
    Formula,
    Merge,
    Position,
    Row,
    WorkbookSheet,
    text_cell,
    unreadable,
)
from services.sheets.number_formats import number_cell

MAX_UNPACKED_BYTES = 32 * MIB  # of all parts together
MAX_PARTS = 1000  # files in the zip archive that a workbook is
MAX_ELEMENTS = 1_000_000  # of XML, in all parts; a cell has two or three
MAX_ROW_CELLS = 16_384  # including empty ones; Excel's number of columns
MAX_REASON = 200  # characters of a library's own sentence
READ_CHUNK_BYTES = 64 * 1024
XML_SUFFIXES = (".xml", ".rels")
ZIP_MAGIC, OLE_MAGIC = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
ENCRYPTED = "EncryptedPackage".encode("utf-16-le")  # the stream of a workbook with a password

#: The namespaces of Strict Open XML (ISO/IEC 29500-4, annex A) differ from the usual ones only so.
STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/(\w+)")
TRANSITIONAL = rb"http://schemas.openxmlformats.org/\1/2006/\2"
CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")

SAVE_AS_WORKBOOK = "Open it in a spreadsheet program and save it as an Excel workbook (xlsx)."
BAD_WORKBOOK = Message(
    "unreadable_file", "The workbook cannot be read: {reason}.", hint=SAVE_AS_WORKBOOK
)
NOT_A_WORKBOOK = Message(
    "wrong_kind_of_file",
    "The file is not a workbook that can be read: {reason}.",
    hint=SAVE_AS_WORKBOOK,
)
PASSWORD = Message(
    "wrong_kind_of_file",
    "The workbook is protected with a password.",
    hint="Save it without a password.",
)
WORKBOOK_TOO_LARGE = Message(
    "file_too_large", "The workbook is larger than {limit} MiB unpacked.", hint=KEEP_ONE_SHEET
)
ROW_TOO_LONG = Message(
    "wrong_length",
    "A row of the workbook has more than {limit} columns.",
    hint="Put each sample into a row of its own.",
)


def is_workbook(data: bytes) -> bool:
    """Return whether a file is a workbook by its first bytes."""
    return data.startswith((ZIP_MAGIC, OLE_MAGIC))


def sheets(data: bytes) -> list[WorkbookSheet]:
    """Return the visible sheets of a workbook in their order. Raises Invalid.

    Also their rows raise Invalid. Elements and cells are counted first, which bounds time and
    memory: libraries build a whole row, and all shared texts, before they return any of it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about styles and pictures, which are not read
            return [replace(sheet, rows=_guarded(sheet.rows)) for sheet in _sheets(data)]
    except RundeskError:
        raise
    except Exception as error:  # whatever a library raises about a broken file
        raise unreadable(BAD_WORKBOOK(reason=_reason(error))) from None


def _sheets(data: bytes) -> Sequence[WorkbookSheet]:
    if data.startswith(OLE_MAGIC):
        if ENCRYPTED in data:
            raise unreadable(PASSWORD())
        return old_workbook.sheets(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        scan = _scanned(archive)
        if "content.xml" in names:
            settings = archive.read("settings.xml") if "settings.xml" in names else b""
            return opendocument.sheets(archive.read("content.xml"), settings)
        if "[Content_Types].xml" not in names or not scan.workbook:
            reason = "it has no workbook in XML"
            raise unreadable(NOT_A_WORKBOOK(reason=reason))
        return _excel_sheets(_transitional(archive) if scan.strict else data, scan)


def _guarded(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield rows, and raise nothing but Invalid."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield from rows
    except RundeskError:
        raise
    except Exception as error:
        raise unreadable(BAD_WORKBOOK(reason=_reason(error))) from None


def _reason(error: Exception) -> str:
    words = " ".join(str(error).split()) or type(error).__name__
    return words[:MAX_REASON].rstrip(".")


@dataclass
class _Part:
    """What a worksheet says about its cells, which openpyxl does not return while it reads them."""

    filled: bool = False  # whether any cell has a value
    merges: list[Merge] = field(default_factory=list)
    computed: set[Position] = field(default_factory=set)  # formulas with stored values
    formulas: dict[Position, str] = field(default_factory=dict)  # formulas without


@dataclass
class _Scan:
    """What is found in all parts of a workbook while their elements are counted."""

    parts: dict[str, _Part] = field(default_factory=lambda: defaultdict(_Part))
    workbook: str = ""  # the part that lists the sheets
    sheets: dict[str, str] = field(default_factory=dict)  # id of the relationship by name
    relations: dict[tuple[str, str], str] = field(default_factory=dict)  # by part and id
    strict: bool = False

    def of_sheet(self, name: str) -> _Part:
        """Return the part of a sheet."""
        folder, base = posixpath.split(self.workbook)
        target = self.relations.get((f"{folder}/_rels/{base}.rels", self.sheets.get(name, "")), "")
        path = target[1:] if target.startswith("/") else posixpath.join(folder, target)
        return self.parts.get(posixpath.normpath(path), _Part())


def _scanned(archive: zipfile.ZipFile) -> _Scan:
    """Raise Invalid for a workbook that is too large, regardless of the sizes that it declares."""
    parts = archive.infolist()
    if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED_BYTES:
        raise unreadable(WORKBOOK_TOO_LARGE(limit=MAX_UNPACKED_BYTES // MIB))
    scan = _Scan()
    elements = 0
    for part in parts:
        if part.filename.endswith(XML_SUFFIXES):
            with archive.open(part) as stream:
                reader = _PartReader(part.filename, scan, elements)
                reader.read(stream)
            elements = reader.elements
        if elements > MAX_ELEMENTS:
            raise unreadable(TOO_MANY_ELEMENTS())
    return scan


class _PartReader:
    """Counts the elements of a part, and the cells of its rows, without keeping any of them."""

    def __init__(self, name: str, scan: _Scan, elements: int) -> None:
        self.elements = elements  # of this part and those before it
        self._name = name
        self._scan = scan
        self._row = self._cells = 0
        self._cell = ""  # its reference, such as B2
        self._type = ""
        self._texts: dict[str, str] = {}  # of the formula and the value of the cell
        self._parser: Any = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def read(self, stream: Any) -> None:
        """Read a part of the workbook; stop at the limits. Raises Invalid."""
        while chunk := stream.read(READ_CHUNK_BYTES):
            self._parser.Parse(chunk)
            if self.elements > MAX_ELEMENTS:
                return

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.elements += 1
        local = name.rpartition(" ")[2]
        if local == "c":
            self._cells += 1
            if self._cells > MAX_ROW_CELLS:
                raise unreadable(ROW_TOO_LONG(limit=MAX_ROW_CELLS))
            self._cell, self._type = attributes.get("r", ""), attributes.get("t", "")
            self._texts = {}
        elif local == "row":
            number = attributes.get("r", "")
            self._row = int(number) if number.isdecimal() else self._row + 1
            self._cells = 0
        elif local == "f":
            self._keep_text("f")
        elif local in ("v", "is"):
            self._scan.parts[self._name].filled = True
            if local == "v" and "f" in self._texts:
                self._keep_text("v")
        elif local == "mergeCell":
            if merge := _range(attributes.get("ref", "")):
                self._scan.parts[self._name].merges.append(merge)
        elif local == "workbook":
            self._scan.workbook = self._scan.workbook or self._name
            self._scan.strict |= name.startswith("http://purl.oclc.org/")
        elif local == "sheet" and self._name == self._scan.workbook:
            ids = [value for key, value in attributes.items() if key.endswith(" id")]
            self._scan.sheets.setdefault(attributes.get("name", ""), "".join(ids[:1]))
        elif local == "Relationship":
            key = (self._name, attributes.get("Id", ""))
            self._scan.relations[key] = attributes.get("Target", "")

    def _keep_text(self, name: str) -> None:
        self._texts[name] = ""

        def keep(data: str) -> None:
            self._texts[name] += data

        self._parser.CharacterDataHandler = keep

    def _end(self, name: str) -> None:
        local = name.rpartition(" ")[2]
        if local in ("f", "v"):
            self._parser.CharacterDataHandler = None
        elif local == "c" and "f" in self._texts:
            position = _position(self._cell) or (self._row - 1, self._cells - 1)
            part = self._scan.parts[self._name]
            # an empty value is a stored one only where the cell says that it is text
            if self._texts.get("v") or ("v" in self._texts and self._type == "str"):
                part.computed.add(position)
            else:
                part.formulas[position] = self._texts["f"]


def _position(reference: str) -> Position | None:
    """Return row and column, from 0, of a reference such as B2."""
    match = CELL.fullmatch(reference)
    if match is None:
        return None
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(match[2]) - 1, column - 1


def _range(reference: str) -> Merge | None:
    first, _, last = reference.replace("$", "").partition(":")
    start, end = _position(first), _position(last)
    return Merge(*start, *end) if start and end else None


def _transitional(archive: zipfile.ZipFile) -> bytes:
    """Return a Strict Open XML workbook with the usual namespaces, the only ones of openpyxl."""
    changed = io.BytesIO()
    with zipfile.ZipFile(changed, "w") as target:
        for part in archive.infolist():
            content = archive.read(part)
            if part.filename.endswith(XML_SUFFIXES):
                content = STRICT.sub(TRANSITIONAL, content)
            target.writestr(part.filename, content)
    return changed.getvalue()


def _excel_sheets(data: bytes, scan: _Scan) -> list[WorkbookSheet]:
    import openpyxl  # here: it imports numpy, which would slow the start of every process

    book = openpyxl.load_workbook(
        io.BytesIO(data), read_only=True, data_only=True, keep_links=False
    )
    found = []
    for sheet in book.worksheets:
        if sheet.sheet_state == "visible":
            part = scan.of_sheet(sheet.title)
            found.append(
                WorkbookSheet(
                    sheet.title,
                    sheet is book.active,
                    _excel_rows(sheet, part),
                    tuple(part.merges),
                    frozenset(part.computed),
                    part.filled or bool(part.formulas),
                )
            )
    return found


def _excel_rows(sheet: Any, part: _Part) -> Iterator[Row]:
    sheet.reset_dimensions()  # the size that the file declares may be wrong
    for number, row in enumerate(sheet.iter_rows()):
        cells = [_value(cell) for cell in row]
        if part.formulas:
            for column in range(len(cells)):
                if (formula := part.formulas.get((number, column))) is not None:
                    cells[column] = Formula(f"={formula}")
        yield tuple(cells)


def _value(cell: Any) -> Cell:
    """Return a cell's value; dates as ISO 8601, without a time of midnight."""
    value = cell.value
    if value is None:
        return ""
    if cell.data_type == "e":
        return ErrorValue(str(value))
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == datetime.time() else value.isoformat()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return number_cell(value, str(cell.number_format))
    return text_cell(str(value))
