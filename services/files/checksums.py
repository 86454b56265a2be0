"""Checksums of files that arrive in pieces, kept while they grow."""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING

from services.settings import MIB

if TYPE_CHECKING:
    from hashlib import _Hash

MOST = 64  # files at once


class Digests:
    """sha256 of files as far as this process saw them arrive, from their beginning on.

    What it did not see (another process took it, or this one is new) is read once at the end. Who
    calls holds the lock of the file.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, _Hash]] = {}  # bytes hashed, and the state after them
        self._lock = threading.Lock()

    def add(self, name: str, block: bytes, offset: int) -> None:
        """Take in a block that was written at `offset`, if it is the next one."""
        reached, digest = self._get(name)
        if reached == offset:
            digest.update(block)
            self._put(name, offset + len(block), digest)

    def whole(self, name: str, part: int) -> str:
        """The checksum of an open file, in hexadecimal digits."""
        reached, digest = self._get(name)
        while block := os.pread(part, MIB, reached):
            digest.update(block)
            reached += len(block)
            self._put(name, reached, digest)
        return digest.hexdigest()

    def drop(self, name: str) -> None:
        with self._lock:
            self._known.pop(name, None)

    def _get(self, name: str) -> tuple[int, _Hash]:
        with self._lock:
            return self._known.get(name) or (0, hashlib.sha256())

    def _put(self, name: str, reached: int, digest: _Hash) -> None:
        with self._lock:
            self._known.pop(name, None)
            self._known[name] = reached, digest
            while len(self._known) > MOST:
                self._known.pop(next(iter(self._known)))
