"""Reading mzML: one pass over the spectra, whatever the size of the file."""

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyopenms

from ms_report.ending import Unfit

HEAD = 4096  # bytes in which the root element must begin
INJECTION_TIME = "MS:1000927"  # ion injection time, ms
POLARITIES = {
    pyopenms.IonSource.Polarity.POSITIVE: "positive",
    pyopenms.IonSource.Polarity.NEGATIVE: "negative",
}
MODES = {
    pyopenms.SpectrumSettings.SpectrumType.CENTROID: "centroid",
    pyopenms.SpectrumSettings.SpectrumType.PROFILE: "profile",
}


@dataclass(frozen=True, slots=True)
class Scan:
    """One spectrum, in figures. Times in seconds from the start of the run, m/z in Th."""

    level: int
    time: float
    peaks: int
    total: float  # sum of intensities
    base: float  # highest intensity
    base_mz: float | None  # None without peaks
    low: float | None
    high: float | None
    mode: str  # centroid, profile or unknown
    polarity: str  # positive, negative or unknown
    precursor: float | None
    charge: int  # of the precursor; 0 where the file does not say
    injection: float | None  # ms


@dataclass
class Recording:
    """A run as it was written."""

    instrument: str = ""
    started: str = ""  # as the file says it, without a time zone; empty where it does not
    chromatograms: int = 0
    scans: list[Scan] = field(default_factory=list)


def check(path: str | Path, name: str) -> None:
    """Raises Unfit unless the file is mzML as far as its beginning and its gzip layer tell."""
    head = _head(path, name)
    if not head.strip():
        raise Unfit(f"{name} is empty.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"<" not in head[:64]:
        raise Unfit(f"{name} is not XML, so it cannot be mzML: {_guess(head)}")
    if b"<mzML" not in head and b"<indexedmzML" not in head:
        raise Unfit(f"{name} is XML but not mzML: no mzML element stands at its beginning.")


def read(path: str | Path, name: str) -> Recording:
    """Goes through a file once. Raises Unfit when it is not mzML or is damaged."""
    check(path, name)
    reader = _Reader()
    parsing(name, lambda: pyopenms.MzMLFile().transform(str(path), reader, True, False))
    if not reader.recording.scans:
        raise Unfit(f"{name} holds no spectra.")
    return reader.recording


def parsing(name: str, work: Callable[[], object]) -> None:
    """Does what reads the file `name` with OpenMS. Raises Unfit when that fails."""
    try:
        work()
    except (RuntimeError, ValueError, OSError) as error:
        raise Unfit(f"{name} cannot be read: it is damaged or cut short.") from error


class _Reader:
    """What OpenMS calls for each part of a file; the names of the methods are its own."""

    def __init__(self):
        self.recording = Recording()

    def setExpectedSize(self, *_):
        """Asked for by OpenMS; not needed here."""

    def setExperimentalSettings(self, settings):
        self.recording.instrument = settings.getInstrument().getName().strip()
        self.recording.started = _started(settings.getDateTime())

    def consumeChromatogram(self, _):
        self.recording.chromatograms += 1

    def consumeSpectrum(self, spectrum):
        self.recording.scans.append(_scan(spectrum))


def _scan(spectrum) -> Scan:
    mz, intensity = spectrum.get_peaks()
    precursors = spectrum.getPrecursors()
    best = int(intensity.argmax()) if len(intensity) else None
    return Scan(
        level=spectrum.getMSLevel(),
        time=spectrum.getRT(),
        peaks=len(mz),
        total=float(intensity.sum(dtype=float)),
        base=0.0 if best is None else float(intensity[best]),
        base_mz=None if best is None else float(mz[best]),
        low=float(mz.min()) if len(mz) else None,
        high=float(mz.max()) if len(mz) else None,
        mode=MODES.get(spectrum.getType(), "unknown"),
        polarity=POLARITIES.get(spectrum.getInstrumentSettings().getPolarity(), "unknown"),
        precursor=precursors[0].getMZ() if precursors else None,
        charge=abs(precursors[0].getCharge()) if precursors else 0,
        injection=_injection(spectrum),
    )


def _injection(spectrum) -> float | None:
    for acquisition in spectrum.getAcquisitionInfo():
        if acquisition.metaValueExists(INJECTION_TIME):
            return float(acquisition.getMetaValue(INJECTION_TIME))
    return None


def _started(moment) -> str:
    text = moment.get().replace(" ", "T")
    return "" if text.startswith("0000") else text


def _head(path: str | Path, name: str) -> bytes:
    """The first bytes, unpacked; a gzipped file is unpacked to its end, which tells a cut one."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not packed:
            return file.read(HEAD)
        try:
            with gzip.open(file) as stream:
                head = stream.read(HEAD)
                while stream.read(1 << 20):
                    pass
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            words = "its gzip data end early or are corrupt, so please send it again."
            raise Unfit(f"{name} is damaged: {words}") from error
        return head


def _guess(head: bytes) -> str:
    """What the file seems to be instead."""
    if head.startswith(b"PK"):
        return "it looks like a zip archive."
    if head.startswith(b"\x01\xa1F\x00i\x00n\x00"):
        return "it looks like a Thermo raw file, which has to be converted first."
    if head.startswith((b"BEGIN IONS", b"SEARCH=", b"MASS=", b"COM=")):
        return "it looks like an MGF peak list."
    if head.startswith((b">", b"@")):
        return "it looks like a sequence file."
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "it is text in UTF-16."
    return "it does not begin with an XML element."
