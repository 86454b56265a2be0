"""Editable tables in the browser, which are drawn on a canvas."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect


def type_into(
    page: Page, table: Locator, *, column: int, row: int, text: str, new: bool = False
) -> None:
    """Type into a cell and stay in it, also of a `new` row. Both are counted from 1."""
    place = {"x": 150 * column, "y": 33 * row + 16}
    table.hover(position=place)
    table.click(position=place, delay=200)  # ms: the grid takes no shorter press for a click
    if not new:  # that one is opened by itself
        expect(page.locator("[role=gridcell][aria-selected=true]")).to_have_count(1)
        page.keyboard.press("Enter")
    page.locator("#portal textarea").fill(text)
