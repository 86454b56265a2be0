"""Every message has a documented code, and every documented code has a message."""

from __future__ import annotations

import importlib
import pkgutil
import string
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

import routes
import services
import ui
from routes.http.openapi import introduction
from services.errors import PROBLEM_CODES, Message, RundeskError, Text

PACKAGES = (services, routes, ui)


def modules() -> Iterator[Any]:
    """Yield every module of the packages that have messages."""
    for package in PACKAGES:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith(".__main__"):
                yield importlib.import_module(found.name)


def messages_in(value: Any) -> Iterator[Message]:
    """Yield the messages that a constant is, or holds."""
    if isinstance(value, Message):
        yield value
    elif isinstance(value, Text):
        yield value.message
    elif isinstance(value, type) and issubclass(value, RundeskError):
        yield value.default
    elif isinstance(value, dict):
        for one in value.values():
            yield from messages_in(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from messages_in(one)


@cache
def messages() -> dict[str, Message]:
    """Return every message by the full name of the first constant that holds it."""
    named: dict[int, tuple[str, Message]] = {}
    for module in modules():
        for name, value in vars(module).items():
            for message in messages_in(value):
                named.setdefault(id(message), (f"{module.__name__}.{name}", message))
    return dict(named.values())


def values_in(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def test_every_code_has_a_message():
    used = {message.code for message in messages().values()}
    assert set(PROBLEM_CODES) - used == set()


def test_every_message_has_a_code():
    unknown = {name: m.code for name, m in messages().items() if m.code not in PROBLEM_CODES}
    assert unknown == {}


def test_document_has_the_table_of_codes():
    text = introduction()
    lines = [f"| `{code}` | {meaning} |" for code, meaning in PROBLEM_CODES.items()]
    assert [line for line in lines if line not in text] == []
    assert text.index("| errCode | HTTP | meaning |") < text.index("| code | meaning |")


@pytest.mark.parametrize("name", messages())
def test_message_names_its_values(name):
    message = messages()[name]
    for template in (message.template, message.hint, message.one):
        assert all(value.isidentifier() for value in values_in(template)), template
    assert values_in(message.one) <= values_in(message.template)
    given = dict.fromkeys(values_in(message.template) | values_in(message.hint), 1)
    text = message(**given)
    assert str(text)
    assert text.hint.count("{") == 0
