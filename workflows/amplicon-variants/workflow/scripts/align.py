"""Align the reads of one sample and write a sorted and indexed BAM file."""

from pathlib import Path
from tempfile import TemporaryDirectory

import dnaio
import mappy
import pysam
from amplicon_variants.alignment import Writer
from short_reads.jobs import fail

PLATFORMS = {"sr": "ILLUMINA", "map-ont": "ONT", "map-hifi": "PACBIO", "map-pb": "PACBIO"}


def header(job):
    with pysam.FastaFile(job.input.reference) as reference:
        sequences = [
            {"SN": name, "LN": length}
            for name, length in zip(reference.references, reference.lengths, strict=True)
        ]
    sample = job.wildcards.sample
    platform = PLATFORMS[job.params.preset]
    return pysam.AlignmentHeader.from_dict(
        {
            "HD": {"VN": "1.6", "SO": "unsorted"},
            "SQ": sequences,
            "RG": [{"ID": sample, "SM": sample, "LB": sample, "PL": platform}],
            "PG": [
                {
                    "ID": "minimap2",
                    "PN": "minimap2",
                    "VN": mappy.__version__,
                    "CL": f"mappy preset={job.params.preset}",
                }
            ],
        }
    )


def records(job, aligner, writer):
    """Yield the SAM records of all reads of the sample, in their order."""
    with dnaio.open(*job.input.reads) as reader:
        if len(job.input.reads) == 1:
            for read in reader:
                yield from writer.single(read, list(aligner.map(read.sequence, MD=True)))
            return
        for pair in reader:
            hits = list(aligner.map(pair[0].sequence, pair[1].sequence, MD=True))
            first, second = ([hit for hit in hits if hit.read_num == side] for side in (1, 2))
            yield from writer.pair(pair, (first, second))


def main(job):
    with open(job.log[0], "w", encoding="utf-8") as log:
        aligner = mappy.Aligner(job.input.index, preset=job.params.preset)
        if not aligner:
            fail("The minimap2 index of the reference cannot be read.", log)
        head = header(job)
        writer = Writer(head, job.wildcards.sample, job.params.max_insert)
        with TemporaryDirectory(dir="work", prefix="align-") as folder:
            unsorted = str(Path(folder, "unsorted.bam"))
            count = 0
            with pysam.AlignmentFile(unsorted, "wb", header=head) as bam:
                for record in records(job, aligner, writer):
                    bam.write(record)
                    count += 1
            prefix = str(Path(folder, "sort"))
            pysam.sort("-T", prefix, "-o", job.output.bam, unsorted)
        pysam.index(job.output.bam, job.output.bai)
        log.write(f"Wrote {count:,} records.\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
