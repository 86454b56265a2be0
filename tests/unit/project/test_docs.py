"""What is written agrees with what is built."""

from __future__ import annotations

import re
import tomllib

import pytest

from commands.group import HOMES
from commands.host import settings_in_markdown
from services.models import State
from services.settings import HERE
from ui.formatting import LOOKS

PAGES = [HERE / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted((HERE / "docs").rglob("*.md"))


def test_readme_has_the_table_of_settings():
    text = (HERE / "README.md").read_text()
    shown = text.partition("<!-- settings -->")[2].partition("<!-- /settings -->")[0]
    assert shown.strip() == settings_in_markdown(), "copy it from `rundesk settings --markdown`"


def test_glossary_has_every_state_with_its_word_on_the_page():
    text = (HERE / "docs/reference/glossary.md").read_text()
    rows = [f"| `{state.value}` | {LOOKS[state].word} |" for state in State]
    assert not [row for row in rows if row not in text]


def test_readme_names_every_command_of_make_and_rundesk():
    text = (HERE / "README.md").read_text() + (HERE / "CONTRIBUTING.md").read_text()
    targets = re.search(r"^\.PHONY: (.*)$", (HERE / "Makefile").read_text(), re.MULTILINE)
    assert not [name for name in targets[1].split() if f"make {name}" not in text]
    assert not [name for name in HOMES if f"rundesk {name}" not in text]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_project_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())
    assert not [link for link in links if not (page.parent / link).exists()]


def test_changelog_has_the_version_or_says_unreleased():
    version = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]["version"]
    text = (HERE / "CHANGELOG.md").read_text()
    assert "## Unreleased" in text or f"## {version}" in text
