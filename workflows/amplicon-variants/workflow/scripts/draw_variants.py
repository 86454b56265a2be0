"""Write the HTML page with the figure and the table of all variants."""

from collections import Counter
from datetime import UTC, datetime
from heapq import nlargest
from pathlib import Path

from amplicon_variants.depth import read_depths
from amplicon_variants.page import MAX_SEQUENCES, MAX_VARIANTS, PageContent, build_page
from amplicon_variants.picture import PLOT, Track
from amplicon_variants.tools import TOOLS
from amplicon_variants.variants import read_variants
from short_reads.multiqc import with_version


def lengths_of(fai):
    rows = (line.split("\t") for line in Path(fai).read_text().splitlines())
    return {name: int(length) for name, length, *_ in rows}


def best(vcf):
    """Return the best variants in VCF order, and how many passed the filters or failed one."""
    counts = Counter(variant.passed for variant in read_variants(vcf))
    passed = (one for one in enumerate(read_variants(vcf)) if one[1].passed)
    chosen = nlargest(MAX_VARIANTS, passed, key=lambda one: (one[1].quality, -one[0]))
    return [variant for _, variant in sorted(chosen, key=lambda one: one[0])], counts


def sequences_to_draw(lengths, variants):
    """Return the sequences with the most variants, then the longest ones, with their lengths."""
    counts = Counter(variant.sequence for variant in variants)
    ranked = sorted(lengths, key=lambda name: (-counts[name], -lengths[name]))
    names = set(ranked[:MAX_SEQUENCES])
    return {name: length for name, length in lengths.items() if name in names}


def main(job):
    samples = list(job.params.samples)
    settings = {**job.params.settings, "reference": Path(job.params.settings["reference"]).name}
    variants, counts = best(job.input.vcf)
    lengths = lengths_of(job.input.fai)
    shown = sequences_to_draw(lengths, variants)
    depths = {
        sample: read_depths(path, shown, PLOT)
        for sample, path in zip(samples, job.input.depths, strict=True)
    }
    tracks = [
        Track(
            name,
            length,
            samples,
            {sample: depths[sample][name] for sample in samples},
            [variant for variant in variants if variant.sequence == name],
        )
        for name, length in shown.items()
    ]
    page = build_page(
        PageContent(
            samples=samples,
            tracks=tracks,
            listed=variants,
            passed=counts[True],
            filtered=counts[False],
            sequences=len(lengths),
            settings=settings,
            tools=with_version(TOOLS, "snakemake", job.params.snakemake),
            made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        )
    )
    Path(job.output[0]).write_text(page, encoding="utf-8")
    Path(job.log[0]).write_text(f"Drew {len(variants)} variants on {len(tracks)} sequences.\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
