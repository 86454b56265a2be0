"""`python -m services.database`: keeps the embedded MongoDB, or stands by for another."""

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
            logging.info("MONGODB_URI is set: no embedded database; standing by")
            while True:
                signal.pause()
        keep(settings)
    except RundeskError as error:
        sys.exit(f"rundesk: {error}")


if __name__ == "__main__":
    main()
