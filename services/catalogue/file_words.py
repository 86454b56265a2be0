"""The names and texts by which authors of workflows usually mean files, folders and results."""

from __future__ import annotations

import re
from collections.abc import Sequence

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.I)
TABLE = re.compile(r"[.](tsv|csv|xlsx|xls|ods)$", re.I)
#: Suffixes of files that workflows take, each possibly compressed.
FILE = re.compile(
    r"[.](fa|fasta|fna|faa|ffn|fas|fq|fastq|sam|bam|cram|vcf|bcf|bed|bedpe|bigbed|bw|bigwig|wig"
    r"|gtf|gff|gff3|gb|gbk|gbff|embl|2bit|fai|dict|sizes|interval_list|intervals|maf|ped|fam|bim"
    r"|nwk|newick|tree|nex|tsv|csv|txt|tab|dat|xlsx|xls|ods|json|ya?ml|xml|h5|h5ad|hdf5|loom|mtx"
    r"|rds|rdata|rda|pkl|pickle|npz|npy|mzml|mzxml|raw|mgf|pod5|fast5|blow5|sra|pdb|cif|sdf|mol2"
    r"|smi|hmm|msh|sig|gmt|obo|owl|bib|rst|md|db|sqlite|parquet|feather|tif|tiff|png|jpg|svg|nii"
    r"|geojson|shp|nc|zip|tar|tgz|zarr|k31|t2t|paf|chain|names|nodes|model|pt|onnx|bin|cfg|ini"
    r"|conf|primer3|adapters|whitelist|blacklist|barcodes|regions|list|lst|ids)"
    r"([.](gz|bz2|xz|zst|bgz|zip))?$",
    re.I,
)
OUTPUT_NAME = re.compile(
    r"(^|[_.-])(out|output|outputs|outdir|result|results|resultsdir|log|logs|logdir|tmp|temp|tmpdir"
    r"|tempdir|scratch|work|workdir|cache|prefix|suffix|publish|benchmark|benchmarks)"
    r"($|[_.-])|^out|results?_?(dir|path|folder)|(log|tmp|temp|work|cache)_?(dir|path|folder)",
    re.I,
)
OUTPUT_VALUE = re.compile(r"^[.]?/?(results?|logs?|output|out|tmp|temp|benchmarks?)(/|$)", re.I)
FILE_NAME = re.compile(
    r"(^|[_.-])(file|fasta|fastq|fq|fq1|fq2|bam|cram|vcf|bcf|bed|gtf|gff|gff3|sheet|samplesheet"
    r"|metadata|whitelist|blacklist|blocklist|annotation|annotations|scenario|path)$",
    re.I,
)
FOLDER_NAME = re.compile(
    r"(^|[_.-])(dir|folder|directory|indir|inputdir|datadir|reads|fastqs|input|inputs|data)$"
    r"|dir$|folder$|directory$",
    re.I,
)
FILE_HELP = re.compile(
    r"\bpath (to|of)\b|\bfile ?path\b"
    r"|\b(tsv|csv|fasta|fastq|bam|cram|vcf|bed|gtf|gff|yaml|json|excel)[- ](file|table|format)"
    r"|\bfile (with|containing|of|that)\b",
    re.I,
)
FOLDER_HELP = re.compile(r"\b(folder|directory)\b", re.I)
COLUMN = re.compile(
    r"^(fq|fastq|r|read|reads|mate|forward|reverse|fwd|rev|fw|rv|bam|cram|vcf|bcf|bed|fasta|fa|gtf"
    r"|gff|path|file|filename|filepath|bigwig|bw|mzml|raw|pod5|assembly|genome_file|contigs|peaks"
    r"|long_reads|short_reads|nanopore|illumina)[_.-]?(1|2|r1|r2|one|two|path|file|gz)?$"
    r"|(^|[_.-])(fq|fastq|bam|cram|vcf|bcf|bed|fasta|gtf|gff|path|file|filename|filepath|mzml|reads)"
    r"([_.-]?[12])?$"
    r"|^(fastq|fq|bam|vcf|fasta|path)[_.-]|^(read|r|fq|fastq|mate)[_.-]?[12]([_.-].*)?$"
    r"|(fastq|fq|read|reads|forward|reverse)[_.-]?(r?[12])$|^(forward|reverse)[_ -]?reads?$",
    re.I,
)
COLUMN_HELP = re.compile(
    r"\bpaths? (to|of)\b|\bfile ?path"
    r"|\b(fastq|fasta|bam|cram|vcf|bed|gtf|gff|raw|mzml)[- ]?files?\b"
    r"|\bfilenames?\b",
    re.I,
)
NOT_PATH = re.compile(r"[;|<>\"'$`(){}\[\]\\\t\n]|^-")
SUFFIX = re.compile(r"[^/.][.][A-Za-z][A-Za-z0-9_]{0,19}$")
OWN = re.compile(r"(^|/)(workflow|envs|scripts|rules|schemas)/")  # what the workflow is made of
MAX_PATH = 500  # characters


def is_address(text: str) -> bool:
    """Return whether a text is an address of another host: https://…, s3://…"""
    return bool(ADDRESS.match(text))


def is_path(text: str) -> bool:
    """Return whether a text may be the path of a file or a folder."""
    if not text or len(text) > MAX_PATH or NOT_PATH.search(text) or is_address(text):
        return False
    name = text.rpartition("/")[2]
    return "/" in text or (bool(FILE.search(text)) and not name.startswith("."))


def is_table(text: str) -> bool:
    """Return whether a path names a table."""
    return bool(TABLE.search(text))


def is_output(location: Sequence[str], text: str) -> bool:
    """Return whether a value names what the workflow writes."""
    return bool(OUTPUT_NAME.search(location[-1])) or bool(OUTPUT_VALUE.match(text))


def is_own(text: str) -> bool:
    """Return whether a path names a part of the workflow's own code."""
    return (bool(OWN.search(text)) and not FILE.search(text)) or text.startswith("envs/")


def is_file(name: str, text: str, description: str) -> bool:
    """Return whether a value names a file, by its suffix, or by its name and description."""
    if text:
        return is_path(text) and bool(FILE.search(text) or ("/" in text and SUFFIX.search(text)))
    words = bool(FILE_NAME.search(name)) and not FOLDER_NAME.search(name)
    return bool(FILE_HELP.search(description)) and words


def is_folder(name: str, text: str, description: str) -> bool:
    """Return whether a value that names nothing of the workflow names a folder of files."""
    return bool(text) and is_path(text) and is_folder_name(name, description)


def is_folder_name(name: str, description: str) -> bool:
    """Return whether authors call a folder of input files so."""
    return bool(FOLDER_NAME.search(name)) or bool(FOLDER_HELP.search(description))


def is_file_column(name: str, description: str, cells: Sequence[str]) -> bool:
    """Return whether the cells of a column name files."""
    if FOLDER_NAME.search(name) and re.search("dir|folder", name, re.I):
        return False
    given = [cell for cell in cells if cell]
    if given and all(not is_path(cell) and not is_address(cell) for cell in given):
        return False  # a column "reads" with numbers, or "file" with names of samples
    if any(is_path(cell) and FILE.search(cell) for cell in given):
        return True
    return bool(COLUMN.search(name)) or bool(COLUMN_HELP.search(description))
