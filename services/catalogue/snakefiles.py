"""What the text of a workflow's Snakefiles says about its configuration, without executing it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_SNAKEFILE_BYTES = 1024 * 1024
KEYS = r"config(?P<keys>(?:\s*\[\s*[\"'][^\"']+[\"']\s*\])+|\.get\(\s*[\"'][^\"']+[\"'])"
READ = re.compile(
    r"(?:^|\n)[ \t]*(?P<name>\w+(?:\[[^\]\n]+\])*)[ \t]*=[ \t\n(]*"
    r"(?:pd|pandas)\.read_(?:csv|table|excel)\(\s*" + KEYS + r"(?P<rest>[^\n]*(?:\n[^\n]*){0,4})"
)
BARE_READ = re.compile(r"(?:pd|pandas)\.read_(?:csv|table|excel)\(\s*" + KEYS)
KEY = re.compile(r"[\"']([^\"']+)[\"']")
SEPARATOR = re.compile(r"\b(?:sep|delimiter)\s*=\s*[\"'](\\t|,|;)[\"']")
ENVVARS = re.compile(
    r"^[ \t]*envvars[ \t]*:((?:\s*(?:#[^\n]*\n\s*)?[\"'][A-Za-z_]\w*[\"']\s*,?)+)", re.MULTILINE
)
WRAPPER = re.compile(r"^[ \t]*wrapper[ \t]*:\s*f?[\"']([^\"'\n]+)[\"']", re.MULTILINE)
REMOTE_MODULE = re.compile(r"\b(github|gitlab)\(\s*(?:repo\s*=\s*)?[\"']([^\"'\n]+)[\"']")
VALIDATE = re.compile(
    r"\bvalidate\(\s*(?P<name>\w+(?:\[[^\]\n]+\])*)\s*,\s*(?:schema\s*=\s*)?"
    r"(?:os\.path\.join\((?P<parts>[^)]*)\)|[\"'](?P<path>[^\"']+)[\"'])"
)


@dataclass(frozen=True)
class TableRead:
    """A table that a Snakefile reads."""

    schema: str  # of a row, relative to the workflow's folder; "" without one
    separator: str  # "" when the Snakefile does not say


def snakefile_texts(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the Snakefiles of a workflow with their texts."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if any(part.startswith(".") for part in parts) or not path.is_file():
            continue
        named = path.name == "Snakefile" or path.suffix in (".smk", ".snakefile", ".snake")
        if named and path.stat().st_size <= MAX_SNAKEFILE_BYTES:
            yield path, path.read_text(encoding="utf-8", errors="replace")


def tables_read(folder: Path) -> dict[tuple[str, ...], TableRead]:
    """Return the tables that Snakefiles read from values of the configuration, by location."""
    names: dict[str, tuple[tuple[str, ...], str]] = {}
    schemas: dict[str, str] = {}
    found: dict[tuple[str, ...], TableRead] = {}
    for path, text in snakefile_texts(folder):
        for match in BARE_READ.finditer(text):
            found.setdefault(_location(match), TableRead("", ""))
        for match in READ.finditer(text):
            separator = SEPARATOR.search(match["rest"])
            symbol = separator[1].replace("\\t", "\t") if separator else ""
            names.setdefault(match["name"], (_location(match), symbol))
        for match in VALIDATE.finditer(text):
            words = match["path"] or "/".join(KEY.findall(match["parts"] or ""))
            target = Path(os.path.normpath(path.parent / words))
            if words and target.is_file() and target.is_relative_to(folder):
                schemas.setdefault(match["name"], str(target.relative_to(folder)))
    for name, (location, symbol) in names.items():
        found[location] = TableRead(schemas.get(name, ""), symbol)
    return found


def variables(folder: Path) -> list[str]:
    """Return the environment variables that the Snakefiles of a workflow require."""
    found: dict[str, None] = {}
    for _, text in snakefile_texts(folder):
        for match in ENVVARS.finditer(text):
            found |= dict.fromkeys(KEY.findall(match[1]))
    return list(found)


def wrappers(folder: Path) -> list[str]:
    """Return the wrappers that rules use, each once: their scripts come from another host."""
    found: dict[str, None] = {}
    for _, text in snakefile_texts(folder):
        found |= dict.fromkeys(
            name for name in WRAPPER.findall(text) if not name.startswith("file:")
        )
    return list(found)


def remote_modules(folder: Path) -> list[str]:
    """Return the repositories from which Snakefiles take modules: "github: owner/name"."""
    found: dict[str, None] = {}
    for _, text in snakefile_texts(folder):
        found |= dict.fromkeys(f"{host}: {name}" for host, name in REMOTE_MODULE.findall(text))
    return list(found)


def _location(match: re.Match[str]) -> tuple[str, ...]:
    return tuple(KEY.findall(match["keys"]))
