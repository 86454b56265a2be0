"""Parameters that are paths: none may lead around the access rules of files.

A text parameter reaches a program of the workflow, which reads whatever the account of Rundesk may
read. With sign-in, such a path must lie below a folder that the operator opened.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.errors import Message, Problem
from services.params import json_values

END = r"""\s"'`,;:|<>&(){}\[\]"""  # what no path in a text continues after
ROOTED = re.compile(rf"/[^{END}]*")
RELATIVE = re.compile(rf"(?:^|(?<=[=@{END}]))[^/=@{END}]+(?:/[^{END}]*)?")
HOME = re.compile(r"(?:^|(?<=[^\w/]))~(?P<user>[\w.-]*)/|\$\{?HOME\b")
#: Before the slash of a relative path; after an option such as -I the path is absolute.
INNER, OPTION = re.compile(r"[\w.~\-/})\]*?]$"), re.compile(r"(^|\s)-\w$")

MAX_SHOWN = 200  # characters of a path in a message
Place = tuple[str | int, ...]

PATH_REFUSED = Message(
    "forbidden",
    "The path {path} is outside of the run.",
    hint="Upload the file and choose it, or ask the operator to open its folder with"
    " RUNDESK_READABLE.",
)


def path_problems(
    params: Mapping[str, Any], own: Mapping[str, Any], readable: Sequence[Path]
) -> Iterator[Problem]:
    """Yield a problem for each text in parameters that names a path outside of the run.

    Values that are the same in `own`, which are those of the workflow itself, are accepted, and so
    are paths below one of the folders `readable`.
    """
    for place, text in _texts(params):
        if _at(own, place) == text:
            continue
        for path in outside_paths(text):
            if not _is_readable(path, readable):
                yield Problem(json_values.field_name("params", *place), PATH_REFUSED(path=path))
                break


def outside_paths(text: str) -> Iterator[str]:
    """Yield the paths in a text that are absolute, in a home folder, or climb out of the run.

    A path within a longer text is taken for an absolute one if its first folder exists on this
    server: else no program could read it, and `s|/a/|b|` is none.
    """
    whole = text.strip()
    for match in ROOTED.finditer(whole):
        path, before = match[0], whole[: match.start()]
        inner = INNER.search(before) and not OPTION.search(before) and "$" not in before
        alone = path == whole and len(path) > 1
        if alone or (not inner and _exists(path)):
            yield path[:MAX_SHOWN]
    for match in RELATIVE.finditer(whole):
        if os.path.normpath(match[0]).split("/")[0] == "..":
            yield match[0][:MAX_SHOWN]
    for match in HOME.finditer(whole):
        if not match["user"] or _is_user(match["user"]):
            yield whole[match.start() :][:MAX_SHOWN]


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _exists(path: str) -> bool:
    first = os.path.normpath(path).lstrip("/").split("/")[0]
    return bool(first) and os.path.lexists(f"/{first}")


def _is_readable(path: str, readable: Sequence[Path]) -> bool:
    """Whether a path, with links followed, lies below an opened folder."""
    if not path.startswith("/"):
        return False
    real = Path(path).resolve()
    return any(real.is_relative_to(folder.resolve()) for folder in readable)


def _texts(
    value: Any, place: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(name, (*place, name))
            yield from _texts(inner, (*place, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*place, index))


def _at(values: Any, place: Sequence[str | int]) -> Any:
    for step in place:
        try:
            values = values[step]
        except (KeyError, IndexError, TypeError):
            return None
    return values
