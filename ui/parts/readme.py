"""A workflow's README as Markdown that fits into a page and loads nothing."""

from __future__ import annotations

import re

CODE = re.compile(r"(^ {0,3}(`{3,}|~{3,}).*?(?:^ {0,3}\2[^\n]*$|\Z)|`[^`\n]+`)", re.M | re.S)
TITLE = re.compile(r"\A\s*# [^\n]*\n")  # the page has one of its own
HEADING = re.compile(r"^(#{1,4}) ", re.M)
INNER = re.compile(r"\[([^\]\[]+)\]\((?!https?://|mailto:|#)[^)]*\)")  # links to its other files


def shown(text: str) -> str:
    """`text` with smaller headings, images as links, and no formulas; code stays as it is."""
    parts = CODE.split(TITLE.sub("", text))
    # every third part is code; the one after it is the kind of its fence
    return "".join(
        part if place % 3 else _prose(part) for place, part in enumerate(parts) if place % 3 != 2
    )


def _prose(text: str) -> str:
    text = HEADING.sub(r"##\1 ", text)
    text = text.replace("![", "[").replace("$", r"\$")
    return INNER.sub(r"\1", text)
