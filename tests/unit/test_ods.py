"""Lists in ODS: what the cells become, which sheet is read, and what is refused."""

from __future__ import annotations

import csv
import io
import tracemalloc

import pytest

from lists.errors import UnusableList
from lists.formats import recognised
from lists.list_warnings import ListWarning
from tests.support.spreadsheets import cell, ods, row

NOTE = "<office:annotation><text:p>a note</text:p></office:annotation>"
EMPTY = "<table:table-cell/>"
PEOPLE = row(cell("email"), cell("name")) + row(cell("ann@x.test"), cell("Ann & Zoë"))


def read(data: bytes, sheet: str | None = None) -> tuple[list[list[str]], list[ListWarning]]:
    with recognised([data], sheet=sheet) as found:
        assert (found.format, found.encoding, found.converted) == ("ods", "utf-8", True)
        text = b"".join(found.chunks).decode()
        return list(csv.reader(io.StringIO(text, newline=""))), found.warnings


def reason(data: bytes, sheet: str | None = None) -> str:
    with pytest.raises(UnusableList) as caught:
        read(data, sheet)
    return caught.value.detail


def value_of(xml: str) -> str:
    (only,) = read(ods(("S", row(xml))))[0]
    assert len(only) == 1
    return only[0]


def test_text() -> None:
    assert read(ods(("S", PEOPLE))) == ([["email", "name"], ["ann@x.test", "Ann & Zoë"]], [])


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        (cell("27.11.26", "date", date_value="2026-11-27"), "2026-11-27"),
        (cell("27.11.26", "date", date_value="2026-11-27T00:00:00"), "2026-11-27"),
        (cell("27.11.26 09:30", "date", date_value="2026-11-27T09:30:00"), "2026-11-27 09:30"),
        (cell("27.11.26 09:30", "date", date_value="2026-11-27T09:30:05.5"), "2026-11-27 09:30:05"),
        (cell("09:30:00", "time", time_value="PT09H30M00S"), "09:30"),
        (cell("WAHR", "boolean", boolean_value="true"), "TRUE"),
        (cell("4912345678901", "float", value="4912345678901"), "4912345678901"),
        (cell("4,91E+12", "float", value="4912345678901"), "4912345678901"),
        (cell("###", "float", value="4912345678901"), "4912345678901"),
        (cell("01234", "float", value="1234"), "01234"),
        (cell("1.234,50 €", "currency", value="1234.5"), "1234.50"),
        (cell("12", "float", value="12"), "12"),
        (cell("12,5", "float", value="12.5"), "12.5"),
        (cell("1/2", "float", value="0.5"), "0.5"),
        (cell("25%", "percentage", value="0.25"), "25%"),
        (cell("007", "string"), "007"),
        (
            '<table:table-cell office:value-type="string"><text:p>a<text:s text:c="2"/>b</text:p></table:table-cell>',
            "a  b",
        ),
        (
            cell("one|two").replace("|", "<text:line-break/>").replace("</text:p>", "</text:p> <text:p>three</text:p>"),
            "one\ntwo\nthree",
        ),
        (
            cell("Ann|").replace("|", NOTE + "<text:span> Lee</text:span>").replace("<text:p>", NOTE + "<text:p>"),
            "Ann Lee",
        ),
    ],
)
def test_a_value(xml: str, text: str) -> None:
    assert value_of(xml) == text


def test_repeated_and_empty_cells_and_rows() -> None:
    """Given repeated cells and rows, and a million empty ones at the end as in every file / Then what counts stays."""
    empty = '<table:table-cell table:number-columns-repeated="2"/>'
    twice = cell("x").replace("<table:table-cell", '<table:table-cell table:number-columns-repeated="2"')
    tail = '<table:table-cell table:number-columns-repeated="16381"/>'
    rows = row(empty, twice, tail) + row(empty, repeated=2) + row(cell("y"), repeated=3) + row(tail, repeated=1_048_570)
    assert read(ods(("S", rows)))[0] == [["", "", "x", "x"], [], [], ["y"], ["y"], ["y"]]


def test_a_table_inside_a_cell_is_no_sheet() -> None:
    inner = '<table:table table:name="T">' + row(cell("inner")) + "</table:table>"
    outer = f'<table:table-cell office:value-type="string"><text:p>outer</text:p>{inner}</table:table-cell>'
    assert read(ods(("S", row(outer) + row(cell("next")))))[0] == [["outer"], ["next"]]


def test_the_first_of_several_sheets() -> None:
    rows, (warning,) = read(ods(("People", PEOPLE), ("Others", row(cell("x")))))
    assert rows[0] == ["email", "name"]
    assert (warning.code, '"People"' in warning.message) == ("first_sheet", True)


def test_a_sheet_by_name() -> None:
    assert read(ods(("People", PEOPLE), ("Others", row(cell("x")))), " others") == ([["x"]], [])


def test_a_sheet_that_is_not_there() -> None:
    assert reason(ods(("People", PEOPLE), ("Others", "")), "Other") == (
        'There is no sheet "Other"; the sheets are "People", "Others".'
    )


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (ods(), "has no sheet"),
        (ods(("S", row(cell("x"))), manifest="<encryption-data/>"), "password"),
        (ods(("S", "<table:table-row>")), "damaged"),
        (ods(("S", row(cell("x", "float", value="many")))), "damaged"),
        (ods(("S", row(cell("x", "date")))), "damaged"),
        (ods(("S", row(cell("x"))), prolog='<!DOCTYPE x [<!ENTITY e "e">]>'), "document type"),
        (ods(("S", row(cell("x"), repeated=2_000_000))), "more than 1,048,576 rows"),
        (ods(("S", row(EMPTY, repeated=10**9) + row(cell("x")))), "more than 1,048,576 rows"),
        (
            ods(("S", row('<table:table-cell table:number-columns-repeated="20000"/>', cell("x")))),
            "more than 16,384 columns",
        ),
    ],
)
def test_what_is_refused(data: bytes, why: str) -> None:
    assert why in reason(data)


def test_memory_does_not_grow_with_the_rows() -> None:
    """Given 20,000 rows / Then reading them takes a few MB, as much as their pieces do."""
    data = ods(("S", "".join(row(cell(f"u{number}@x.test"), cell("Zoë " * 20)) for number in range(20_000))))
    tracemalloc.start()
    with recognised([data]) as found:
        size = sum(map(len, found.chunks))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 1_500_000
    assert peak < 12 * 1024 * 1024
