"""Texts that people read are in the standard English of the field."""

from __future__ import annotations

import re

import pytest

from services.settings import HERE
from tests.helpers.texts import Shown, texts

#: Words of a style that a reader has to read twice; each has a plain equivalent.
ODD = re.compile(
    r"\b(told|goes by|go by|(?:does|do) not count|at work|whoever|who asks|sign of life"
    r"|to mend|mend|mended|leads nowhere|leads on|anew|is there anew|nobody|somebody|everybody"
    r"|what is no|by hand|makes of it|the desk|this desk|a desk)\b",
    re.IGNORECASE,
)
DOCUMENTS = [
    HERE / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
]
DOCUMENTS += sorted((HERE / "docs").rglob("*.md")) + sorted(HERE.glob("workflows/*/README.md"))


def odd(shown: list[Shown]) -> list[str]:
    return [
        f"{one.file}:{one.line}: {match[0]!r} in {one.text[:80]!r}"
        for one in shown
        if (match := ODD.search(one.text.replace("_", " ") if one.kind == "test" else one.text))
    ]


def test_texts_of_the_product_have_no_odd_words():
    assert odd(texts()) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(HERE).as_posix())
def test_documents_have_no_odd_words(path):
    prose = re.sub(
        r"(?ms)^```.*?^```$", lambda block: "\n" * block[0].count("\n"), path.read_text()
    )
    lines = enumerate(prose.splitlines(), 1)
    assert odd([Shown(path.name, number, "text", line) for number, line in lines]) == []


def test_texts_finds_each_kind_of_text():
    found = {(one.file, one.text) for one in texts()}
    for file, text in (
        ("services/errors.py", "Sign in first."),
        ("services/settings.py", "Port of the API"),
        ("commands/cache.py", "Minimum days since last use."),
        ("workflows/reads-qc/workflow/schemas/config.schema.yaml", "Samples"),
    ):
        assert (file, text) in found
    assert len(found) > 1000
