"""What a page may load, as a Content-Security-Policy."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence


def joined(parts: Mapping[str, Sequence[str]]) -> str:
    """The header: directive → sources."""
    return "; ".join(" ".join([name, *sources]) for name, sources in parts.items())


def hashed(page: str, element: str) -> list[str]:
    """Sources that allow exactly what stands in the page's own `element`s without attributes."""
    return [_hash(text) for text in re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)]


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
