"""Workbooks as people make them: sheets, merged cells, formulas, errors, formats; xls and ods."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import openpyxl
import pytest

from services import sheets
from services.errors import Invalid
from services.settings import HERE
from services.sheets.number_formats import number_cell
from services.sheets.values import text

TABLES = HERE / "tests" / "data" / "tables"
SAMPLES = {
    "required": ["id", "file"],
    "properties": {
        "id": {"type": "string", "unique": True, "aliases": ["样品编号", "Sample"]},
        "file": {"type": "string", "aliases": ["文件"]},
        "group": {"type": "string", "aliases": ["分组"]},
        "replicate": {"type": "integer", "aliases": ["重复"]},
        "date": {"type": "string", "format": "date", "aliases": ["日期"]},
    },
}


def read(source):
    return sheets.read(source if isinstance(source, bytes) else TABLES / source, SAMPLES)


def messages(sheet):
    return [issue.message for issue in sheet.issues]


def saved(book) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def book(*rows, merged=(), title="Sheet") -> openpyxl.Workbook:
    created = openpyxl.Workbook()
    created.active.title = title
    for row in rows:
        created.active.append(row)
    for cells in merged:
        created.active.merge_cells(cells)
    return created


def with_cells(*cells: str) -> bytes:
    """Return a workbook whose second row has these cells of XML; the header is id, file, group."""
    changed = io.BytesIO()
    source = io.BytesIO(saved(book(["id", "file", "group"])))
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(changed, "w") as new:
        for part in old.namelist():
            content = old.read(part).decode()
            if part == "xl/worksheets/sheet1.xml":
                row = f'<row r="2">{"".join(cells)}</row></sheetData>'
                content = content.replace("</sheetData>", row)
            new.writestr(part, content)
    return changed.getvalue()


# ---- sheets ----------------------------------------------------------------------------------


def test_read_active_sheet_with_the_header_is_read_and_named():
    sheet = read("second.xlsx")
    assert sheet.records == [{"id": "S1", "file": "a.mzML"}]
    assert messages(sheet) == ["The table was read from the sheet “样品信息” of the workbook."]


@pytest.mark.parametrize("active", [0, 1, 2])
def test_read_first_sheet_that_has_the_header_is_read_unless_the_active_one_has_it(active):
    created = book(["Instructions"], ["Fill in the next sheet"], title="Read me")
    for name in ("A", "B"):
        created.create_sheet(name)
        created[name].append(["id", "file"])
        created[name].append([name, "a.mzML"])
    created.active = active
    sheet = read(saved(created))
    assert sheet.records[0]["id"] == ("B" if active == 2 else "A")
    other = "A" if active == 2 else "B"
    chosen = "B" if active == 2 else "A"
    assert messages(sheet) == [
        f"The table was read from the sheet “{chosen}” of the workbook, and not from "
        f"“Read me”, “{other}”."
    ]


def test_read_empty_sheets_of_a_new_workbook_are_not_mentioned():
    created = book(["id", "file"], ["S1", "a"])
    created.create_sheet("Sheet2")
    assert messages(read(saved(created))) == []


def test_read_hidden_sheet_with_the_header_is_not_read():
    created = book(["nothing"])
    created.create_sheet("hidden").append(["id", "file"])
    created["hidden"].sheet_state = "hidden"
    with pytest.raises(Invalid) as caught:
        read(saved(created))
    assert "Hidden sheets of a workbook are not read." in caught.value.hint


# ---- merged cells ----------------------------------------------------------------------------


def test_read_merged_cells_fill_their_rows_and_are_noted():
    sheet = read("merged.xlsx")
    assert [record["group"] for record in sheet.records] == ["对照", "对照", "处理", "处理"]
    assert messages(sheet) == [
        "2 cells are merged with a cell above, for instance C3, and got its value."
    ]


def test_read_merged_title_and_header_do_not_repeat():
    rows = [["Samples of March"], [], ["id", "file", "Groups"], [None, None, "group"]]
    rows += [["S1", "a", "x"], ["S2", "b", None]]
    merged = ("A1:C2", "A3:A4", "B3:B4", "C5:C6")
    sheet = read(saved(book(*rows, merged=merged)))
    assert sheet.metadata["title"].startswith("Samples of March")
    assert sheet.metadata["title"].count("Samples") == 1
    assert sheet.records == [
        {"id": "S1", "file": "a", "group": "x"},
        {"id": "S2", "file": "b", "group": "x"},
    ]


def test_read_merge_below_the_table_adds_no_rows():
    rows = [["id", "file", "group"], ["S1", "a", "x"], ["S2", "b", None]]
    sheet = read(saved(book(*rows, merged=["C2:C2000"])))
    assert [record["group"] for record in sheet.records] == ["x", "x"]


def test_read_cells_merged_across_columns_are_noted():
    rows = [["id", "file", "group", "replicate"], ["S1", "a", "x", None]]
    sheet = read(saved(book(*rows, merged=["C2:D2"])))
    assert messages(sheet) == ["The cell C2 is merged with cells to its right; these are empty."]


def test_read_huge_merged_ranges_are_bounded():
    rows = [
        ["id", "file", "group"],
        *([f"S{n}", "a", "x" if n == 0 else None] for n in range(9000)),
    ]
    created = book(*rows)
    data = saved(created)
    changed = io.BytesIO()
    ranges = '<mergeCell ref="C2:C1048576"/>' * 200
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(changed, "w", 8) as new:
        for part in old.namelist():
            content = old.read(part).replace(
                b"</sheetData>", f"</sheetData><mergeCells>{ranges}</mergeCells>".encode()
            )
            new.writestr(part, content)
    with pytest.raises(Invalid, match="more than 300000 cells"):
        read(changed.getvalue())


# ---- formulas, errors, formats -----------------------------------------------------------------


def test_read_formulas_have_their_stored_values_and_are_noted():
    sheet = read("formula.xlsx")
    assert sheet.records == [
        {"id": "S1", "file": "S1.mzML", "replicate": 1},
        {"id": "S2", "file": "S2.mzML", "replicate": 2},
    ]
    assert messages(sheet)[0] == (
        "2 cells contain formulas, for instance A2; their stored values were read."
    )
    assert sheet.ok


def test_read_formula_without_a_stored_value_is_an_error():
    sheet = read(saved(book(["id", "file"], ["S1", '="a"&".mzML"'])))
    assert messages(sheet) == ['The cell contains a formula: ="a"&".mzML"']


def test_read_formula_with_an_empty_text_is_an_empty_cell():
    cells = ['<c r="A2" t="str"><v>S1</v></c>', '<c r="B2" t="str"><v>a</v></c>']
    formula = '<c r="C2" t="str"><f>IF(D2="","",D2)</f><v></v></c>'
    sheet = read(with_cells(*cells, formula))
    assert (sheet.records, sheet.issues) == ([{"id": "S1", "file": "a"}], [])


@pytest.mark.parametrize("error", ["#REF!", "#N/A", "#DIV/0!"])
def test_read_error_of_a_formula_is_named_by_its_cell(error):
    cells = ['<c r="A2" t="str"><v>S1</v></c>', '<c r="B2" t="str"><v>a</v></c>']
    formula = f'<c r="C2" t="e"><f>VLOOKUP(A2,X,1)</f><v>{error}</v></c>'
    for group in (formula, formula.replace("<f>VLOOKUP(A2,X,1)</f>", "")):
        (issue,) = read(with_cells(*cells, group)).issues
        assert (issue.cell, issue.message) == ("C2", f"The cell contains the error {error}.")


@pytest.mark.parametrize(
    ("value", "number_format", "shown"),
    [
        (7, "0000", "0007"),
        (7.0, "000", "007"),
        (7, '"S"000', "S007"),
        (7, '"S"0', "S7"),
        (12345, "000-000", "012-345"),
        (1234567, r"000\-000", "1234-567"),
        (12, "0000;-0000", "0012"),
        (12345, "000", "12345"),
        (7, "General", "7"),
        (7, '0" mg"', "7"),
        (7, "0.00", "7"),
        (7, "#,##0", "7"),
        (-7, "0000", "-7"),
        (0.5, "0000", "0.5"),
        (7, "@", "7"),
    ],
)
def test_number_cell_keeps_zeros_and_text_of_its_format(value, number_format, shown):
    assert text(number_cell(value, number_format)) == shown


def test_read_leading_zeros_are_kept_in_text_and_numbers_stay_numbers():
    created = book(["id", "file", "replicate"], [12, "a", 3])
    for cell in ("A2", "C2"):
        created.active[cell].number_format = "0000"
    assert read(saved(created)).records == [{"id": "0012", "file": "a", "replicate": 3}]


def test_read_strict_open_xml_is_read():
    assert read("strict.xlsx").records == [{"id": "S1", "file": "a.mzML"}]


# ---- xls -------------------------------------------------------------------------------------


def test_read_old_workbook_is_read_with_formats_and_merged_cells():
    sheet = read("old.xls")
    assert sheet.records == [
        {
            "id": f"000{number}",
            "file": f"r{number}.mzML",
            "group": group,
            "replicate": number,
            "date": f"2026-03-0{number}",
        }
        | ({"备注": "first"} if number == 1 else {})
        for number, group in ((1, "对照"), (2, "对照"), (3, "处理"), (4, "处理"))
        if number < 4
    ] + [{"id": "0004", "file": "r4.mzML", "group": "处理", "date": "2026-03-04"}]
    assert "2 cells are merged with a cell above, for instance C3, and got its value." in messages(
        sheet
    )


def test_read_workbook_with_a_password_is_refused_by_name():
    data = b"\xd0\xcf\x11\xe0" + bytes(600) + "EncryptedPackage".encode("utf-16-le") + bytes(600)
    with pytest.raises(Invalid, match="protected with a password"):
        read(data)


@pytest.mark.parametrize(
    "data", [b"\xd0\xcf\x11\xe0" + bytes(4096), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"]
)
def test_read_broken_old_workbook_is_refused(data):
    with pytest.raises(Invalid, match="The workbook cannot be read"):
        read(data)


# ---- ods -------------------------------------------------------------------------------------


def open_document(*tables: str, styles: str = "", settings: str = "") -> bytes:
    spaces = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text", "style")
    )
    spaces += (
        ' xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
    )
    content = (
        f"<office:document-content{spaces}><office:automatic-styles>{styles}"
        f"</office:automatic-styles><office:body><office:spreadsheet>{''.join(tables)}"
        "</office:spreadsheet></office:body></office:document-content>"
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", 8) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
        if settings:
            archive.writestr("settings.xml", settings)
    return file.getvalue()


def table(*rows: str, name="Sheet1", style="ta1") -> str:
    start = f'<table:table table:name={quoteattr(name)} table:style-name="{style}">'
    return f"{start}{''.join(rows)}</table:table>"


def row(*cells: str, repeat: int = 1) -> str:
    return (
        f'<table:table-row table:number-rows-repeated="{repeat}">{"".join(cells)}</table:table-row>'
    )


def words(content: str, **attributes: object) -> str:
    """Return a cell of text; `rows_spanned=2` is table:number-rows-spanned="2"."""
    given = "".join(
        f' table:number-{name.replace("_", "-")}="{value}"' for name, value in attributes.items()
    )
    return (
        f'<table:table-cell office:value-type="string"{given}><text:p>{escape(content)}</text:p>'
        "</table:table-cell>"
    )


def number(value: float, shown: str, formula: str = "") -> str:
    own = f' table:formula="{formula}"' if formula else ""
    return (
        f'<table:table-cell office:value-type="float" office:value="{value}"{own}>'
        f"<text:p>{shown}</text:p></table:table-cell>"
    )


HEADER = row(*map(words, ("id", "file", "group", "replicate", "date")))
COVERED, EMPTY = "<table:covered-table-cell/>", "<table:table-cell/>"
DATE = (
    '<table:table-cell office:value-type="date" office:date-value="2026-03-31T00:00:00">'
    "<text:p>31.03.26</text:p></table:table-cell>"
)


def test_read_open_document_is_read_with_formats_merged_cells_and_formulas():
    data = open_document(
        table(
            row(words("Project: X")),
            HEADER,
            row(number(7, "0007"), words("a"), words("x", rows_spanned=2), number(1, "1"), DATE),
            row(number(8, "0008"), words("b"), COVERED, number(2, "2", "of:=[.D3]+1")),
            row('<table:table-cell table:number-columns-repeated="1024"/>', repeat=1048000),
        )
    )
    sheet = read(data)
    assert sheet.metadata == {"Project": "X"}
    assert sheet.records == [
        {"id": "0007", "file": "a", "group": "x", "replicate": 1, "date": "2026-03-31"},
        {"id": "0008", "file": "b", "group": "x", "replicate": 2},
    ]
    assert messages(sheet) == [
        "The cell C4 is merged with a cell above and got its value.",
        "The cell D4 contains a formula; its stored value was read.",
    ]


def test_read_open_document_takes_the_active_visible_sheet_and_names_errors():
    properties = '<style:table-properties table:display="false"/>'
    hidden = f'<style:style style:name="ta2">{properties}</style:style>'
    settings = (
        '<item xmlns:c="urn:c"><c:item c:name="ActiveTable" c:type="string">B</c:item></item>'
    )
    error = (
        '<table:table-cell table:formula="of:=1/0" office:value-type="string"'
        ' calcext:value-type="error"><text:p>#DIV/0!</text:p></table:table-cell>'
    )
    comment = "<office:annotation><text:p>ask Ann</text:p></office:annotation>"
    data = open_document(
        table(HEADER, row(words("wrong"), words("x")), name="old", style="ta2"),
        table(HEADER, row(words("first"), words("x")), name="A"),
        table(
            HEADER,
            row(words("S1").replace("<text:p>", comment + "<text:p>"), words("a"), error),
            name="B",
        ),
        styles=hidden,
        settings=settings,
    )
    sheet = read(data)
    assert sheet.records == [{"id": "S1", "file": "a"}]
    assert "The cell contains the error #DIV/0!." in messages(sheet)


def test_read_open_document_repeated_cells_are_bounded():
    wide = row(words("x", columns_repeated=10**6))
    many = row(*[words("S1")] * 200, repeat=10**6)
    far = row(EMPTY, repeat=10**6) + row(words("far"))
    for rows in (wide, many):
        with pytest.raises(Invalid, match="too many cells"):
            read(open_document(table(HEADER, rows)))
    assert len(read(open_document(table(HEADER, row(words("S1"), words("a")), far))).records) == 1


def test_read_other_zip_archive_is_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xl/workbook.bin", b"x")
    with pytest.raises(Invalid, match="not a workbook that can be read"):
        read(file.getvalue())


def test_tables_of_the_repository_are_small():
    assert all(path.stat().st_size < 20_000 for path in Path(TABLES).iterdir())
