"""JSON Lines: which files are, what their values become, and what happens to lines that are no row."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Iterator
from itertools import chain, repeat

import pytest

from lists import json_lines
from lists.errors import UnusableList
from lists.formats import Recognised, recognised
from lists.list_warnings import ListWarning
from tests.support.lists import parse


def read(data: bytes, size: int = 1 << 20) -> tuple[list[list[str]], Recognised]:
    """The rows of a file as its CSV has them, the header first."""
    chunks: Iterator[bytes] = (data[start : start + size] for start in range(0, len(data), size))
    with recognised(chunks) as found:
        text = b"".join(found.chunks).decode()
    assert found.converted
    return list(csv.reader(io.StringIO(text, newline=""))), found


def warnings_of(data: bytes) -> list[ListWarning]:
    return read(data)[1].warnings


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_values(size: int) -> None:
    """Given every kind of value / Then text and numbers are as they are written, and null is empty."""
    data = (
        '{"email": "a@x.test", "zip": "01234", "phone": 4912345678901234567890, "price": 12.50, "vip": true}\n'
        "\n"
        '{"email": "b@x.test", "vip": false, "zip": null, "note": "two\\nlines, \\"quoted\\""}\r\n'
        '{"email": "é@x.test", "note": "\\u00e9 \\ud83d\\ude00 \\ud800"}'
    ).encode()
    rows, found = read(data, size)
    assert rows == [
        ["email", "zip", "phone", "price", "vip", "note"],
        ["a@x.test", "01234", "4912345678901234567890", "12.50", "TRUE", ""],
        ["b@x.test", "", "", "", "FALSE", 'two\nlines, "quoted"'],
        ["é@x.test", "", "", "", "", "é 😀 ?"],
    ]
    assert (found.format, found.encoding, found.warnings) == ("jsonl", "utf-8", [])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_other_encodings(encoding: str) -> None:
    rows, _ = read('{"email": "a@x.test", "name": "Zoë"}\n'.encode(encoding))
    assert rows == [["email", "name"], ["a@x.test", "Zoë"]]


def test_numbers_are_as_they_are_written() -> None:
    """Given a number with more digits than Python converts, and others in odd forms / Then each digit stays."""
    numbers = ["9" * 5000, "-0", "1e3", "1.10"]
    rows, _ = read("".join(f'{{"n": {number}}}\n' for number in numbers).encode())
    assert rows == [["n"], *([number] for number in numbers)]


def test_a_line_without_end_takes_little_memory() -> None:
    """Given a line of 64 MiB / Then it is one bad row, and a few MiB of it are held at once."""
    chunk = b"x" * (1 << 20)
    with recognised(chain([b'{"email": "a@x.test"}\n'], repeat(chunk, 64))) as found:
        tracemalloc.start()
        out = b"".join(found.chunks)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert b"(the line is longer than 1,048,576 bytes)" in out
    assert peak < 16 * (1 << 20)


def test_a_key_that_comes_late_is_counted() -> None:
    """Given a key that only the rows after the first 1,000 have / Then a warning counts and names it."""
    lines = [f'{{"email": "u{n}@x.test"}}' for n in range(1000)] + ['{"email": "z@x.test", "late key": 1}'] * 3
    rows, found = read("\n".join(lines).encode())
    assert rows[-1] == ["z@x.test"]
    assert [warning.code for warning in found.warnings] == ["json_keys_dropped"]
    assert '3 rows have keys that none of the first 1,000 rows has, such as "late key"' in found.warnings[0].message


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"email": "b@x.test", "name": {"first": "Bob"}}', '(the value of "name" is nested)'),
        ('{"email": ["b@x.test"]}', '(the value of "email" is nested)'),
        ('["b@x.test"]', "(the line is not a JSON object)"),
        ('"b@x.test"', "(the line is not a JSON object)"),
        ('{"email": "b@x.test"', "(the line is not JSON)"),
        ('{"email": "b@x.test", "n": NaN}', "(the line is not JSON)"),
        ("[" * 100_000, "(the line is not JSON)"),
        ('{"email": "b@x.test", "n": "' + "x" * (1 << 20) + '"}', "(the line is longer than 1,048,576 bytes)"),
    ],
)
def test_a_line_that_is_no_row_is_rejected_under_its_number(line: str, why: str) -> None:
    """Given a bad line between good ones / Then it costs its row alone, and the report and a warning say why."""
    data = '{"email": "a@x.test"}\n' + line + '\n{"email": "c@x.test"}\n'
    with recognised([data.encode()]) as found:
        result, rejected = parse(b"".join(found.chunks))
    assert (result.rows, result.total) == (3, 2)
    assert rejected == {2: (why, "invalid_email")}
    assert [warning.code for warning in found.warnings] == ["json_rows_refused"]
    assert "1 lines" in found.warnings[0].message
    assert "first row 2" in found.warnings[0].message


def test_a_key_with_an_address_is_not_shown() -> None:
    (warning,) = warnings_of(b'{"email": "a@x.test"}\n' * 1000 + b'{"b@x.test": 1}\n')
    assert "@" not in warning.message


def test_bytes_that_are_not_utf_8() -> None:
    rows, _ = read(b'{"email": "a@x.test"}\n' + '{"email": "é@x.test"}\n'.encode() * 9 + b'{"email": "\xe9"}\n')
    assert rows[-1] == ["(the line is not JSON)"]


@pytest.mark.parametrize(
    "text", ['[{"email": "a@x.test"}]', '{\n  "email": "a@x.test"\n}', '[\n{"email": 1}\n]', '["email"]', "[]", "{}x"]
)
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(UnusableList, match="write one object per line"):
        read(text.encode())


def test_a_csv_that_begins_with_a_bracket_is_a_csv() -> None:
    assert not json_lines.is_json_lines("[email],{name}\n")
    assert not json_lines.is_json_lines("{email},name\n")


def test_objects_without_keys() -> None:
    with pytest.raises(UnusableList, match="0 different keys"):
        read(b"{}\n{}\n")


def test_objects_of_objects_alone_are_refused_in_words() -> None:
    with pytest.raises(UnusableList, match=r'no line is an object of texts.*the value of "name" is nested'):
        read(b'{"email": "a@x.test", "name": {"first": "Ann"}}\n')
