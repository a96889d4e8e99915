"""Parses the lines of a CSV into rows: quotes, blank lines, ragged rows, stray quotes. Does not check addresses.

A row depends only on the bytes from its first line on, never on where blocks or chunks begin: reading a slice again
gives the same rows as the scan. The rules:

- A record on one line is read leniently: `"Bob" Smith` is `Bob Smith`.
- A row has the header's number of fields: missing ones are empty, further ones are dropped. A record without any
  visible character is a blank line, which is not a row.
- A record over several lines must end within `csv_lines.RECORD` and be quoted strictly. Otherwise its quote is a stray
  quote, which costs only its line and not the following rows: the lines up to the one that revealed it are read one by
  one.
- Two stray quotes may look like a record over several lines. If that record has another number of fields than the
  header, or its address contains a line break, its lines decide. If a line after the first is by itself a row with the
  header's number of fields and something like an address, the quote is a stray quote. If both the record and such a
  line have another number of fields, either reading may be right, so the record is one malformed row. Otherwise RFC
  4180 (2.6) holds: the record is one row.
- A quote that is still open after `csv_lines.RECORD` is a stray quote if lines after it look like rows. Otherwise its
  record is one row, which is too long; `lists.long_records` decides this and finds its end.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from lists import lines as csv_lines
from lists.addresses import TOO_LONG, all_ordinary
from lists.fields import END, Malformed, Row, Shape, alone, email_of, has_surplus, is_full, looks_like_a_row
from lists.invisible import is_blank, trimmed
from lists.lines import Block, Lines
from lists.long_records import are_rows, skip_rest

_NOT_CLOSED: Final = "malformed:quote not closed"

_VISIBLE: Final = re.compile("[!-~]").search


class Rows(NamedTuple):
    """Consecutive rows.

    Attributes:
        rows: the rows, each with the header's number of fields.
        size: their size in bytes of the file, with the blank lines between them.
        surplus: the number of rows with fields beyond the header that are not blank.
        addresses: the cells with the address, if all are ordinary addresses (`all_ordinary`), otherwise None.
    """

    rows: Sequence[Row]
    size: int
    surplus: int = 0
    addresses: Sequence[str] | None = None


class _Found(NamedTuple):
    """What a block contains: as `Rows`, and the number of lines used. The remaining lines are an incomplete record."""

    rows: Sequence[Row]
    used: int
    surplus: int = 0
    addresses: Sequence[str] | None = None


def read(lines: Lines, shape: Shape, encoding: str) -> Iterator[Rows]:
    """Read all lines as whole records, at most `csv_lines.BLOCK` at a time unless a record is longer."""
    limits = csv_lines.BLOCK
    while True:
        block = lines.take(limits)
        is_long = limits is csv_lines.RECORD and shape.row_rules > 1
        if is_long and (long := _long_record(block, lines, shape, encoding)):
            limits = csv_lines.BLOCK
            yield long
            continue
        found = _read_block(block, shape, full=limits is csv_lines.RECORD)
        # If no record ends within the block, take as many lines as a record may have.
        limits = csv_lines.BLOCK if found.used or not block.lines else csv_lines.RECORD
        if found.used:
            size = csv_lines.raw_size(_data(block, found.used), encoding)
            yield Rows(found.rows, size, found.surplus, found.addresses)
        if found.used < len(block.lines):
            lines.put_back(block.lines[found.used :])
        elif block.final:
            overlong = lines.overlong()
            if overlong is None:
                return
            yield Rows([Malformed(TOO_LONG)], overlong.size)


def _data(block: Block, used: int) -> bytes:
    return block.data if used == len(block.lines) else b"".join(block.lines[:used])


def first_record(texts: Sequence[str], shape: Shape) -> tuple[list[str], int] | None:
    """The first record of at least one line, and its number of lines; None if its quote is never closed."""
    reader = csv.reader(texts, **shape.csv, strict=True)
    try:
        return next(reader), reader.line_num
    except csv.Error:
        fields, closed = alone(texts[0], shape)
        return (fields, 1) if closed else None


def _read_block(block: Block, shape: Shape, *, full: bool) -> _Found:
    """The rows of a block.

    `full`: the block is as long as a record may be, so a record that begins at its first line cannot continue.
    """
    texts = csv_lines.decoded(block.lines)
    records = list(csv.reader([*texts, END], **shape.csv))
    if records.pop() == [END] and len(records) == len(texts):
        if b"\0" not in block.data and set(map(len, records)) == {shape.width}:
            emails = list(map(itemgetter(shape.email_index), records))
            if all_ordinary(emails):
                return _Found(records, len(texts), addresses=emails)
            if all(map(_VISIBLE, emails)) or shape.row_rules == 1:
                return _Found(records, len(texts))
        return _fitted(records, shape, len(texts))
    spans = _Spans(texts, shape, final=block.final, full=full)
    used = spans.read()
    return _fitted(spans.records, shape, used)


def _long_record(block: Block, lines: Lines, shape: Shape, encoding: str) -> Rows | None:
    """The row that fills the block and goes on after it; takes the rest of its lines. None if there is no such row.

    The block is as long as a record may be.
    """
    texts = csv_lines.decoded(block.lines)
    if block.final or not texts[1:] or not _is_open(texts, shape) or are_rows(texts[1:], shape):
        return None
    rest = skip_rest(lines, shape, encoding)
    if not rest:
        return None
    fields, _ = alone(texts[0], shape)
    return Rows([Malformed(TOO_LONG, email_of(fields[:-1], shape))], csv_lines.raw_size(block.data, encoding) + rest)


def _is_open(texts: Sequence[str], shape: Shape) -> bool:
    """Whether the lines are the beginning of one record, quoted strictly so far."""
    reader = csv.reader([*texts, END], **shape.csv, strict=True)
    try:
        next(reader)
    except csv.Error:
        return reader.line_num > len(texts)
    return False


class _Spans:
    """Reads a block in which a record spans several lines, or does not end."""

    def __init__(self, texts: list[str], shape: Shape, *, final: bool, full: bool) -> None:
        self.records: list[Row] = []
        self._texts = texts
        self._shape = shape
        self._final = final
        self._full = full

    def read(self) -> int:
        """Fill `records`; return the number of lines used."""
        line = 0
        while line < len(self._texts):
            line, error = self._read_from(line)
            if error is None:
                break
            if error == len(self._texts) and not self._final and not (self._full and line == 0):
                break
            line = self._give_up(line, error)
        return line

    def _read_from(self, line: int) -> tuple[int, int | None]:
        """Read until an error; return the first line of the record in question, and the line that showed the error."""
        start = line
        reader = csv.reader([*self._texts[start:], END], **self._shape.csv, strict=True)
        try:
            for fields in reader:
                if line == len(self._texts):
                    break  # the end mark
                stop = start + reader.line_num
                record = self._judged(fields, self._texts[line + 1 : stop])
                if record is None:
                    return line, stop - 1
                self.records.append(record)
                line = stop
        except csv.Error:
            return line, start + reader.line_num - 1
        return line, None

    def _judged(self, fields: list[str], swallowed: list[str]) -> Row | None:
        """The record of its first line and the `swallowed` lines; None if a stray quote made one record of them."""
        if not swallowed or _is_whole(fields, self._shape):
            return fields
        if any(looks_like_a_row(text, self._shape, full=True) for text in swallowed):
            return None
        ragged = not is_full(fields, self._shape)
        if ragged and any(looks_like_a_row(text, self._shape, full=False) for text in swallowed):
            return Malformed("malformed:quoted text with lines like rows", email_of(fields, self._shape))
        return fields

    def _give_up(self, line: int, error: int) -> int:
        """Read the lines of a broken record one by one; return the line to continue from."""
        stop = max(error, line + 1)
        for text in self._texts[line:stop]:
            fields, closed = alone(text, self._shape)
            # The open field contains the end mark, so it is not an address.
            self.records.append(fields if closed else Malformed(_NOT_CLOSED, email_of(fields[:-1], self._shape)))
        return stop


def _is_whole(fields: list[str], shape: Shape) -> bool:
    """Whether a record over several lines is a full row, without a line break in its address."""
    return is_full(fields, shape) and not {"\n", "\r"} & set(trimmed(email_of(fields, shape)))


def _fitted(records: Iterable[Row], shape: Shape, used: int) -> _Found:
    """The rows from records: without blank lines, each malformed or with the header's number of fields."""
    rows = [record for record in records if isinstance(record, Malformed) or not _is_blank_row(record, shape)]
    surplus = sum(1 for row in rows if isinstance(row, list) and has_surplus(row, shape.width))
    return _Found([_fit(row, shape) for row in rows], used, surplus)


def _is_blank_row(record: list[str], shape: Shape) -> bool:
    return not record if shape.row_rules == 1 else all(map(is_blank, record))


def _fit(row: Row, shape: Shape) -> Row:
    if isinstance(row, Malformed):
        return row
    if len(row) != shape.width:
        row = [*row[: shape.width], *[""] * (shape.width - len(row))]
    if any("\0" in field for field in row):
        return Malformed("malformed:NUL character", row[shape.email_index])
    return row
