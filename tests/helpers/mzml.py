"""Small mzML files with the oddities of instruments and converters."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

LEVEL = '<cvParam cvRef="MS" accession="MS:1000511" name="ms level" value="{}"/>'
TERM = '<cvParam cvRef="MS" accession="{}" name="{}" value=""/>'
MS1, MSN = ("MS:1000579", "MS1 spectrum"), ("MS:1000580", "MSn spectrum")
PDA = ("MS:1000804", "electromagnetic radiation spectrum")
ABSORPTION = ("MS:1000806", "absorption spectrum")
MINUTES = 'unitCvRef="UO" unitAccession="UO:0000031" unitName="minute"'
SECONDS = 'unitCvRef="UO" unitAccession="UO:0000010" unitName="second"'


@dataclass
class Spectrum:
    """A spectrum as it is written; `level` and `time` may be missing."""

    time: float | None = 0.0
    level: int | None = 1
    kind: tuple[str, str] = MS1
    mz: Sequence[float] = (100.0, 200.0, 300.0)
    intensity: Sequence[float] = (10.0, 20.0, 30.0)
    unit: str = MINUTES
    precursor: float | None = None
    group: str = ""  # a referenceableParamGroup instead of its own type


def light(time: float, kind: tuple[str, str] = PDA, group: str = "") -> Spectrum:
    """A spectrum of a UV detector: wavelengths and a large signal."""
    return Spectrum(time, None, kind, (220.0, 254.0, 280.0), (1e6, 2e6, 3e6), group=group)


@dataclass
class File:
    spectra: Sequence[Spectrum] = ()
    chromatograms: int = 0
    before_root: str = ""
    groups: dict[str, tuple[str, str]] = field(default_factory=dict)

    def bytes(self) -> bytes:
        groups = "".join(
            f'<referenceableParamGroup id="{name}">{TERM.format(*term)}</referenceableParamGroup>'
            for name, term in self.groups.items()
        )
        listed = f"<referenceableParamGroupList>{groups}</referenceableParamGroupList>"
        spectra = "".join(_spectrum(n, one) for n, one in enumerate(self.spectra))
        processed = 'defaultDataProcessingRef="d"'
        spectrum_list = (
            f'<spectrumList count="{len(self.spectra)}" {processed}>{spectra}</spectrumList>'
        )
        chromatograms = "".join(_chromatogram(n) for n in range(self.chromatograms))
        chromatogram_list = (
            f'<chromatogramList count="{self.chromatograms}" {processed}>{chromatograms}'
            "</chromatogramList>"
        )
        return (
            f'<?xml version="1.0" encoding="utf-8"?>\n{self.before_root}'
            '<mzML xmlns="http://psi.hupo.org/ms/mzml" version="1.1.0"><cvList count="2">'
            '<cv id="MS" fullName="PSI-MS" version="4.1" URI="x"/>'
            '<cv id="UO" fullName="UO" version="1" URI="y"/></cvList>'
            f"<fileDescription><fileContent>{TERM.format(*MS1)}</fileContent></fileDescription>"
            f"{listed if groups else ''}"
            '<softwareList count="1"><software id="s" version="1"/></softwareList>'
            '<instrumentConfigurationList count="1"><instrumentConfiguration id="IC1"/>'
            '</instrumentConfigurationList><dataProcessingList count="1"><dataProcessing id="d">'
            '<processingMethod order="0" softwareRef="s"/></dataProcessing></dataProcessingList>'
            '<run id="r" defaultInstrumentConfigurationRef="IC1">'
            f"{spectrum_list if spectra else ''}{chromatogram_list if chromatograms else ''}"
            "</run></mzML>\n"
        ).encode()


def _array(values: Sequence[float], accession: str, name: str) -> str:
    text = base64.b64encode(struct.pack(f"<{len(values)}d", *values)).decode()
    terms = [("MS:1000523", "64-bit float"), ("MS:1000576", "no compression"), (accession, name)]
    written = "".join(TERM.format(*term) for term in terms)
    return (
        f'<binaryDataArray encodedLength="{len(text)}">{written}<binary>{text}</binary>'
        "</binaryDataArray>"
    )


def _spectrum(index: int, one: Spectrum) -> str:
    kind = TERM.format(*one.kind)
    if one.group:
        kind = f'<referenceableParamGroupRef ref="{one.group}"/>'
    level = "" if one.level is None else LEVEL.format(one.level)
    start = 'cvRef="MS" accession="MS:1000016" name="scan start time"'
    time = "" if one.time is None else f'<cvParam {start} value="{one.time}" {one.unit}/>'
    selected = (
        '<precursorList count="1"><precursor><selectedIonList count="1"><selectedIon>'
        '<cvParam cvRef="MS" accession="MS:1000744" name="selected ion m/z" '
        f'value="{one.precursor}"/></selectedIon></selectedIonList><activation/></precursor>'
        "</precursorList>"
    )
    mz = _array(one.mz, "MS:1000514", "m/z array")
    intensity = _array(one.intensity, "MS:1000515", "intensity array")
    return (
        f'<spectrum index="{index}" id="scan={index + 1}" defaultArrayLength="{len(one.mz)}">'
        f"{level}{kind}{TERM.format('MS:1000127', 'centroid spectrum')}"
        f'<scanList count="1"><scan>{time}</scan></scanList>'
        f"{selected if one.precursor else ''}"
        f'<binaryDataArrayList count="2">{mz}{intensity}</binaryDataArrayList></spectrum>'
    )


def _chromatogram(index: int) -> str:
    times = _array((0.0, 1.0), "MS:1000595", "time array")
    intensity = _array((1.0, 2.0), "MS:1000515", "intensity array")
    return (
        f'<chromatogram index="{index}" id="SRM {index}" defaultArrayLength="2">'
        f"{TERM.format('MS:1001473', 'selected reaction monitoring chromatogram')}"
        f'<binaryDataArrayList count="2">{times}{intensity}</binaryDataArrayList></chromatogram>'
    )
