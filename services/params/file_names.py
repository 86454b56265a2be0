"""The names that files must have, in words instead of regular expressions."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from services.errors import Message, Text

MAX_ENDINGS = 24  # more are not listed
MAX_SUFFIXES = 4  # of a name, tried in lower case
#: The suffixes of a name: ".FASTQ.GZ".
SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,9}(?=$|\.)")
#: What precedes the endings in a pattern that accepts any name with one of them.
ANY_NAME = re.compile(r"\^?(\.|\\S|\[\^\\s\]|\[\\S\\s\])[*+](?=\\\.)")
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


def accepted_name(name: str, pattern: str | None) -> str | None:
    """Return the name of a file as a pattern accepts it, or None where it does not.

    Suffixes match in any case: for ".FASTQ" the accepted name has ".fastq", which is what programs
    that recognize files by their suffixes expect. No pattern accepts every name.
    """
    if not pattern or re.search(pattern, name):
        return name
    suffixes = [match.start() for match in SUFFIX.finditer(name)][-MAX_SUFFIXES:]
    for start in reversed(suffixes):
        changed = name[:start] + name[start:].lower()
        if re.search(pattern, changed):
            return changed
    for ending in accepted_endings(ANY_NAME.sub("", pattern, count=1)):
        changed = name[: -len(ending)] + ending
        if changed.lower() == name.lower() and re.search(pattern, changed):
            return changed
    return None


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
