"""The logic of the sequence search workflow, apart from Snakemake."""
