"""Call the variants of all samples together with bcftools."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pysam
import pysam.bcftools as bcftools
from short_reads.jobs import fail

FIELDS = "FORMAT/AD,FORMAT/DP,INFO/AD"


def call(job, folder):
    """Run the steps; each reads the output of the previous one."""
    piled, called, normal, marked = (f"{folder}/{number}.bcf" for number in range(4))
    given, reference = job.params, job.input.reference
    limits = ["-q", given.min_mapping_quality, "-Q", given.min_base_quality, "-d", given.max_depth]
    low = ["-s", "LowQual", "-e", f"QUAL<{given.min_variant_quality}"]
    few = ["-s", "LowDepth", "-m", "+", "-e", f"INFO/DP<{given.min_variant_depth}"]
    pile = ["-f", reference, "-a", FIELDS, *limits]
    step(bcftools.mpileup, list(job.input.bams), piled, pile)
    step(bcftools.call, [piled], called, ["-m", "-v", "--ploidy", given.ploidy])
    step(bcftools.norm, [called], normal, ["-f", reference, "-m", "-any"])
    step(bcftools.filter, [normal], marked, low)
    step(bcftools.filter, [marked], job.output.vcf, few, form="z")


def step(command, sources, target, options, form="u"):
    """Run one bcftools command on `sources`; `form` is the output type as in its option -O."""
    words = [*options, f"-O{form}", "-o", target, *sources]
    command(*(str(word) for word in words), catch_stdout=False)


def main(job):
    with open(job.log[0], "w", encoding="utf-8") as log:
        try:
            with TemporaryDirectory(dir="work", prefix="call-") as folder:
                call(job, folder)
            pysam.tabix_index(job.output.vcf, preset="vcf", force=True)
            stats = bcftools.stats("-s", "-", job.output.vcf)
        except pysam.SamtoolsError as error:
            fail(f"bcftools failed: {error}", log)
        Path(job.output.stats).write_text(stats, encoding="utf-8")
        log.write(f"Used bcftools {pysam.version.__bcftools_version__}.\n")


if "snakemake" in globals():
    main(globals()["snakemake"])
