"""Erasing one address from a list in place: nothing else moves, however the list is written."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from lists import erasing
from lists.header import CsvDialect
from lists.scan import read_slice

ANN = "ann@x.test"


def erased(text: str, columns: tuple[str, ...] = ("name", "email", "city"), email: int = 1) -> tuple[bytes, list[int]]:
    """The rows of a slice after an erasure, and the rows that had the address."""
    data = text.encode()
    dialect = CsvDialect(delimiter=",", encoding="utf-8", columns=columns, email_index=email, start=0)
    found = erasing.in_slice(data, dialect, 1, ANN)
    after = b"".join(erasing.filled([data], found.spans))
    assert len(after) == len(data)
    before_rows = list(read_slice(data, dialect, 1))
    after_rows = list(read_slice(after, dialect, 1))
    assert [row for row, _cells in after_rows] == [row for row, _cells in before_rows]
    assert all(mine == theirs for mine, theirs in zip(before_rows, after_rows, strict=True) if _other(mine, found.rows))
    return after, found.rows


def _other(row: tuple[int, list[str] | None], rows: list[int]) -> bool:
    return row[0] not in rows and not (row[1] and any(ANN in cell.lower() for cell in row[1]))


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("Ann,ann@x.test,Rome\nBob,bob@x.test,Oslo\n", [1]),
        ("Bob,bob@x.test,Oslo\r\nAnn,ANN@X.TEST,Rome\r\n", [2]),
        ("Bob,bob@x.test,Oslo\rAnn, Ann <ann@x.test> ,Rome\rCy,cy@x.test,Bonn\r", [2]),
        ('Bob,bob@x.test,Oslo\n"Ann\nof Rome",ann@x.test,"via\nAppia, 1"\nCy,cy@x.test,Bonn\n', [2]),
        ("Ann,ann@x.test,Rome", [1]),
        ("\n\nBob,bob@x.test,Oslo\n\nAnn,mailto:ann%40x.test,Rome\n\n", [2]),
        ("Ann,ann@x.test,Rome\nAnn,ann@x.test,Bonn\n", [1, 2]),
        ('Bob,bob@x.test,"open\nAnn,ann@x.test,Rome\nCy,cy@x.test,Bonn\n', [2]),
        ("Joann,joann@x.test,Rome\nAnn,ann@x.test.au,Rome\n", []),
    ],
)
def test_the_rows_of_the_address_are_overwritten_whole(text: str, rows: list[int]) -> None:
    after, found = erased(text)
    assert found == rows
    if rows:
        assert b"ann@x.test" not in after.lower().replace(b"joann@x.test", b"")
        assert b"Rome" not in after
        assert b"Appia" not in after
    else:
        assert after == text.encode()
    for other in (b"Bob", b"Cy"):
        assert (other in after) == (other in text.encode())


def test_a_mention_in_another_row_is_overwritten_alone() -> None:
    after, rows = erased('Bob,bob@x.test,"asked by ANN@x.test, and joann@x.test"\n')
    assert rows == []
    assert after == b'Bob,bob@x.test,"asked by xxxxxxxxxx, and joann@x.test"\n'


def test_a_malformed_row_loses_the_address() -> None:
    after, rows = erased('Bob,bob@x.test,Oslo\nAnn,ann@x.test,"open\n')
    assert rows == []
    assert b"ann@x.test" not in after


def test_an_international_domain_is_found_in_both_forms() -> None:
    data = "Ann,ann@müller.test,Rome\nBob,bob@x.test,see ann@xn--mller-kva.test and ann@MÜLLER.test\n".encode()
    dialect = CsvDialect(delimiter=",", encoding="utf-8", columns=("a", "email", "c"), email_index=1, start=0)
    found = erasing.in_slice(data, dialect, 1, "ann@xn--mller-kva.test")
    after = b"".join(erasing.filled([data], found.spans))
    assert found.rows == [1]
    assert b"ann@" not in after


CELLS = st.sampled_from(
    ["", "Ann", ANN, f" {ANN.upper()} ", "bob@x.test", 'a "b" c', "x\ny", "é,ü", "joann@x.test", "'"]
)


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=12), end=st.sampled_from(["\n", "\r\n"]))
def test_any_rows(rows: list[tuple[str, str, str]], end: str) -> None:
    """Given any rows, then no other row changes, and the address is gone from all cells that hold it."""
    text = end.join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows) + end
    after, found = erased(text)
    dialect = CsvDialect(delimiter=",", encoding="utf-8", columns=("a", "b", "c"), email_index=1, start=0)
    left = [cells for _row, cells in read_slice(after, dialect, 1) if cells]
    assert not any(cell.strip().lower() == ANN for cells in left for cell in cells)
    assert all(row <= len(rows) for row in found)


@given(
    data=st.binary(max_size=100),
    cuts=st.lists(st.integers(0, 100), max_size=6),
    spans=st.lists(st.tuples(st.integers(0, 100), st.integers(0, 30)), max_size=5),
)
def test_filling_does_not_depend_on_chunks(data: bytes, cuts: list[int], spans: list[tuple[int, int]]) -> None:
    places = sorted((start, start + length) for start, length in spans)
    ends = sorted({0, *cuts, len(data)} & set(range(len(data) + 1)))
    chunks = [data[start:end] for start, end in pairwise(ends)]
    expected = bytearray(data)
    for start, end in places:
        for place in range(start, min(end, len(data))):
            expected[place] = ord("x")
    assert b"".join(erasing.filled(chunks, places)) == bytes(expected)
