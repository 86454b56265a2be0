import sys
from pathlib import Path

sys.path.insert(0, str(Path(snakemake.scriptdir)))
from helpers.logs import said

Path(snakemake.output[0]).write_text(said())
