"""A page of seventy workflows, as when a group has added many public ones."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import expect

COUNT = 70
MIN_CARD_WIDTH_PX = 360


@pytest.fixture
def settings(settings, tmp_path: Path):
    folder = tmp_path / "many"
    for number in range(COUNT):
        place = folder / f"public-workflow-{number}" / "workflow"
        place.mkdir(parents=True)
        (place / "Snakefile").write_text("rule all:\n    shell: 'true'\n")
        readme = f"# Counting of kind {number}\n\nCounts reads of kind {number} in many samples.\n"
        (place.parent / "README.md").write_text(readme)
    return replace(settings, workflows=(folder,))


@pytest.mark.long
def test_cards_of_many_workflows_fill_the_width_and_are_searched(window):
    page = window.open("/new")
    cards = page.locator("[class*='st-key-card-new-public-workflow-']")
    expect(cards).to_have_count(COUNT)
    boxes = [card.bounding_box() for card in cards.all()[:6]]
    assert all(box and box["width"] >= MIN_CARD_WIDTH_PX for box in boxes)
    assert len({box["x"] for box in boxes if box}) >= 2
    page.get_by_label("Search workflows").fill("kind 42")
    expect(cards).to_have_count(1)
    expect(page.get_by_text(re.compile(r"^1 workflow of \d+[.]$"))).to_be_visible()
    assert window.complaints == []
