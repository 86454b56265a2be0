"""The XML structure of an mzML file: its root element, and what it states about each spectrum.

OpenMS has defaults for missing values, such as MS level 1, so that they cannot be told apart from
values of the file. This pass reads only the elements around the binary data.
"""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

READ_CHUNK_BYTES = 1 << 20
MAX_PROLOG_BYTES = 16 << 20  # before the root element
MS_LEVEL = "MS:1000511"
MS1_SPECTRUM = "MS:1000579"
MSN_SPECTRA = {
    "MS:1000580",  # MSn spectrum
    "MS:1000341",  # precursor ion spectrum
    "MS:1000325",  # constant neutral gain spectrum
    "MS:1000326",  # constant neutral loss spectrum
    "MS:1000581",  # CRM spectrum
}
LIGHT_SPECTRA = {
    "MS:1000804",  # electromagnetic radiation spectrum (UV, PDA)
    "MS:1000805",  # emission spectrum
    "MS:1000806",  # absorption spectrum
}
SCAN_START_TIME = "MS:1000016"
MINUTE = "UO:0000031"


@dataclass(slots=True)
class Header:
    """What an mzML file states about one spectrum."""

    terms: set[str] = field(default_factory=set)  # accessions
    stated_level: int | None = None
    precursors: int = 0
    time: float | None = None  # s

    @property
    def is_light(self) -> bool:
        """Whether a detector of light measured the spectrum, not the mass spectrometer."""
        return bool(self.terms & LIGHT_SPECTRA)

    @property
    def level(self) -> int:
        """The MS level; inferred from type and precursor if not stated, 0 if unknown."""
        if self.stated_level is not None:
            return self.stated_level
        if self.precursors or self.terms & MSN_SPECTRA:
            return 2
        return 1 if MS1_SPECTRUM in self.terms else 0


def root_of(path: str | Path) -> str | None:
    """Return the name of the root element; None if the file does not start like XML."""
    names: list[str] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, _: names.append(name)
    with open_binary(path) as stream:
        read_bytes = 0
        try:
            while not names and read_bytes < MAX_PROLOG_BYTES:
                chunk = stream.read(READ_CHUNK_BYTES)
                read_bytes += len(chunk)
                if not chunk:
                    break
                parser.Parse(chunk)
        except expat.ExpatError:
            pass  # after the root element or before it
    return names[0] if names else None


def read_headers(path: str | Path) -> list[Header] | None:
    """Return the headers of all spectra in file order; None if the file is not well-formed."""
    reader = _Reader()
    try:
        with open_binary(path) as stream:
            while chunk := stream.read(READ_CHUNK_BYTES):
                reader.parser.Parse(chunk)
        reader.parser.Parse(b"", True)
    except (expat.ExpatError, LookupError, EOFError, OSError):
        return None
    return reader.headers


def open_binary(path: str | Path) -> BinaryIO:
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else open(path, "rb")


class _Reader:
    def __init__(self) -> None:
        self.headers: list[Header] = []
        self.groups: dict[str, list[dict[str, str]]] = {}
        self.group: list[dict[str, str]] | None = None
        self.spectrum: Header | None = None
        self.inner = 0  # depth in elements whose terms are not those of the spectrum
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "cvParam":
            if self.group is not None:
                self.group.append(attributes)
            elif self.spectrum is not None and not self.inner:
                self.add(attributes)
        elif name == "spectrum":
            self.spectrum = Header()
            self.headers.append(self.spectrum)
        elif name == "referenceableParamGroup":
            self.group = self.groups.setdefault(attributes.get("id", ""), [])
        elif self.spectrum is not None:
            if name == "referenceableParamGroupRef" and not self.inner:
                for term in self.groups.get(attributes.get("ref", ""), ()):
                    self.add(term)
            elif name in ("precursorList", "productList", "binaryDataArrayList"):
                self.inner += 1
            elif name == "precursor":
                self.spectrum.precursors += 1

    def end(self, name: str) -> None:
        if name == "spectrum":
            self.spectrum = None
        elif name == "referenceableParamGroup":
            self.group = None
        elif self.inner and name in ("precursorList", "productList", "binaryDataArrayList"):
            self.inner -= 1

    def add(self, term: dict[str, str]) -> None:
        header, accession = self.spectrum, term.get("accession", "")
        if header is None:
            return
        header.terms.add(accession)
        if accession == MS_LEVEL:
            header.stated_level = next(_numbers(term, int), None)
        elif accession == SCAN_START_TIME and header.time is None:
            in_minutes = term.get("unitAccession") == MINUTE or (
                "unitAccession" not in term and term.get("unitName", "").startswith("minute")
            )
            value = next(_numbers(term, float), None)
            header.time = value * 60 if value is not None and in_minutes else value


def _numbers(term: dict[str, str], kind) -> Iterator:
    try:
        yield kind(term.get("value", ""))
    except ValueError:
        return
