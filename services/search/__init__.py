"""Sequence searches: named databases and BLAST."""
