"""Quotes that go wrong: a stray one costs its own row, and never the file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

import pytest

from lists import lines as csv_lines, records as csv_records, scan_state
from tests.support.lists import parse, rows_of

NOT_CLOSED = "malformed:quote not closed"


def people(first: int, last: int) -> list[str]:
    return [f"user{n}@x.test,User {n},{n}" for n in range(first, last + 1)]


def csv_of(*rows: str) -> bytes:
    return "".join(f"{row}\n" for row in ("email,name,note", *rows)).encode()


@pytest.mark.parametrize("before", [0, 1, 500, 998, 999, 1000, 1001, 5000])
def test_stray_quote_that_is_never_closed(before: int) -> None:
    """Given a quote that opens and never closes, anywhere in a block / Then its row is lost and no other."""
    data = csv_of(*people(1, before), 'bad@x.test,"Bad,x', *people(before + 2, 9000))
    result, rejected = parse(data)
    assert rejected == {before + 1: ("bad@x.test", NOT_CLOSED)}
    assert (result.rows, result.total) == (9000, 8999)
    assert [k for k, row in enumerate(rows_of(data, result), 1) if row is None] == [before + 1]


def test_stray_quote_in_the_last_row() -> None:
    data = csv_of(*people(1, 3), 'bad@x.test,"').rstrip(b"\n")
    assert parse(data)[1] == {4: ("bad@x.test", NOT_CLOSED)}


def test_stray_quote_that_an_ordinary_quoted_field_seems_to_close() -> None:
    """Given quoted fields further down / Then they do not swallow the rows between."""
    good = ['user6@x.test,"Six, the sixth",6', 'user7@x.test,"Seven",7', 'user8@x.test,"two\nlines",8']
    data = csv_of(*people(1, 3), 'bad@x.test,"Bad,x', *people(5, 5), *good, *people(9, 20))
    result, rejected = parse(data)
    assert rejected == {4: ("bad@x.test", NOT_CLOSED)}
    assert rows_of(data, result)[4:8] == [
        ["user5@x.test", "User 5", "5"],
        ["user6@x.test", "Six, the sixth", "6"],
        ["user7@x.test", "Seven", "7"],
        ["user8@x.test", "two\nlines", "8"],
    ]


def test_a_bad_address_beside_a_quoted_newline_costs_its_row_alone() -> None:
    data = b'n;email;c\nK;a b@b.test;"two\nlines"\nL;c@b.test;x\n'
    result, rejected = parse(data)
    assert (result.rows, result.total) == (2, 1)
    assert rejected == {1: ("a b@b.test", "invalid_email")}


def test_several_stray_quotes() -> None:
    data = csv_of(*people(1, 9), 'a@x.test,"A,x', *people(11, 19), '"b@x.test,B,x', *people(21, 29), 'c@x.test,C,"')
    assert parse(data)[1] == {10: ("a@x.test", NOT_CLOSED), 20: ("", NOT_CLOSED), 30: ("c@x.test", NOT_CLOSED)}


def test_quotes_within_a_line_are_read_leniently() -> None:
    data = csv_of('a@x.test,"Bob" Smith,5" pipe', 'b@x.test,Bob "Bobby" S,""', '"c@x.test" ,C,c "c"')
    result, rejected = parse(data)
    assert rejected == {}
    assert rows_of(data, result) == [
        ["a@x.test", "Bob Smith", '5" pipe'],
        ["b@x.test", 'Bob "Bobby" S', ""],
        ["c@x.test ", "C", 'c "c"'],
    ]


def test_two_stray_quotes_do_not_swallow_the_rows_between() -> None:
    """Given two quotes that make one strictly right field over many rows / Then it makes no row, and they stand."""
    data = csv_of('"a@x.test,A,x', *people(2, 9), 'b@x.test,B,"', *people(11, 12))
    result, rejected = parse(data)
    assert rejected == {1: ("", NOT_CLOSED), 10: ("b@x.test", NOT_CLOSED)}
    assert result.rows == 12


def test_two_stray_quotes_in_a_file_of_one_column() -> None:
    data = b'email\n"a@x.test\nb@x.test\nc@x.test"\nd@x.test\n'
    result, rejected = parse(data)
    assert rejected == {1: ("", NOT_CLOSED), 3: ('c@x.test"', "invalid_email")}
    assert result.total == 2


def test_record_over_lines_with_the_wrong_number_of_fields() -> None:
    data = csv_of(*people(1, 2), 'bad@x.test,"two\nlines",x,y', *people(5, 6))
    result, rejected = parse(data)
    assert (result.rows, rejected, result.surplus_rows) == (5, {}, 1)
    assert rows_of(data, result)[2:] == [
        ["bad@x.test", "two\nlines", "x"],
        ["user5@x.test", "User 5", "5"],
        ["user6@x.test", "User 6", "6"],
    ]


@pytest.mark.parametrize(
    "record",
    [
        '"ann@example.com\nBcc: x@example.com",x',
        '"ann@example.com\r\nBcc: x@example.com",x',
        '"ann@example.com\rBcc:x@example.com",x',
        '"ann@example.com\nx@example.com",x',
        '"ann@example.com\n\nx@example.com\n",x',
        '"x\ny\nz","two\nlines"',
    ],
)
def test_quoted_address_with_a_line_break_is_one_rejected_row(record: str) -> None:
    """Given an address with a line break inside, as RFC 4180 allows / Then it is one row, and it is not sent to."""
    data = f"email,name\n{record}\nb@x.test,B\n".encode()
    result, rejected = parse(data)
    assert [(row, reason.partition(":")[0]) for row, (_, reason) in rejected.items()] == [(1, "invalid_email")]
    assert (result.rows, rows_of(data, result)[1]) == (2, ["b@x.test", "B"])


@pytest.mark.parametrize("lines", [3, 400, 1000])
@pytest.mark.parametrize("before", [0, 700])
def test_ragged_row_with_a_field_of_many_lines_is_one_row(lines: int, before: int) -> None:
    """Given a row with a field too many and a text of many lines / Then it is one row, wherever it begins."""
    text = "\n".join(f"Dear Ann, line {n}, and bob@x.test wrote" for n in range(lines))
    data = csv_of(*people(1, before), f'long@x.test,"{text}",x,y', *people(before + 2, before + 1500))
    result, rejected = parse(data, chunk=5000)
    assert (result.rows, rejected, result.surplus_rows) == (before + 1500, {}, 1)
    assert rows_of(data, result)[before] == ["long@x.test", text, "x"]
    assert rows_of(data, result)[before + 1] == [f"user{before + 2}@x.test", f"User {before + 2}", f"{before + 2}"]


def test_stray_quote_that_a_stray_quote_within_a_good_row_closes() -> None:
    """Given a stray quote and an inch sign that would close it / Then the row with the inch sign stands."""
    data = csv_of('"bad@x.test,Bad,x', 'inch@x.test,5",y', *people(3, 3))
    result, rejected = parse(data)
    assert rejected == {1: ("", NOT_CLOSED)}
    assert rows_of(data, result)[1] == ["inch@x.test", '5"', "y"]


def test_what_an_address_is_does_not_move_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given rules for addresses that have changed since the first pass / Then a slice gives the rows of that pass."""
    data = csv_of('"ann@x.test\nBcc: b@x.test",x,y', '"a@x.test,A,x', *people(3, 4), 'b@x.test,B,"', *people(6, 6))
    result, _ = parse(data)
    before = rows_of(data, result)
    monkeypatch.setattr(scan_state, "folded", lambda raws: [None] * len(raws))
    monkeypatch.setattr(csv_records, "all_ordinary", lambda _raws: False)
    assert rows_of(data, result) == before
    assert parse(data)[0].rows == result.rows


def test_address_with_a_line_break_before_or_after_it() -> None:
    assert parse(csv_of('"a@x.test\n",A,x', '"\r\nb@x.test",B,y'))[1] == {}


@pytest.mark.parametrize("lines", [999, 1000])
def test_record_of_very_many_lines(lines: int) -> None:
    """Given a quoted field of as many lines as a record may have / Then it is read, wherever it begins in a block."""
    data = csv_of(*people(1, 700), 'long@x.test,"' + "\n" * (lines - 1) + '",x', *people(702, 1500))
    result, rejected = parse(data)
    assert (result.rows, rejected) == (1500, {})
    assert rows_of(data, result)[700] == ["long@x.test", "\n" * (lines - 1), "x"]


def test_record_of_many_bytes() -> None:
    """Given a record larger than an ordinary block / Then it is read, and not one beyond the limit."""
    text = ("x" * 9_999 + "\n") * 100
    data = csv_of(*people(1, 3), f'long@x.test,"{text}",x', *people(5, 9))
    result, rejected = parse(data, chunk=65_536)
    assert (result.rows, rejected) == (9, {})
    assert rows_of(data, result)[3] == ["long@x.test", text, "x"]
    _, rejected = parse(csv_of(f'long@x.test,"{text * 2}",x'), chunk=65_536)
    assert rejected == {1: ("long@x.test", "too_long")}


def test_two_large_records_in_a_row() -> None:
    """Given a record larger than a block and one that begins within the reach of the first / Then both are read."""
    texts = [("x" * 9_999 + "\n") * count for count in (40, 90)]
    data = csv_of(*(f'long@x.test,"{text}",{number}' for number, text in enumerate(texts)))
    assert [row and row[1] for row in rows_of(data, parse(data)[0])] == texts


def test_over_long_line_within_quotes() -> None:
    """Given an open quote and then a line longer than any record / Then each costs its row."""
    data = csv_of(*people(1, 2), 'a@x.test,"A,x', "x" * (csv_lines.RECORD.size + 1), *people(5, 6))
    result, rejected = parse(data, chunk=100_000)
    assert rejected == {3: ("a@x.test", NOT_CLOSED), 4: ("", "too_long")}
    assert result.index[1].rows == 1, "an over-long line is a separate slice"
    assert rows_of(data, result)[4:] == [["user5@x.test", "User 5", "5"], ["user6@x.test", "User 6", "6"]]


@pytest.mark.parametrize("line", ['x","', 'q"r,"', '"a"b,"c', ',"', '"', '""",', '","'])
def test_lines_that_leave_a_quote_open_are_read_a_few_times_each(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given many lines that leave a quote open, some whether they begin inside one or not / Then that is no trap.

    Looking up to 1,000 lines ahead from each of them would make a small file take hours.
    """
    reader, read = csv.reader, 0

    def counted(lines: Iterable[str]) -> Iterator[str]:
        nonlocal read
        for text in lines:
            read += 1
            yield text

    monkeypatch.setattr(csv, "reader", lambda lines, **options: reader(counted(lines), **options))
    parse(csv_of(*[line] * 20_000, *people(1, 1)))
    assert 20_000 < read < 8 * 20_000
