"""Reading of mzML in one pass over the spectra, regardless of the size of the file."""

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyopenms

from ms_report.ending import InputProblem

HEAD_BYTES = 4096  # the root element must start within these
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
    """Metrics of one spectrum. Times are in seconds from the start of the run."""

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
    charge: int  # of the precursor; 0 if unknown
    injection: float | None  # ms


@dataclass
class Recording:
    """Content of an mzML file."""

    instrument: str = ""
    started: str = ""  # as in the file, without a time zone; empty if unknown
    chromatograms: int = 0
    scans: list[Scan] = field(default_factory=list)


def check(path: str | Path, name: str) -> None:
    """Check the start and the gzip data of a file. Raises InputProblem if it is not mzML."""
    head = _head(path, name)
    if not head.strip():
        raise InputProblem(f"{name} is empty.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"<" not in head[:64]:
        raise InputProblem(f"{name} is not an mzML file: {_guess(head)}")
    if b"<mzML" not in head and b"<indexedmzML" not in head:
        raise InputProblem(f"{name} is an XML file but not mzML: its root element is not mzML.")


def read(path: str | Path, name: str) -> Recording:
    """Read a file. Raises InputProblem if it is not mzML or damaged."""
    check(path, name)
    reader = _Reader()
    run_openms(name, lambda: pyopenms.MzMLFile().transform(str(path), reader, True, False))
    if not reader.recording.scans:
        raise InputProblem(f"{name} contains no spectra.")
    return reader.recording


def run_openms(name: str, work: Callable[[], object]) -> None:
    """Run `work`, which reads the file `name` with OpenMS. Raises InputProblem if it fails."""
    try:
        work()
    except (RuntimeError, ValueError, OSError) as error:
        raise InputProblem(f"{name} cannot be read: it is damaged or truncated.") from error


class _Reader:
    """Consumer of the parts of a file. OpenMS defines the names of its methods."""

    def __init__(self):
        self.recording = Recording()

    def setExpectedSize(self, *_):
        """Required by OpenMS; not used."""

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
    """Return the first bytes, uncompressed. A gzip file is read completely to detect truncation."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not packed:
            return file.read(HEAD_BYTES)
        try:
            with gzip.open(file) as stream:
                head = stream.read(HEAD_BYTES)
                while stream.read(1 << 20):
                    pass
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputProblem(
                f"{name} is damaged: its gzip data are truncated or corrupt. Upload it again."
            ) from error
        return head


def _guess(head: bytes) -> str:
    """Return the end of a sentence that says what the file appears to be."""
    if head.startswith(b"PK"):
        return "it appears to be a zip archive."
    if head.startswith(b"\x01\xa1F\x00i\x00n\x00"):
        return "it appears to be a Thermo raw file, which must be converted to mzML first."
    if head.startswith((b"BEGIN IONS", b"SEARCH=", b"MASS=", b"COM=")):
        return "it appears to be an MGF peak list."
    if head.startswith((b">", b"@")):
        return "it appears to be a sequence file."
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "it is UTF-16 text."
    return "it does not start with an XML element."
