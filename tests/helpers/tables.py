"""Editable tables in the browser, which are drawn on a canvas element."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect


def type_into(
    page: Page, table: Locator, *, column: int, row: int, text: str, new: bool = False
) -> None:
    """Type into a cell without leaving it. Columns and rows are counted from 1.

    `new`: the cell is in the empty row at the end of the table.
    """
    position = {"x": 150 * column, "y": 33 * row + 16}
    table.hover(position=position)
    table.click(position=position, delay=200)  # ms; the grid ignores shorter clicks
    if not new:  # an empty row opens its editor itself
        expect(page.locator("[role=gridcell][aria-selected=true]")).to_have_count(1)
        page.keyboard.press("Enter")
    page.locator("#portal textarea").fill(text)
