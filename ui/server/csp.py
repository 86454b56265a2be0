"""Content-Security-Policy headers."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence


def policy(directives: Mapping[str, Sequence[str]]) -> str:
    """Return the value of the header. `directives` maps each directive to its sources."""
    return "; ".join(" ".join([name, *sources]) for name, sources in directives.items())


def inline_hashes(page: str, element: str) -> list[str]:
    """Return the sources that allow the inline `element`s of a page, those without attributes."""
    return [_hash(text) for text in re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)]


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
