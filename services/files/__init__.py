"""Files: the registry, uploads, imports, downloads, the inbox and content checks."""

from services.files.registry import Files

__all__ = ["Files"]
