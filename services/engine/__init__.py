"""Starts the processes of runs, follows them, and records how they ended."""
