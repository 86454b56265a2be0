"""Checksums of files that arrive in pieces, computed while they grow."""

from __future__ import annotations

import hashlib
import os
import threading
from typing import TYPE_CHECKING

from services.settings import MIB

if TYPE_CHECKING:
    from hashlib import _Hash

MAX_TRACKED_FILES = 64


class Digests:
    """Running sha256 states of growing files, each over the bytes that this process received.

    Bytes received by other processes, or before this one started, are read from the file at the
    end. Callers must hold the lock of the file.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, _Hash]] = {}  # bytes hashed, and the state after them
        self._lock = threading.Lock()

    def add(self, name: str, block: bytes, offset: int) -> None:
        """Add a block that was written at `offset`, unless bytes before it are missing here."""
        reached, digest = self._get(name)
        if reached == offset:
            digest.update(block)
            self._put(name, offset + len(block), digest)

    def hexdigest(self, name: str, part: int) -> str:
        """Return the sha256 of the whole file that is open as `part`, in hexadecimal digits."""
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
            while len(self._known) > MAX_TRACKED_FILES:
                self._known.pop(next(iter(self._known)))
