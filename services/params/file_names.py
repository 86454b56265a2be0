"""The names that files must have, in words instead of regular expressions."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from services.errors import Message, Text

MAX_ENDINGS = 24  # more are not listed
#: One part of a pattern: a letter, an escaped dot or the like, [xX], or a group; maybe optional.
PART = re.compile(r"(?:(\w)|\\([.\-_+])|\[(\w)(\w)\]|\((?:\?:)?([^()]*)\))(\?)?")

WRONG_ENDING = Message(
    "wrong_kind_of_file",
    "{file} is not an accepted file: its name must end in one of {endings}.",
    one="{file} is not an accepted file: its name must end in {endings}.",
)
WRONG_FILE_NAME = Message(
    "wrong_kind_of_file",
    "{file} is not an accepted file: its name does not have the required format.",
    hint="{description}",
)


def wrong_file_name(file: str, pattern: str, description: str = "") -> Text:
    """Return the sentence about a file whose name does not match the pattern that it must match.

    It names the accepted endings where the pattern is a list of endings.
    """
    endings = accepted_endings(pattern)
    if endings:
        listed = ", ".join(endings)
        return WRONG_ENDING(file=file, endings=listed, count=len(endings), pattern=pattern)
    return WRONG_FILE_NAME(file=file, pattern=pattern, description=description)


def is_accepted(name: str, pattern: str | None) -> bool:
    """Return whether a file name matches a pattern; endings may be in upper or lower case."""
    return not pattern or re.search(pattern, _in_listed_case(name, pattern)) is not None


def with_listed_ending(name: str, pattern: str | None) -> str:
    """Return an accepted name with its ending as in the pattern: "Q.FASTA" → "Q.fasta".

    Workflows check the names of their files with the same patterns, by case.
    """
    return name if not pattern or re.search(pattern, name) else _in_listed_case(name, pattern)


def _in_listed_case(name: str, pattern: str) -> str:
    """Return `name` with the ending that the pattern lists in place of the same in another case."""
    folded = name.lower()
    for ending in sorted(accepted_endings(pattern), key=len, reverse=True):
        if folded.endswith(ending.lower()):
            return name[: len(name) - len(ending)] + ending
    return name


def accepted_endings(pattern: str) -> list[str]:
    r"""Return the endings that a pattern such as `\\.f(ast)?q(\\.gz)?$` accepts.

    Empty for a pattern that is more than a list of endings. `[xX]` is taken as "x".
    """
    if not pattern.startswith("\\.") or not pattern.endswith("$"):
        return []
    endings = _texts(pattern[:-1])
    return list(dict.fromkeys(endings)) if len(endings) <= MAX_ENDINGS else []


def _texts(pattern: str) -> list[str]:
    """Every text that a pattern of a few simple parts matches; empty for any other pattern."""
    choices: list[list[str]] = []
    position = 0
    while position < len(pattern):
        part = PART.match(pattern, position)
        if part is None:
            return []
        letter, escaped, lower, upper, group, optional = part.groups()
        if group is not None:
            texts = [text for option in group.split("|") for text in _texts(option)]
        elif lower:
            texts = [lower.lower()] if lower.lower() == upper.lower() else []
        else:
            texts = [letter or escaped]
        if not texts:
            return []
        choices.append([*texts, ""] if optional else texts)
        position = part.end()
    return list(_combined(choices))


def _combined(choices: list[list[str]]) -> Iterator[str]:
    for texts in itertools.islice(itertools.product(*choices), MAX_ENDINGS + 1):
        yield "".join(texts)
