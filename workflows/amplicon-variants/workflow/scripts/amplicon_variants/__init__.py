"""Modules of the amplicon variants workflow."""
