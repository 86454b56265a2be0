"""`python -m services.database`: run the embedded MongoDB, or idle where MONGODB_URI is set."""

from __future__ import annotations

import logging
import signal
import sys

from services.database.embedded.keeper import keep, stop_on_signals
from services.errors import RundeskError
from services.settings import Settings


def main() -> None:
    try:
        settings = Settings.load()
        logging.basicConfig(
            level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
        )
        stop_on_signals()
        if settings.mongodb_uri:
            logging.info("MONGODB_URI is set: the embedded database is not started")
            while True:
                signal.pause()
        keep(settings)
    except RundeskError as error:
        sys.exit(f"rundesk: {error.message} {error.hint}".rstrip())


if __name__ == "__main__":
    main()
