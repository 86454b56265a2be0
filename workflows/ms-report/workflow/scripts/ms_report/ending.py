"""Output and failure of jobs."""

import os
import sys
from typing import NoReturn, TextIO


class InputProblem(Exception):
    """An input file cannot be used. The message names the file and the reason."""


def redirect_stdout(log: TextIO) -> None:
    """Redirect standard output to the log, including the output of C++ libraries."""
    log.flush()
    os.dup2(log.fileno(), sys.stdout.fileno())


def fail(problem: Exception | str, log: TextIO) -> NoReturn:
    """Write the problem to the end of the log and to standard error, and exit with code 1."""
    log.write(f"{problem}\n")
    log.flush()
    print(problem, file=sys.stderr)
    sys.exit(1)
