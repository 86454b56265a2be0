"""Measure one run: quality metrics and a table of its spectra."""

import json
from pathlib import Path

from ms_report import mzml
from ms_report.ending import InputProblem, fail
from ms_report.metrics import chromatogram, metrics, survey_of
from ms_report.tables import write_table


def chromatogram_rows(scans):
    for scan in scans:
        yield {
            "time_min": scan.time / 60,
            "ms_level": scan.level,
            "total_ion_current": scan.total,
            "base_peak_intensity": scan.base,
            "base_peak_mz": scan.base_mz,
            "peaks": scan.peaks,
            "precursor_mz": scan.precursor,
            "precursor_charge": scan.charge or None,
            "injection_time_ms": scan.injection,
        }


COLUMNS = [
    *["time_min", "ms_level", "total_ion_current", "base_peak_intensity", "base_peak_mz"],
    *["peaks", "precursor_mz", "precursor_charge", "injection_time_ms"],
]


def main(job):
    name, path = job.params.name, Path(job.input.mzml)
    with open(job.log[0], "w", encoding="utf-8") as log:
        try:
            recording = mzml.read(path, name)
        except InputProblem as problem:
            fail(problem, log)
        figures = metrics(recording, name, path.stat().st_size)
        figures["chromatogram"] = chromatogram(survey_of(recording.scans), job.params.points)
        Path(job.output.metrics).write_text(json.dumps(figures), encoding="utf-8")
        write_table(job.output.chromatogram, COLUMNS, chromatogram_rows(recording.scans))
        log.write(f"{name}: {figures['spectra']} spectra; by MS level: {figures['levels']}\n")
        log.writelines(f"{note}\n" for note in figures["notes"])


if "snakemake" in globals():
    main(globals()["snakemake"])
