"""The README of a workflow as Markdown that fits into a page and loads nothing."""

from __future__ import annotations

import re

from ui.formatting import WORD_JOINER

CODE = re.compile(r"(^ {0,3}(`{3,}|~{3,}).*?(?:^ {0,3}\2[^\n]*$|\Z)|`[^`\n]+`)", re.M | re.S)
TITLE = re.compile(r"\A\s*# [^\n]*\n")  # the page shows the title itself
HEADING = re.compile(r"^(#{1,4}) ", re.M)
#: Links to other files of the workflow, and definitions of such links
INNER = re.compile(r"\[([^\]\[]+)\]\((?!https?://|mailto:|#)[^)]*\)")
INNER_DEFINITION = re.compile(r"^ {0,3}\[[^\]\n]+\]:\s*<?(?!https?://|mailto:|#)\S.*$", re.M)
IMAGE = re.compile(r"!+(?=\[)")


def as_page(text: str) -> str:
    """Return `text` with smaller headings, images as links, and no formulas; code looks the same.

    What Streamlit takes for code can differ from CODE, so that code cannot contain images either.
    """
    parts = CODE.split(TITLE.sub("", text))
    # The parts repeat in threes: prose, code, and the fence of that code.
    return "".join(
        _code(part) if index % 3 else _prose(part)
        for index, part in enumerate(parts)
        if index % 3 != 2
    )


def _code(text: str) -> str:
    return IMAGE.sub(lambda match: match[0] + WORD_JOINER, text)


def _prose(text: str) -> str:
    text = INNER_DEFINITION.sub("", INNER.sub(r"\1", HEADING.sub(r"##\1 ", text)))
    return IMAGE.sub("", text).replace("$", r"\$")  # last: the others may put a "!" before a "["
