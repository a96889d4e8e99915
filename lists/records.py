"""Parses the lines of a CSV into rows: quotes, blank lines, ragged rows, stray quotes. Does not check addresses.

A row depends only on the bytes from its first line on, never on where blocks or chunks begin: reading a slice again
gives the same rows as the scan. The rules:

- A record on one line is read leniently: `"Bob" Smith` is `Bob Smith`.
- A row has the header's number of fields; further fields are allowed if they are empty. Blank lines are not rows.
- A record over several lines must end within `csv_lines.RECORD` and be quoted strictly. Otherwise its quote is a stray
  quote, which costs only its line and not the following rows: the lines up to the one that revealed it are read one by
  one.
- Two stray quotes may look like a record over several lines. If that record is not a valid row, or its address contains
  a line break, its lines decide: if a line after the first is by itself a row with something like an address, the quote
  is a stray quote. Otherwise RFC 4180 (2.6) holds: the record is one row, which is rejected.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeGuard

from lists import lines as csv_lines
from lists.lines import Block, Lines

#: An end mark appended to every block: it comes back as a separate record unless a quote is still open before it.
_END: Final = "end"

#: What looks like an address. It only decides which lines make a row, not which addresses are valid: a row must keep
#: its number when the rules for addresses change.
_LIKE_AN_ADDRESS: Final = re.compile(r"""[^\s@"<>():,;]+@[^\s@"<>():,;]+""").fullmatch

# The limit of the csv module holds for the whole process. No field is longer than a record, so it must never apply.
csv.field_size_limit(max(csv.field_size_limit(), 2 * csv_lines.RECORD.size))


class Shape(NamedTuple):
    """What the rows of a file have in common: the delimiter, the number of fields, the position of the address."""

    delimiter: str
    width: int
    email_index: int


@dataclass(frozen=True, slots=True)
class Malformed:
    """A row that cannot be read: the reason, and the text in place of the address, if any."""

    why: str
    email: str = ""


Row = list[str] | Malformed


class Rows(NamedTuple):
    """Consecutive rows, and their size in bytes of the file."""

    rows: Sequence[Row]
    size: int


def none_malformed(rows: Sequence[Row]) -> TypeGuard[Sequence[list[str]]]:
    """Whether all rows can be read."""
    return set(map(type, rows)) <= {list}


def read(lines: Lines, shape: Shape, encoding: str) -> Iterator[Rows]:
    """Read all lines as whole records, at most `csv_lines.BLOCK` at a time unless a record is longer."""
    limits = csv_lines.BLOCK
    while True:
        block = lines.take(limits)
        rows, used = _read_block(block, shape, full=limits is csv_lines.RECORD)
        # If no record ends within the block, take as many lines as a record may have.
        limits = csv_lines.BLOCK if used or not block.lines else csv_lines.RECORD
        if used:
            yield Rows(rows, csv_lines.raw_size(_data(block, used), encoding))
        if used < len(block.lines):
            lines.put_back(block.lines[used:])
        elif block.final:
            overlong = lines.overlong()
            if overlong is None:
                return
            yield Rows([Malformed(f"longer than {csv_lines.RECORD.size:,} bytes")], overlong.size)


def _data(block: Block, used: int) -> bytes:
    return block.data if used == len(block.lines) else b"".join(block.lines[:used])


def first_record(texts: Sequence[str], delimiter: str) -> tuple[list[str], int] | None:
    """The first record of at least one line, and its number of lines; None if its quote is never closed."""
    reader = csv.reader(texts, delimiter=delimiter, strict=True)
    try:
        return next(reader), reader.line_num
    except csv.Error:
        fields, closed = _alone(texts[0], delimiter)
        return (fields, 1) if closed else None


def _read_block(block: Block, shape: Shape, *, full: bool) -> tuple[Sequence[Row], int]:
    """The rows of a block, and the number of lines that they use; the remaining lines are a record that may continue.

    `full`: the block is as long as a record may be, so a record that begins at its first line cannot continue.
    """
    texts = csv_lines.decoded(block.lines)
    records = list(csv.reader([*texts, _END], delimiter=shape.delimiter))
    if records.pop() == [_END] and len(records) == len(texts):
        if b"\0" not in block.data and set(map(len, records)) == {shape.width}:
            return records, len(texts)
        return _fitted(records, shape), len(texts)
    spans = _Spans(texts, shape, final=block.final, full=full)
    used = spans.read()
    return _fitted(spans.records, shape), used


def _alone(text: str, delimiter: str) -> tuple[list[str], bool]:
    """Read one line leniently as a whole record; return its fields, and whether its quotes are closed."""
    records = list(csv.reader([text, _END], delimiter=delimiter))
    return records[0], records[-1] == [_END]


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
        reader = csv.reader([*self._texts[start:], _END], delimiter=self._shape.delimiter, strict=True)
        try:
            for fields in reader:
                if line == len(self._texts):
                    break  # the end mark
                stop = start + reader.line_num
                if stop - line > 1 and self._is_stray(fields, self._texts[line + 1 : stop]):
                    return line, stop - 1
                self.records.append(fields)
                line = stop
        except csv.Error:
            return line, start + reader.line_num - 1
        return line, None

    def _is_stray(self, fields: list[str], swallowed: list[str]) -> bool:
        """Whether a stray quote made one record of its first line and the `swallowed` lines."""
        if _is_whole(fields, self._shape):
            return False
        return any(_is_row_alone(text, self._shape) for text in swallowed)

    def _give_up(self, line: int, error: int) -> int:
        """Read the lines of a broken record one by one; return the line to continue from."""
        stop = max(error, line + 1)
        for text in self._texts[line:stop]:
            fields, closed = _alone(text, self._shape.delimiter)
            # The open field contains the end mark, so it is not an address.
            self.records.append(fields if closed else Malformed("quote not closed", _email(fields[:-1], self._shape)))
        return stop


def _email(fields: Sequence[str], shape: Shape) -> str:
    return fields[shape.email_index] if shape.email_index < len(fields) else ""


def _trimmed(fields: list[str], width: int) -> list[str]:
    """The fields without empty ones beyond the header's number of fields."""
    return fields[:width] if len(fields) > width and not any(fields[width:]) else fields


def _is_whole(fields: list[str], shape: Shape) -> bool:
    """Whether a record over several lines is a valid row, without a line break in its address."""
    address = _email(fields, shape).strip()
    return len(_trimmed(fields, shape.width)) == shape.width and not {"\n", "\r"} & set(address)


def _is_row_alone(text: str, shape: Shape) -> bool:
    """Whether one line by itself is a row with something like an address."""
    fields, closed = _alone(text, shape.delimiter)
    address = _email(fields, shape).strip()
    return closed and len(_trimmed(fields, shape.width)) == shape.width and _LIKE_AN_ADDRESS(address) is not None


def _fitted(records: Iterable[Row], shape: Shape) -> list[Row]:
    """The rows from records: without blank lines, each malformed or with the header's number of fields."""
    return [_fit(record, shape) for record in records if record]


def _fit(record: Row, shape: Shape) -> Row:
    if isinstance(record, Malformed):
        return record
    record = _trimmed(record, shape.width)
    if len(record) != shape.width:
        return Malformed(f"{len(record)} fields where the header has {shape.width}", _email(record, shape))
    if any("\0" in field for field in record):
        return Malformed("NUL character", _email(record, shape))
    return record
