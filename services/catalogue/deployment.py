"""Software that workflows declare and that Snakemake can install (conda, apptainer)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from services.catalogue.configuration import Broken, mapping
from services.catalogue.requirements import importable, program
from services.errors import Message, Text

DIRECTIVES = re.compile(r"^[ \t]*(conda|container|containerized|singularity)[ \t]*:", re.MULTILINE)
METHOD = {"conda": "conda"}  # all other directives name images
#: The programs that Snakemake 9.27 calls for each method; one suffices (snakemake/deployment/)
PROGRAMS = {"conda": ("conda",), "apptainer": ("apptainer", "singularity")}
PACKAGE = re.compile(r"(?:[\w.-]+::)?([A-Za-z0-9][A-Za-z0-9._-]*)")
NOT_PROGRAMS = {"python", "pip", "r-base", "perl"}  # called by another name, or always installed

INSTALLER_MISSING = Message(
    "unmet_requirement",
    "RUNDESK_SOFTWARE names {method}, which is not installed on this server.",
)
METHODS_DISABLED = Message(
    "unmet_requirement",
    "The workflow declares software for {methods}, which RUNDESK_SOFTWARE does not enable: "
    "the programs of this server are used instead.",
)
METHODS_DISABLED_PROGRAMS_MISSING = Message(
    "unmet_requirement",
    "The workflow declares software for {methods}, which RUNDESK_SOFTWARE does not enable: "
    "the programs of this server are used instead, and none of them is named {programs}.",
)


def declared_methods(folder: Path) -> frozenset[str]:
    """Return the installation methods that the rules of a workflow name: conda, apptainer."""
    methods = set()
    for path in _below(folder, (".smk", "Snakefile")):
        text = path.read_text(encoding="utf-8", errors="replace")
        methods |= {METHOD.get(word, "apptainer") for word in DIRECTIVES.findall(text)}
    return frozenset(methods)


def missing_methods(methods: Iterable[str]) -> list[str]:
    """Return those of these methods whose program is not installed."""
    return [method for method in methods if not any(map(program, PROGRAMS[method]))]


def missing_installers(methods: Iterable[str]) -> list[Text]:
    """Return a text for each of these methods whose program is not installed."""
    return [INSTALLER_MISSING(method=method) for method in missing_methods(methods)]


def unmet_requirements(folder: Path, methods: Sequence[str]) -> list[Text]:
    """Return a text for all software that a workflow declares and `methods` cannot install."""
    declared = declared_methods(folder)
    if not declared or declared & set(methods):
        return missing_installers(method for method in methods if method in declared)
    names = " and ".join(sorted(declared))
    missing = [name for name in _packages(folder) if not program(name) and not importable(name)]
    if missing:
        return [METHODS_DISABLED_PROGRAMS_MISSING(methods=names, programs=", ".join(missing))]
    return [METHODS_DISABLED(methods=names)]


def _packages(folder: Path) -> list[str]:
    """The packages that the conda environments of a workflow name, in order."""
    packages: dict[str, None] = {}
    for path in _below(folder, (".yaml", ".yml")):
        if path.parent.name != "envs":
            continue
        try:
            dependencies = mapping(path).get("dependencies") or []
        except Broken:
            continue
        for entry in dependencies:
            if isinstance(entry, str) and (package := PACKAGE.match(entry)):
                packages[package[1]] = None
    return [name for name in packages if name not in NOT_PROGRAMS]


def _below(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """The files below a folder with one of these endings, sorted, without hidden ones."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.name.endswith(endings)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
