"""Recognition of files against everything that Hypothesis can think of."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator

from hypothesis import given, settings, strategies as st

from lists.errors import UnusableList
from lists.formats import recognised
from lists.transcoding import Transcoding
from tests.support import spreadsheets
from tests.support.spreadsheets import cell, ods, row

#: Texts that XML can carry.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=12)
TABLES = st.lists(st.lists(TEXTS, min_size=1, max_size=4), min_size=1, max_size=6)
BEGINNINGS = st.sampled_from([b"", b"PK\x03\x04", b"\x1f\x8b\x08", b"{", b'{"a": 1}\n', b"\xff\xfe", b"email,name\n"])


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def read(data: bytes, size: int = 1 << 20) -> bytes:
    with recognised(pieces(data, size)) as found:
        return b"".join(found.chunks)


def rows_of(data: bytes) -> list[list[str]]:
    """The rows of a file that becomes a CSV, without empty cells and rows at the ends."""
    rows = list(csv.reader(io.StringIO(read(data).decode(), newline="")))
    return stripped(rows)


def stripped(rows: list[list[str]]) -> list[list[str]]:
    cut = [without_tail(row) for row in rows]
    while cut and not cut[-1]:
        cut.pop()
    return cut


def without_tail(row: list[str]) -> list[str]:
    while row and not row[-1]:
        row = row[:-1]
    return row


@settings(max_examples=200)
@given(BEGINNINGS, st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes(beginning: bytes, rest: bytes, size: int) -> None:
    """Given any bytes / Then they are read or refused in words, however they are cut into chunks."""
    data = beginning + rest
    try:
        whole = read(data)
    except UnusableList as refused:
        whole = refused.detail.encode()
    try:
        parts = read(data, size)
    except UnusableList as refused:
        parts = refused.detail.encode()
    assert whole == parts


@settings(max_examples=150)
@given(st.text(max_size=60), st.sampled_from(["cp932", "gb18030", "utf-16", "utf-32", "iso2022_jp", "koi8-r", "utf-7"]))
def test_any_text_is_transcoded(text: str, encoding: str) -> None:
    """Given a text in an encoding, in chunks of any size / Then it comes out as UTF-8."""
    data = text.encode(encoding, "ignore")
    expected = data.decode(encoding, "replace").removeprefix("\ufeff")
    for size in (1, 3, 1000):
        assert b"".join(Transcoding(pieces(data, size), encoding)).decode() == expected


@settings(max_examples=40)
@given(TABLES)
def test_any_table_in_ods(table: list[list[str]]) -> None:
    """Given texts with single blanks inside, which XML keeps / Then the CSV has them."""
    data = ods(("S", "".join(row(*map(cell, texts)) for texts in table)))
    assert rows_of(data) == stripped(table)


@settings(max_examples=25)
@given(TABLES)
def test_any_table_in_xlsx(table: list[list[str]]) -> None:
    texts = [[text if text[:1] != "=" else f"x{text}" for text in texts] for texts in table]
    assert rows_of(spreadsheets.xlsx(texts)) == stripped(texts)


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=8) | st.integers() | st.none()), min_size=1))
def test_any_objects_in_json_lines(objects: list[dict[str, str | int | None]]) -> None:
    data = "\n".join(json.dumps(item) for item in objects).encode()
    header = list(dict.fromkeys(key for item in objects for key in item))
    if not header:
        return
    rows = list(csv.reader(io.StringIO(read(data).decode(), newline="")))
    values = [[item.get(key) for key in header] for item in objects]
    assert rows == [header, *([str(value) if value is not None else "" for value in row] for row in values)]


@given(st.binary(max_size=300).map(lambda body: b"email,name\n" + body.replace(b"\0", b"")), st.integers(1, 60))
def test_gzip_changes_nothing(data: bytes, size: int) -> None:
    """Given any list / Then packed with gzip, it comes out as it does otherwise."""
    try:
        plain = read(data)
    except UnusableList:
        return
    assert read(gzip.compress(data), size) == plain
