"""The README of a workflow as Markdown that fits into a page and loads nothing."""

from __future__ import annotations

import re

CODE = re.compile(r"(^ {0,3}(`{3,}|~{3,}).*?(?:^ {0,3}\2[^\n]*$|\Z)|`[^`\n]+`)", re.M | re.S)
TITLE = re.compile(r"\A\s*# [^\n]*\n")  # the page shows the title itself
HEADING = re.compile(r"^(#{1,4}) ", re.M)
#: Links to other files of the workflow
INNER = re.compile(r"\[([^\]\[]+)\]\((?!https?://|mailto:|#)[^)]*\)")


def as_page(text: str) -> str:
    """Return `text` with smaller headings, images as links, and no formulas; code is unchanged."""
    parts = CODE.split(TITLE.sub("", text))
    # The parts repeat in threes: prose, code, and the fence of that code.
    return "".join(
        part if index % 3 else _prose(part) for index, part in enumerate(parts) if index % 3 != 2
    )


def _prose(text: str) -> str:
    text = HEADING.sub(r"##\1 ", text)
    text = text.replace("![", "[").replace("$", r"\$")
    return INNER.sub(r"\1", text)
