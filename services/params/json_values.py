"""Values that can be stored and sent on as JSON without a change."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from services.errors import Message, Text
from services.params import model_errors

Path = tuple[str | int, ...]  # keys and indexes that lead to a value

MAX_JSON_DEPTH = 32  # levels of objects and lists
MIN_INT64, MAX_INT64 = -(2**63), 2**63 - 1  # what the database stores as an integer
INVALID_TEXT = re.compile("[\0\ud800-\udfff]")  # NUL, and surrogates: no valid UTF-8
MAX_FIELD_CHARACTERS = 200

INVALID_CHARACTERS = Message(
    "invalid_characters", "Must not contain NUL characters or unpaired surrogates."
)
TOO_DEEP = Message("too_deep", "Must not be nested deeper than {limit} levels.")
NOT_A_JSON_VALUE = Message("wrong_type", "Must be a JSON value, not of the type {type}.")
NOT_A_JSON_KEY = Message("wrong_type", "Keys must be strings, not of the type {type}.")


def invalid_values(value: Any) -> Iterator[tuple[Path, Text]]:
    """Yield the path and the problem of every value that must not be stored, without recursion.

    Those are deeply nested values, text that is not valid UTF-8 or has NUL characters, NaN and
    infinity, integers beyond 64 bits, and values of types that JSON does not have.
    """
    waiting: list[tuple[Path, Any]] = [((), [value])]  # each path starts with the index in the list
    while waiting:
        path, container = waiting.pop()
        if len(path) > MAX_JSON_DEPTH:
            yield path[1:], TOO_DEEP(limit=MAX_JSON_DEPTH)
            continue
        is_object = isinstance(container, dict)
        for key, item in container.items() if is_object else enumerate(container):
            if is_object and (text := _key_problem(key)):
                yield (*path, str(key))[1:], text
            if isinstance(item, dict | list):
                waiting.append(((*path, key), item))
            elif text := _problem_of(item):
                yield (*path, key)[1:], text


def field_name(root: str, *path: str | int) -> str:
    """Return the name of a field in a problem: short, and valid text."""
    name = ".".join([*([root] if root else []), *map(str, path)])
    return INVALID_TEXT.sub("\N{REPLACEMENT CHARACTER}", name[:MAX_FIELD_CHARACTERS])


def _key_problem(key: Any) -> Text | None:
    if not isinstance(key, str):
        return NOT_A_JSON_KEY(type=type(key).__name__)
    return INVALID_CHARACTERS() if INVALID_TEXT.search(key) else None


def _problem_of(value: Any) -> Text | None:
    """Return what is wrong with a single value, if anything."""
    if isinstance(value, str):
        return INVALID_CHARACTERS() if INVALID_TEXT.search(value) else None
    if isinstance(value, float):
        return None if math.isfinite(value) else model_errors.NOT_FINITE()
    if isinstance(value, int):
        return None if MIN_INT64 <= value <= MAX_INT64 else model_errors.NOT_64_BIT()
    return None if value is None else NOT_A_JSON_VALUE(type=type(value).__name__)
