"""Software that workflows declare, and that Snakemake can install for them (conda, apptainer)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from services.catalogue.requirements import importable, program
from services.catalogue.schemas import Broken, mapping

DIRECTIVES = re.compile(r"^[ \t]*(conda|container|containerized|singularity)[ \t]*:", re.MULTILINE)
METHOD = {"conda": "conda"}  # all others are images
#: What Snakemake 9.27 calls for each, any of them (snakemake/deployment/)
PROGRAMS = {"conda": ("conda",), "apptainer": ("apptainer", "singularity")}
PACKAGE = re.compile(r"(?:[\w.-]+::)?([A-Za-z0-9][A-Za-z0-9._-]*)")
OTHERS = {"python", "pip", "r-base", "perl"}  # not what a rule calls by that name, or always there


def declared(folder: Path) -> frozenset[str]:
    """The ways to install software that the rules of a workflow name: conda, apptainer."""
    found = set()
    for path in _below(folder, (".smk", "Snakefile")):
        text = path.read_text(encoding="utf-8", errors="replace")
        found |= {METHOD.get(word, "apptainer") for word in DIRECTIVES.findall(text)}
    return frozenset(found)


def absent(methods: Iterable[str]) -> list[str]:
    """Those of these ways for which this host has no program."""
    return [method for method in methods if not any(map(program, PROGRAMS[method]))]


def gone(methods: Iterable[str]) -> list[str]:
    """The same in words."""
    return [
        f"RUNDESK_SOFTWARE names {method}, which is not installed on this host."
        for method in absent(methods)
    ]


def unmet(folder: Path, methods: Sequence[str]) -> list[str]:
    """What a workflow declares and this desk does not install, in words."""
    wanted = declared(folder)
    if not wanted or wanted & set(methods):
        return gone(one for one in methods if one in wanted)
    names = " and ".join(sorted(wanted))
    words = f"It asks for {names}, which RUNDESK_SOFTWARE does not turn on: it uses this host's own"
    lacking = [name for name in _packages(folder) if not program(name) and not importable(name)]
    listed = f" programs, where nothing is named {', '.join(lacking)}" if lacking else " programs"
    return [f"{words}{listed}."]


def _packages(folder: Path) -> list[str]:
    """What the conda environments of a workflow name, in order."""
    found: dict[str, None] = {}
    for path in _below(folder, (".yaml", ".yml")):
        if path.parent.name != "envs":
            continue
        try:
            wanted = mapping(path).get("dependencies") or []
        except Broken:
            continue
        for entry in wanted:
            if isinstance(entry, str) and (package := PACKAGE.match(entry)):
                found[package[1]] = None
    return [name for name in found if name not in OTHERS]


def _below(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """Files with such names, none of them hidden, in order."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.name.endswith(endings)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
