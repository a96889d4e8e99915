"""The CSV parser against everything that Hypothesis can think of."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections.abc import Iterator
from unittest.mock import patch

from hypothesis import given, settings, strategies as st

from lists import lines as csv_lines, records as csv_records
from lists.errors import UnusableList
from lists.fields import Malformed, Row, Shape
from lists.header import column_names
from lists.invisible import is_blank, trimmed
from lists.lines import Limits, Lines
from lists.scan import ScanResult, read_slice
from tests.support.lists import parse, rows_of

#: What makes CSV files break, and enough ordinary rows for them to be read at all.
PIECES = st.sampled_from(
    [
        *[b"\n", b"\r", b"\r\n", b'"', b'""', b",", b";", b"\0", b" ", b"\n", b'\n"', b'",', b',"', b"\n\n\n"],
        *[
            b"a@x.test",
            b"a@x.test,A\n",
            b"B@x.test,B\n",
            b'"b@x.test","B"\n',
            b'c@x.test,"two\nlines"\n',
            b'"two\nlines@x.test",E\n',
            b'f@x.test,"three\nmore\nlines",F,G\n',
            b'g@x.test,"' + b"a long text\n" * 9 + b'"\n',
            *[b"g@x.test\n", b'g@x.test, "G, H"\n', b" \n", b",,\n", b"\x1a", "\u200b,\ufeff\n".encode()],
            b"\xe9",
            b"\xc3\xa9",
        ],
        *[b"x" * 70, b"bad,x\n", b"d@x.test,D,,\r\n", "é@é.test".encode(), b"\xff\xfe", b"\xd8\x00"],
    ]
)
BODIES = st.lists(PIECES, max_size=60).map(b"".join)
FILES = st.builds(
    lambda mark, header, body: mark + header + body,
    st.sampled_from([b"", b"", b"\xef\xbb\xbf"]),
    st.sampled_from(
        [
            b"email,name\n",
            b"email,name,vip\n",
            b'email, "name"\n',
            b"email\r\n",
            b"Email;Name\r",
            b'\n"email","na\nme"\n',
        ]
    ),
    BODIES,
)


@contextlib.contextmanager
def small_limits() -> Iterator[None]:
    """Blocks of 4 lines and records of 6, so that short files have many, and lines of 60 bytes are over-long."""
    with patch.object(csv_lines, "BLOCK", Limits(4, 40)), patch.object(csv_lines, "RECORD", Limits(6, 60)):
        yield


def check(data: bytes, chunk: int) -> tuple[ScanResult, list[list[str] | None]] | None:
    """Everything that holds for the pass over any file; returns it and the rows read again."""
    try:
        result, rejected = parse(data, chunk=chunk)
    except UnusableList:
        return None
    assert result.rows == result.total + result.rejected
    assert len(rejected) == result.rejected
    assert {row for row in range(result.rows + 1) if result.rejected_bitmap[row >> 3] & (0x80 >> (row & 7))} == set(
        rejected
    )
    slices = [result.index[k] for k in range(len(result.index))]
    assert slices[0].offset == result.dialect.start
    assert result.index.end == len(data)
    assert all(part.offset < part.end for part in slices)
    rows = rows_of(data, result)
    for number, row in enumerate(rows, 1):
        assert result.index[result.index.slice_of_row(number)].first_row <= number
        assert row is None or len(row) == len(result.dialect.columns)
        assert (row is None) <= rejected.get(number, ("", ""))[1].startswith(("malformed", "too_long"))
        assert (row is None) >= rejected.get(number, ("", ""))[1].startswith("malformed")
    return result, rows


@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    check(data, 100)


@given(
    st.sampled_from(["", "sep=;\n", "Title\n"]),
    st.sampled_from(["email,name\n", 'email, "name"\n', "E-mail;Name;Vip\n", "name\temail\n"]),
    st.text(max_size=200) | st.text(st.sampled_from('a@x.test,;" \t\r\n\u200b\ufeff\u00a0\x1a\x00'), max_size=200),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be"]),
)
def test_any_text(above: str, header: str, text: str, encoding: str) -> None:
    """Given any text / Then the scan and the slices agree on rows, numbers and cells."""
    data = f"{above}{header}{text}".encode(encoding, "surrogatepass")
    check(data, 70)
    with small_limits():
        check(data, 7)


@given(FILES, st.integers(1, 50))
def test_any_file(data: bytes, chunk: int) -> None:
    check(data, chunk)


@settings(max_examples=150)
@given(FILES, st.integers(1, 50))
def test_any_file_across_many_blocks(data: bytes, chunk: int) -> None:
    """Given tiny blocks, and the file in chunks of any size / Then slices, rows and reasons are those of one chunk."""
    with small_limits():
        whole = check(data, len(data))
        assert (whole is None) == (check(data, chunk) is None)
        if whole is not None:
            result, rejected = parse(data, chunk=chunk)
            assert (result.index.pack(), rejected) == (whole[0].index.pack(), parse(data)[1])


@given(
    st.sampled_from(["utf-16-le", "utf-16-be"]),
    st.lists(st.sampled_from([*'\r\n",é\ud800\udc00😀', "a@x.test,A\n", "x" * 40, "\r\n"]), max_size=40).map("".join),
    st.sampled_from([b"", b"\0", b"\xd8"]),
    st.integers(1, 50),
)
def test_any_utf_16_file(encoding: str, body: str, odd_end: bytes, chunk: int) -> None:
    """Given lone surrogates, and half a character at the end / Then offsets are exact, wherever the chunks are cut."""
    data = f"\ufeffemail,name\n{body}".encode(encoding, "surrogatepass") + odd_end
    with small_limits():
        assert (check(data, chunk) is None) == (check(data, len(data)) is None)


@settings(max_examples=150)
@given(FILES)
def test_rows_are_those_of_the_rules_read_line_by_line(data: bytes) -> None:
    """Given tiny blocks / Then the rows are those that the rules, applied to the whole file, give."""
    with small_limits():
        found = check(data, 17)
        if found is not None:
            result, rows = found
            assert rows == list(plainly(data[result.dialect.start :], result.dialect.shape))


def plainly(data: bytes, shape: Shape) -> Iterator[list[str] | None]:
    """The rules of `csv_records`, as slow and simple as can be."""
    lines = data.splitlines(keepends=True)
    position = 0
    while position < len(lines):
        if len(lines[position]) > csv_lines.RECORD.size:
            yield None
            position += 1
            continue
        within = reach(lines[position:], csv_lines.RECORD)
        texts = csv_lines.decoded(within)
        texts[-1] = texts[-1].rstrip("\r\n") + "\n"
        record, stop = first_record(texts, shape)
        if record is None and stop == len(texts) and (rest := long_rest(texts, lines[position + stop :], shape)):
            yield None
            position += stop + rest
            continue
        for row in [alone(text, shape) for text in texts[:stop]] if record is None else [record]:
            if row is None or not all(map(is_blank, row)):
                yield fit(row, shape)
        position += stop


def reach(lines: list[bytes], limits: Limits) -> list[bytes]:
    """The lines that these limits allow, at least one unless it is over-long."""
    count = 0
    while count < min(len(lines), limits.lines) and sum(map(len, lines[: count + 1])) <= limits.size:
        count += 1
    return lines[: max(count, 1)] if lines and len(lines[0]) <= csv_lines.RECORD.size else []


def long_rest(texts: list[str], rest: list[bytes], shape: Shape) -> int:
    """The number of lines that a record goes on for after `texts`, where its quote is open; 0 if it is a stray one."""
    if len(texts) == 1 or are_rows(texts[1:], shape):
        return 0
    used = 0
    while block := csv_lines.decoded(reach(rest[used:], csv_lines.BLOCK)):
        closing = next((number for number, text in enumerate(block, 1) if alone(f'"{text}', shape)), len(block))
        if are_rows(block[:closing], shape):
            return used + next(number for number, text in enumerate(block) if like_a_row(alone(text, shape), shape, 3))
        used += closing
        if closing < len(block) or alone(f'"{block[-1]}', shape):
            return used
    return used


def are_rows(texts: list[str], shape: Shape) -> bool:
    rows = [alone(text, shape) for text in texts]
    lines = sum(not is_blank(text) for text in texts)
    addresses = sum(like_a_row(row, shape) for row in rows)
    full = sum(full_and_telling(row, shape, 3) for row in rows)
    return (addresses > 0 and addresses * 10 >= lines) or (full > 0 and full * 2 >= lines)


def full_and_telling(row: list[str] | None, shape: Shape, telling: int) -> bool:
    if row is None or shape.width < telling:
        return False
    return wide_enough(row, shape) and not all(map(is_blank, row))


def first_record(texts: list[str], shape: Shape) -> tuple[list[str] | None, int]:
    """The first record and its number of lines, or None and the number of lines to read one by one."""
    reader = csv.reader([*texts, "end"], delimiter=shape.delimiter, skipinitialspace=shape[3], strict=True)
    try:
        record = next(reader)
    except csv.Error:
        return None, max(reader.line_num - 1, 1)
    if reader.line_num == 1:
        return record, 1
    swallowed = [alone(text, shape) for text in texts[1 : reader.line_num]]
    if wide_enough(record, shape) and not re.search("[\r\n]", trimmed(record[shape.email_index])):
        return record, reader.line_num
    if any(row and wide_enough(row, shape) and like_a_row(row, shape) for row in swallowed):
        return None, reader.line_num - 1
    if not wide_enough(record, shape) and any(like_a_row(row, shape) for row in swallowed):
        return ["\0"] * shape.width, reader.line_num  # a malformed row
    return record, reader.line_num


def like_a_row(record: list[str] | None, shape: Shape, telling: int = 1000) -> bool:
    """Whether it has something like an address, or as many fields as a header of at least `telling` fields."""
    if record is None or full_and_telling(record, shape, telling):
        return record is not None
    if len(record) <= shape.email_index:
        return False
    return re.fullmatch(r"""[^\s@"<>():,;]+@[^\s@"<>():,;]+""", trimmed(record[shape.email_index])) is not None


def alone(text: str, shape: Shape) -> list[str] | None:
    records = list(csv.reader([text, "end"], delimiter=shape.delimiter, skipinitialspace=shape[3]))
    return records[0] if len(records) == 2 else None


def wide_enough(record: list[str], shape: Shape) -> bool:
    return len(record) >= shape.width and all(map(is_blank, record[shape.width :]))


def fit(record: list[str] | None, shape: Shape) -> list[str] | None:
    if record is None or "\0" in "".join(record[: shape.width]):
        return None
    return (record + [""] * shape.width)[: shape.width]


@settings(max_examples=150)
@given(FILES)
def test_a_row_depends_on_the_bytes_from_its_first_line_on_alone(data: bytes) -> None:
    """Given tiny blocks / Then what begins at any slice reads as it did, with nothing of the file before it."""
    with small_limits():
        found = check(data, len(data))
        if found is None:
            return
        result, rows = found
        for part in map(result.index.__getitem__, range(len(result.index))):
            rest = [row for _, row in read_slice(data[part.offset :], result.dialect, part.first_row)]
            assert rest == rows[part.first_row - 1 :]


FIELDS = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff"), max_size=12)


@given(
    st.lists(st.lists(FIELDS, min_size=2, max_size=2), min_size=1, max_size=30),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16-le", "utf-16"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.integers(1, 200),
)
def test_what_a_csv_writer_wrote_is_read(
    fields: list[list[str]], delimiter: str, end: str, encoding: str, quoting: int, chunk: int
) -> None:
    """Given fields of any text, written as any program would / Then they come back as they were."""
    if quoting == csv.QUOTE_MINIMAL:  # with which csv.writer leaves line breaks unquoted that are not its own
        others = str.maketrans(dict.fromkeys({"\r", "\n"} - set(end), " "))
        fields = [[field.translate(others) for field in row] for row in fields]
    written = [[f"user{number}@x.test", *row] for number, row in enumerate(fields)]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([["Email", "first", "second"], *written])
    found = check(text.getvalue().encode(encoding), chunk)
    assert found is not None
    assert found[0].rejected == 0
    assert found[1] == written


@given(st.text(st.sampled_from('a,"\n \r\x0b\u2028é'), max_size=60))
def test_the_fast_way_reads_what_the_careful_one_reads(text: str) -> None:
    """Given any text in which no record spans lines / Then the careful reader of spanning records agrees."""
    shape = Shape(",", 2, 0)
    texts = [line.decode() for line in f"{text}\n".encode().splitlines(keepends=True)]
    careful = csv_records._Spans(texts, shape, final=True, full=False)
    careful.read()
    found: list[Row] = [
        row for rows in csv_records.read(Lines([text.encode()], "utf-8"), shape, "utf-8") for row in rows.rows
    ]
    assert found == list(csv_records._fitted(careful.records, shape, len(texts)).rows)
    assert all(isinstance(row, Malformed) or len(row) == 2 for row in found)


@given(st.lists(st.text(max_size=8) | st.sampled_from(["Name", "name", "name_2", "NAME "]), max_size=12))
def test_column_names_are_unique_names(header: list[str]) -> None:
    names = column_names(header)
    usable = [name for name in names if name]
    assert len(names) == len(header)
    assert len(set(usable)) == len(usable)
    assert all(name.isidentifier() for name in usable)
