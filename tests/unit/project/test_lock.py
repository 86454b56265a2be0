"""requirements/ is current: it fits pyproject.toml, has hashes, and is what is installed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from services.settings import HERE

FOLDER = HERE / "requirements"
PROJECT = tomllib.loads((HERE / "pyproject.toml").read_text())
RUNTIME = PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["build"]
DIRECT = {
    "run": RUNTIME,
    "test": RUNTIME + PROJECT["project"]["optional-dependencies"]["dev"],
}
ENTRY = re.compile(r"(?m)^(?P<pin>[^\s#][^\n]*?)( \\\n    --hash=sha256:[0-9a-f]{64})+$")


@dataclass(frozen=True)
class Pin:
    """A line of a lock: one package at one version, where its marker holds."""

    name: str
    version: str
    marker: Marker | None

    @property
    def applies(self) -> bool:
        return self.marker is None or self.marker.evaluate()


def pins(name: str) -> list[Pin]:
    text = (FOLDER / f"{name}.txt").read_text()
    found = []
    for entry in ENTRY.finditer(text):
        requirement = Requirement(entry["pin"])
        (specifier,) = requirement.specifier
        assert specifier.operator == "=="
        name = canonicalize_name(requirement.name)
        found.append(Pin(name, specifier.version, requirement.marker))
    assert len(found) == len(re.findall(r"(?m)^[A-Za-z0-9]", text)), "a line without a hash"
    return found


def required(distribution: str, extras: frozenset[str] = frozenset()) -> Iterator[Requirement]:
    """What an installed package depends on here."""
    for line in metadata.requires(distribution) or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": one}) for one in {"", *extras}):
            yield requirement


def closure(direct: list[str]) -> set[str]:
    """Names of all packages that these need on this machine, directly or not."""
    waiting = [requirement for line in direct if applies(requirement := Requirement(line))]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement = waiting.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key not in seen:
            seen.add(key)
            waiting += required(*key)
    return {name for name, _ in seen}


def applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate()


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.txt")))
def test_lock_names_no_index_and_has_hashes(name):
    assert pins(name)
    assert "://" not in (FOLDER / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", DIRECT)
def test_lock_has_a_fitting_version_of_each_dependency(name):
    locked = {pin.name: pin.version for pin in pins(name) if pin.applies}
    wrong = [
        line
        for line in DIRECT[name]
        if applies(wanted := Requirement(line))
        and not wanted.specifier.contains(locked.get(canonicalize_name(wanted.name), "0"))
    ]
    assert not wrong, "run `make lock`"


@pytest.mark.parametrize("name", DIRECT)
def test_lock_has_exactly_the_packages_that_are_needed(name):
    assert {pin.name for pin in pins(name) if pin.applies} == closure(DIRECT[name])


def test_installed_versions_are_the_locked_ones():
    others = {
        pin.name: (pin.version, metadata.version(pin.name))
        for pin in pins("test")
        if pin.applies and metadata.version(pin.name) != pin.version
    }
    assert not others, "run `make test`, which installs the locked versions"


def test_run_and_test_locks_agree():
    tested = {pin.name: pin.version for pin in pins("test") if pin.applies}
    assert {pin.name: pin.version for pin in pins("run") if pin.applies}.items() <= tested.items()
