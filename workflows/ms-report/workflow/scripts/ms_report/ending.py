"""What a job says, and how one that cannot go on ends."""

import os
import sys
from typing import NoReturn, TextIO


class Unfit(Exception):
    """The inputs cannot be worked on; the message is a sentence for the person who sent them."""


def printing_into(log: TextIO) -> None:
    """From here on the log takes what libraries print, in whatever language they are written."""
    log.flush()
    os.dup2(log.fileno(), sys.stdout.fileno())


def fail(problem: Exception | str, log: TextIO) -> NoReturn:
    """Ends the job with one sentence, last in the log and on standard error."""
    log.write(f"{problem}\n")
    log.flush()
    print(problem, file=sys.stderr)
    sys.exit(1)
