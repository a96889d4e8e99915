"""No cell of an export is a formula, wherever a spreadsheet cuts it; ordinary cells stay as they are."""

# ruff: noqa: RUF001 - full-width signs are what this is about

from __future__ import annotations

import csv
import io
import re
import unicodedata

import pytest
from hypothesis import given, strategies as st

from lists.cells import guarded

#: What spreadsheets take for blank at a cell's beginning.
BLANK = ' \t\r\n\xa0\u2003\u3000\ufeff\u200b"'


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("=1", "'=1"),
        ("+ann@shop.test", "'+ann@shop.test"),
        ("-1", "'-1"),
        ("@a", "'@a"),
        ("\ta", "'\ta"),
        ("\ra", "'\ra"),
        ("＝1", "'＝1"),
        ("＋1", "'＋1"),
        ("－1", "'－1"),
        ("＠a", "'＠a"),
        ("  =1", "'  =1"),
        ("\u3000\ufeff＝1", "'\u3000\ufeff＝1"),
        ("a;=1", "a;'=1"),
        ("a; ＋1", "a;' ＋1"),
        ("a,-1", "a,'-1"),
        ("a\t@b", "a\t'@b"),
        ('a;"=1"', 'a;\'"=1"'),
    ],
)
def test_a_formula_becomes_text(cell: str, expected: str) -> None:
    assert guarded(cell) == expected
    assert guarded(expected) == expected


@pytest.mark.parametrize(
    "cell", ["", "ann@shop.test", "a=1", "a-b, c; d", "1", "duplicate:1", "'=1", "x@y.z;a@b.c", "a =1"]
)
def test_ordinary_cells_stay(cell: str) -> None:
    assert guarded(cell) == cell


@given(
    cell=st.text(st.sampled_from("=+-@＝＋－＠;,\t\r\n\"' \u3000ax1|")),
    delimiter=st.sampled_from(",;\t|"),
)
def test_no_delimiter_makes_a_formula_of_a_part(cell: str, delimiter: str) -> None:
    # Given the cell in a file as it is written, read with this delimiter, with quotes heeded or not
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerow([1, guarded(cell)])
    heeded = [part for row in csv.reader(io.StringIO(text.getvalue(), newline=""), delimiter=delimiter) for part in row]
    unheeded = re.split(f"[\r\n{delimiter}]", guarded(cell))
    for part in heeded + unheeded:
        assert not unicodedata.normalize("NFKC", part).lstrip(BLANK).startswith(("=", "+", "-", "@"))
