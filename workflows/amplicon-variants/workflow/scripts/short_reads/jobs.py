"""Failure of a job."""

import sys
from typing import NoReturn, TextIO


def fail(problem: Exception | str, log: TextIO) -> NoReturn:
    """Write the problem to the end of the log and to standard error, and exit with code 1."""
    log.write(f"{problem}\n")
    log.flush()
    print(problem, file=sys.stderr)
    sys.exit(1)
