"""How the jobs of these workflows end when something is wrong."""

import sys
from typing import NoReturn, TextIO


def fail(problem: Exception | str, log: TextIO) -> NoReturn:
    """Ends the job with one sentence, last in the log and on standard error."""
    log.write(f"{problem}\n")
    log.flush()
    print(problem, file=sys.stderr)
    sys.exit(1)
