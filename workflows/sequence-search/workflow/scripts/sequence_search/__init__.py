"""Modules of the sequence search workflow, independent of Snakemake."""
