"""The only code that knows MongoDB."""

from services.database.connection import Database

__all__ = ["Database"]
