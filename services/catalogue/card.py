"""What the files of a repository say about its workflow: title, summary, version and license.

Published workflows have no place for them but README.md, CITATION.cff and LICENSE. A manifest takes
precedence over everything here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.catalogue.configuration import Broken, mapping

READMES = ("README.md", "readme.md", "Readme.md", "config/README.md")
LICENSES = ("LICENSE", "LICENSE.md", "LICENSE.txt", "COPYING", "COPYRIGHT")
SOURCE = ".rundesk/source.json"  # of an added workflow
MAX_README_BYTES = 64 * 1024
MAX_SUMMARY_CHARACTERS = 240
MAX_TITLE_CHARACTERS = 80
MAX_TITLE_LINES = 12  # within which a README has its title
MIN_SUMMARY_CHARACTERS = 20

#: The start of a license → its SPDX identifier, the more specific ones first.
SPDX = (
    (re.compile(r"GNU AFFERO GENERAL PUBLIC LICENSE\s+Version 3", re.I), "AGPL-3.0-only"),
    (re.compile(r"GNU LESSER GENERAL PUBLIC LICENSE\s+Version 3", re.I), "LGPL-3.0-only"),
    (re.compile(r"GNU GENERAL PUBLIC LICENSE\s+Version 3", re.I), "GPL-3.0-only"),
    (re.compile(r"GNU GENERAL PUBLIC LICENSE\s+Version 2", re.I), "GPL-2.0-only"),
    (re.compile(r"Apache License\s+Version 2\.0", re.I), "Apache-2.0"),
    (re.compile(r"Mozilla Public License,? Version 2\.0", re.I), "MPL-2.0"),
    (re.compile(r"Permission is hereby granted, free of charge", re.I), "MIT"),
    (
        re.compile(r"Redistribution and use in source.*Neither the name", re.I | re.S),
        "BSD-3-Clause",
    ),
    (re.compile(r"Redistribution and use in source", re.I), "BSD-2-Clause"),
    (re.compile(r"Attribution 4\.0 International", re.I), "CC-BY-4.0"),
    (re.compile(r"CC0 1\.0 Universal", re.I), "CC0-1.0"),
)
HEADING = re.compile(r"^#\s+(.+?)\s*#*$|^(\S[^\n]*)\n=+\s*$", re.MULTILINE)
PREFIX = re.compile(r"^(a\s+)?snakemake[- ]workflow(\s+for)?\s*:?\s*", re.IGNORECASE)
IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
TAG = re.compile(r"<[^<>]+>")
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
NO_PROSE = re.compile(r"^([#>|*+\-=`~:]|\d+[.)]|\[[^\]]+\]:)")
INSTRUCTION = re.compile(
    r"^(the usage of|if you use|usage|todo|replace|please|note\b|this is a template|read the"
    r"|https?:)",
    re.I,
)
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9])")
GENERIC = {"overview", "documentation", "introduction", "about", "readme", "workflow", "usage"}


@dataclass(frozen=True)
class Card:
    """The texts about a workflow; each may be empty."""

    title: str = ""
    summary: str = ""
    version: str = ""
    license: str = ""


def card_of(folder: Path) -> Card:
    """Return what the files of the workflow in a folder say about it."""
    readme = _text(folder, READMES)
    citation = _citation(folder)
    return Card(
        title=_title(readme, folder.name),
        summary=_summary(readme),
        version=_ref(folder) or citation.get("version", ""),
        license=citation.get("license", "") or _license(folder),
    )


def _title(readme: str, name: str) -> str:
    """Return the heading of a README, unless it only repeats the name of the folder."""
    match = HEADING.search("\n".join(COMMENT.sub("", readme).splitlines()[:MAX_TITLE_LINES]))
    if not match:
        return ""
    title = PREFIX.sub("", _plain(match[1] or match[2] or "")).strip(" .:`")
    if not title or len(title) > MAX_TITLE_CHARACTERS or _slug(title) in {_slug(name), *GENERIC}:
        return ""
    return title[0].upper() + title[1:]


def _summary(readme: str) -> str:
    """Return the first sentences of prose in a README."""
    for paragraph in _paragraphs(readme):
        text = _plain(paragraph)
        if len(text) < MIN_SUMMARY_CHARACTERS or INSTRUCTION.match(text):
            continue
        if len(text) <= MAX_SUMMARY_CHARACTERS:
            return text
        kept = ""
        for sentence in SENTENCE_END.split(text):
            if len(kept) + len(sentence) > MAX_SUMMARY_CHARACTERS:
                break
            kept += f"{sentence} "
        return kept.strip() or text[:MAX_SUMMARY_CHARACTERS].rsplit(" ", 1)[0] + " …"
    return ""


def _paragraphs(readme: str) -> Iterator[str]:
    """Yield the paragraphs of prose: no headings, lists, tables, images or code."""
    prose = re.sub(r"^(```|~~~).*?^\1", "", COMMENT.sub("", readme), flags=re.M | re.S)
    for block in re.split(r"\n\s*\n", prose):
        lines = [line.strip() for line in block.splitlines()]
        kept = [line for line in lines if _plain(line) and not NO_PROSE.match(line)]
        if kept and len(kept) == len([line for line in lines if _plain(line)]):
            yield " ".join(kept)


def _plain(text: str) -> str:
    """Return Markdown as plain text."""
    text = LINK.sub(r"\1", IMAGE.sub("", text))
    return " ".join(re.sub(r"[*`]|(?<!\w)_|_(?!\w)", "", TAG.sub("", text)).split())


def _citation(folder: Path) -> dict[str, str]:
    path = folder / "CITATION.cff"
    try:
        given = mapping(path) if path.is_file() else {}
    except Broken:
        return {}
    names = ("version", "license")
    return {name: str(given[name]) for name in names if isinstance(given.get(name), str | float)}


def _license(folder: Path) -> str:
    """Return the SPDX identifier of the license in a folder, "" if it is none of the usual ones."""
    text = " ".join(_text(folder, LICENSES).split())
    return next((name for pattern, name in SPDX if pattern.search(text)), "")


def _ref(folder: Path) -> str:
    """Return the branch or tag that an added workflow came from."""
    try:
        return str(json.loads((folder / SOURCE).read_bytes()).get("ref", ""))
    except (OSError, ValueError):
        return ""


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _text(folder: Path, names: tuple[str, ...]) -> str:
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    if path is None:
        return ""
    with path.open("rb") as file:
        return file.read(MAX_README_BYTES).decode("utf-8", "replace")
