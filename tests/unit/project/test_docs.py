"""The documents agree with the code."""

from __future__ import annotations

import re
import tomllib

import pytest

from commands.group import HOMES
from services.models import State
from services.settings import HERE
from tests.helpers import reference
from tests.helpers.texts import texts
from ui.formatting import LOOKS

ROOT = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
PAGES = [HERE / name for name in ROOT]
PAGES += sorted([*HERE.glob("docs/**/*.md"), *HERE.glob("workflows/*/config/*.md")])
PAGES += sorted(HERE.glob(".github/**/*.md"))
DECISIONS = HERE / "docs" / "design" / "decisions"
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
PATH = re.compile(r"`((?:services|routes|ui|commands|tests|bench|docs|workflows)/[\w./-]+)`")


def relative(page) -> str:
    return page.relative_to(HERE).as_posix()


def anchors(page) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


# ---- guides ----------------------------------------------------------------------------------


def test_guide_of_scientists_names_labels_that_the_portal_shows():
    named = {
        " ".join(label.split())
        for page in ("README.md", "docs/guide/scientists.md")
        for label in re.findall(r"\*\*([^*]+)\*\*", (HERE / page).read_text())
        if not label.endswith(".")
    }
    texts_of_pages = [entry.text for entry in texts() if entry.file.startswith("ui/")]
    shown = {re.sub("^:material/[a-z_]+: ", "", text) for text in texts_of_pages}
    assert named - shown <= {"sample sheet"}


# ---- reference -------------------------------------------------------------------------------


@pytest.mark.parametrize("document", reference.DOCUMENTS)
def test_reference_has_the_tables_of_the_code(document):
    text = (reference.REFERENCE / f"{document}.md").read_text()
    assert text == reference.generated(document), (
        f"docs/reference/{document}.md differs from the code: "
        f"`python -m tests.helpers.reference {document}` prints its tables, --write updates them"
    )


def test_reference_lists_every_document_with_tables():
    assert {page.stem for page in reference.REFERENCE.glob("*.md")} == set(reference.DOCUMENTS)


def test_glossary_explains_every_state_with_its_label_in_the_portal():
    text = (reference.REFERENCE / "glossary.md").read_text()
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)
    assert [(state, label) for state, label, _ in rows] == [
        (one.value, LOOKS[one].word) for one in State
    ]
    assert all(meaning.strip() for _, _, meaning in rows)


def test_glossary_is_sorted_and_has_each_word_once():
    text = (reference.REFERENCE / "glossary.md").read_text()
    for section in text.split("\n## ")[1:]:
        words = [word.lower() for word in re.findall(r"^\| \*\*(.+?)\*\*", section, re.MULTILINE)]
        assert words == sorted(set(words))


def test_cli_reference_names_every_command():
    text = (reference.REFERENCE / "cli.md").read_text()
    named = set(re.findall(r"^## `rundesk ([\w-]+)", text, re.MULTILINE))
    assert named == set(HOMES)


# ---- everything else -------------------------------------------------------------------------


def test_contributing_names_every_target_of_make():
    text = (HERE / "CONTRIBUTING.md").read_text()
    targets = re.search(r"^\.PHONY: (.*)$", (HERE / "Makefile").read_text(), re.MULTILINE)
    assert set(targets[1].split()) == set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_within_the_project_lead_to_a_page_and_a_heading(page):
    broken = []
    for path, anchor in LINK.findall(page.read_text()):
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(f"{path}#{anchor}")
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_paths_in_documents_exist(page):
    named = PATH.findall(page.read_text())
    assert not [path for path in named if not (HERE / path).exists()]


def test_every_document_is_listed_in_the_index():
    index = (HERE / "docs" / "README.md").read_text()
    pages = {relative(page) for page in (HERE / "docs").glob("*/*.md")}
    linked = {f"docs/{path}" for path, _ in LINK.findall(index)}
    assert not pages - linked - {"docs/specs/README.md"}


def test_decisions_are_numbered_without_gaps_and_have_the_same_sections():
    records = sorted(DECISIONS.glob("*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    for record in records:
        text = record.read_text()
        number = int(record.name[:4])
        assert text.startswith(f"# {number}. "), record.name
        sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert sections == ["Context", "Decision", "Consequences"], record.name


def test_decisions_are_listed_in_architecture():
    text = (HERE / "docs" / "design" / "architecture.md").read_text()
    listed = re.findall(r"\(decisions/([^)]+)\)", text)
    assert listed == sorted(record.name for record in DECISIONS.glob("*.md"))


def test_changelog_has_the_version_and_a_section_for_the_next_one():
    version = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]["version"]
    text = (HERE / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d", headings[1])
