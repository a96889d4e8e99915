"""Lists in XLSX: what the cells become, which sheet is read, and what is refused."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from typing import Any
from unittest.mock import patch

import pytest
from openpyxl.worksheet import _reader

from lists import csv_chunks, xlsx
from lists.errors import UnusableList
from lists.formats import recognised
from lists.list_warnings import ListWarning
from tests.support import spreadsheets
from tests.support.spreadsheets import repacked, with_table_of_texts

ROWS = [["email", "name"], ["ann@x.test", "Ann"], ["zoe@x.test", "Zoë"]]


def read(data: bytes, sheet: str | None = None) -> tuple[list[list[str]], list[ListWarning]]:
    with recognised([data], sheet=sheet) as found:
        assert (found.format, found.encoding, found.converted) == ("xlsx", "utf-8", True)
        text = b"".join(found.chunks).decode()
        return list(csv.reader(io.StringIO(text, newline=""))), found.warnings


def reason(data: bytes, sheet: str | None = None) -> str:
    with pytest.raises(UnusableList) as caught:
        read(data, sheet)
    return caught.value.detail


def two_sheets(book: Any) -> None:
    book.active.title = "People"
    book.create_sheet("Others").append(["email"])
    book["Others"].append(["other@x.test"])


def test_text() -> None:
    """Given texts in their cells, or in a table of texts as Excel writes them / Then both are read."""
    assert read(spreadsheets.xlsx(ROWS)) == (ROWS, [])
    assert read(with_table_of_texts(spreadsheets.xlsx(ROWS))) == (ROWS, [])


def test_values() -> None:
    """Given numbers, dates and truth values with formats / Then they look as the sheet shows them."""
    day = dt.datetime(2026, 11, 27)  # noqa: DTZ001 - a sheet has no time zones
    values = [day, day.replace(hour=9, minute=30), dt.time(9, 30), True, 4912345678901, 12.0, 1234, 0.25, 12.5, "007"]

    def formats(book: Any) -> None:
        for column, number_format in ((7, "00000"), (8, "0%"), (9, "0.00")):
            book.active.cell(1, column).number_format = number_format

    rows, _ = read(spreadsheets.xlsx([values], formats))
    assert rows == [
        ["2026-11-27", "2026-11-27 09:30", "09:30", "TRUE", "4912345678901", "12", "01234", "25%", "12.50", "007"]
    ]


def test_dates_since_1904() -> None:
    """Given a workbook of an old Mac / Then its dates are right."""

    def mac(book: Any) -> None:
        book.epoch = dt.datetime(1904, 1, 1)  # noqa: DTZ001

    assert read(spreadsheets.xlsx([[dt.date(2026, 11, 27)]], mac))[0] == [["2026-11-27"]]


def test_gaps_and_empty_cells() -> None:
    """Given rows and cells that are not in the file / Then what follows them stays in its place."""

    def gaps(book: Any) -> None:
        book.active["C4"] = "x"
        book.active["A5"] = ""
        book.active.cell(6, 2).number_format = "0.00"

    rows, _ = read(spreadsheets.xlsx([["email"]], gaps))
    assert rows[:4] == [["email"], [], [], ["", "", "x"]]
    assert not any(map(any, rows[4:]))


def test_quotes_and_line_breaks() -> None:
    rows = [["email", "note"], ["a@x.test", 'two\nlines, "quoted"']]
    assert read(spreadsheets.xlsx(rows))[0] == rows


def test_rich_text_without_its_pronunciation() -> None:
    """Given a shared text in runs, with the phonetic guide that Excel adds in Japan / Then the guide is left out."""
    rich = "<si><r><t>田</t></r><r><t>中</t></r><rPh sb='0' eb='2'><t>タナカ</t></rPh></si>"

    def change(name: str, content: bytes) -> bytes:
        return re.sub(rb"<si>.*?</si>", rich.encode(), content, count=1) if name == "xl/sharedStrings.xml" else content

    assert read(repacked(with_table_of_texts(spreadsheets.xlsx([["name"]])), change))[0] == [["田中"]]


def test_a_formula_has_its_last_result() -> None:
    """Given a formula that a program has calculated, and one that none has / Then its result is read, else nothing."""
    data = spreadsheets.xlsx([["=1+1", "=2+2", "end"]])
    calculated = repacked(
        data, lambda _, content: re.sub(rb"<f>1\+1</f><v ?/?>(</v>)?", b"<f>1+1</f><v>2</v>", content)
    )
    assert read(calculated)[0] == [["2", "", "end"]]


def test_the_first_visible_sheet() -> None:
    """Given a hidden sheet before two others / Then the first visible one is read, with a warning."""

    def hidden(book: Any) -> None:
        two_sheets(book)
        book.create_sheet("Settings", 0).sheet_state = "hidden"

    rows, (warning,) = read(spreadsheets.xlsx(ROWS, hidden))
    assert rows == ROWS
    assert warning.code == "first_sheet"
    assert '"People"' in warning.message


def test_a_sheet_by_name() -> None:
    rows, warnings = read(spreadsheets.xlsx(ROWS, two_sheets), " others")
    assert (rows, warnings) == ([["email"], ["other@x.test"]], [])


def test_a_sheet_that_is_not_there() -> None:
    assert reason(spreadsheets.xlsx(ROWS, two_sheets), "Other") == (
        'There is no sheet "Other"; the sheets are "People", "Others".'
    )


def test_wrong_dimensions() -> None:
    """Given a sheet that says that it has one cell, as some programs write / Then all are read."""

    def change(name: str, content: bytes) -> bytes:
        return content.replace(b'ref="A1:B3"', b'ref="A1"') if "sheet1" in name else content

    assert read(repacked(spreadsheets.xlsx(ROWS), change))[0] == ROWS


@pytest.mark.parametrize(
    "part", ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml", "xl/sharedStrings.xml"]
)
def test_a_damaged_part(part: str) -> None:
    whole = with_table_of_texts(spreadsheets.xlsx(ROWS))
    data = repacked(whole, lambda name, content: content[:90] if name == part else content)
    assert "damaged" in reason(data)


def test_a_text_that_is_not_in_the_table() -> None:
    def change(name: str, content: bytes) -> bytes:
        return content.replace(b"<v>1</v>", b"<v>99</v>") if "sheet1" in name else content

    assert "damaged" in reason(repacked(with_table_of_texts(spreadsheets.xlsx(ROWS)), change))


@pytest.mark.parametrize(
    ("place", "other"), [(b'<row r="3"', b'<row r="9999999"'), (b'"B3"', b'"ZZZ3"'), (b'"A3"', b'"C3"')]
)
def test_a_cell_in_an_impossible_place(place: bytes, other: bytes) -> None:
    """Given a row or a column that no sheet has, or cells out of order / Then the workbook is damaged."""
    data = repacked(spreadsheets.xlsx(ROWS), lambda _, content: content.replace(place, other))
    assert "damaged" in reason(data)


@pytest.mark.parametrize(
    ("limit", "part"), [("MAX_TEXTS_BYTES", "sharedStrings"), ("MAX_SHEET_BYTES", "sheet1"), ("MAX_PART_BYTES", "")]
)
def test_parts_that_are_too_large(limit: str, part: str) -> None:
    """Given a limit of 100 bytes / Then the workbook is refused, naming the part and what to do."""
    with patch.object(xlsx, limit, 100):
        detail = reason(with_table_of_texts(spreadsheets.xlsx(ROWS)))
    assert part in detail
    assert detail.endswith("the limit is 100. Save the sheet as CSV.")


def test_a_csv_that_would_be_too_large() -> None:
    with patch.object(csv_chunks, "MAX_BYTES", 1000), patch.object(csv_chunks, "PIECE_CHARS", 100):
        assert "more than 1,000 bytes" in reason(spreadsheets.xlsx([["x" * 50]] * 30))


def test_a_billion_laughs() -> None:
    """Given a sheet with entities that unfold to gigabytes / Then it is refused."""
    entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
    bomb = f'<!DOCTYPE x [<!ENTITY e0 "{"x" * 100}">{entities}]>'

    def change(name: str, content: bytes) -> bytes:
        if "sheet1" not in name:
            return content
        return bomb.encode() + content.replace(b"<v>1</v>", b"<v>&e9;</v>")

    assert "damaged" in reason(repacked(spreadsheets.xlsx(ROWS), change))


def test_openpyxl_keeps_the_heights_of_rows_where_they_are_forgotten() -> None:
    """Given rows with heights / Then the parser has them in the one attribute that is cleared."""
    sheet = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    sheet += b'<row r="1" ht="18"><c r="A1"><v>5</v></c></row></sheetData></worksheet>'
    parser = _reader.WorkSheetParser(io.BytesIO(sheet), [], data_only=True)
    rows = list(parser.parse())
    assert rows == [(1, [{"row": 1, "column": 1, "value": 5, "data_type": "n", "style_id": 0}])]
    assert list(parser.row_dimensions) == ["1"]


def test_what_openpyxl_leaves_out_is_no_warning() -> None:
    """Given a drop-down list in an extension, of which openpyxl warns / Then the sheet is read in silence."""
    extension = b'<extLst><ext uri="{CCE6A557-97BC-4b89-ADB6-D9C93CAAB3DF}"/></extLst></worksheet>'
    data = repacked(spreadsheets.xlsx(ROWS), lambda _, content: content.replace(b"</worksheet>", extension))
    assert read(data)[0] == ROWS
