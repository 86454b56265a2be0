"""Reads workbooks in the format of Excel 97 to 2003 (xls)."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any

from services.sheets.cells import Cell, ErrorValue, Merge, Row, WorkbookSheet, text_cell
from services.sheets.number_formats import number_cell


def sheets(data: bytes) -> list[WorkbookSheet]:
    """Return the visible sheets; raises what xlrd raises about a broken file.

    Formulas have their stored values: the format has no other mark of them that xlrd returns.
    """
    book = _book(data)
    found = []
    for sheet in book.sheets():
        if not sheet.visibility:
            merges = tuple(
                Merge(top, left, bottom - 1, right - 1)
                for top, bottom, left, right in sheet.merged_cells
            )
            # xlrd has `sheet_visible` for the sheet that is shown when the file is opened
            active, rows = bool(sheet.sheet_visible), _rows(book, sheet)
            found.append(WorkbookSheet(sheet.name, active, rows, merges, filled=sheet.nrows > 0))
    return found


def _book(data: bytes) -> Any:
    import xlrd  # here: few files need it

    given = {"file_contents": data, "logfile": io.StringIO(), "ragged_rows": True}
    with contextlib.suppress(Exception):  # some programs write formats that xlrd cannot read
        return xlrd.open_workbook(formatting_info=True, **given)
    return xlrd.open_workbook(**given)


def _rows(book: Any, sheet: Any) -> Iterator[Row]:
    for number in range(sheet.nrows):
        cells = enumerate(sheet.row(number))
        yield tuple(_value(book, sheet, number, column, cell) for column, cell in cells)


def _value(book: Any, sheet: Any, row: int, column: int, cell: Any) -> Cell:
    import xlrd

    match cell.ctype:
        case xlrd.XL_CELL_TEXT:
            return text_cell(cell.value)
        case xlrd.XL_CELL_NUMBER:
            return number_cell(cell.value, _number_format(book, sheet, row, column))
        case xlrd.XL_CELL_DATE:
            return _date(cell.value, book.datemode)
        case xlrd.XL_CELL_BOOLEAN:
            return bool(cell.value)
        case xlrd.XL_CELL_ERROR:
            return ErrorValue(xlrd.error_text_from_code.get(cell.value, "#ERROR!"))
        case _:
            return ""


def _number_format(book: Any, sheet: Any, row: int, column: int) -> str:
    if not book.formatting_info:
        return "General"
    style = book.xf_list[sheet.cell_xf_index(row, column)]
    return str(book.format_map[style.format_key].format_str)


def _date(value: float, mode: int) -> Cell:
    """Return a date as ISO 8601, without a time of midnight; the number where it is no date."""
    import xlrd

    try:
        date = xlrd.xldate.xldate_as_datetime(value, mode)
    except (ValueError, OverflowError):
        return number_cell(value)
    if value < 1:
        return str(date.time().isoformat())
    return str(date.date().isoformat() if value == int(value) else date.isoformat())
