"""Finds the bytes of a stored list that tell of one address, so that they can be overwritten in place.

What is overwritten keeps its length, so that every other row keeps its bytes, its number and its slice. The rows of
the address are overwritten whole, since their other cells are about the same person; elsewhere, the address alone. Each
step is checked by reading the slice again: if another row were read differently, the step is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from lists import addresses
from lists.header import CsvDialect
from lists.lines import UTF_8
from lists.scan import read_slice

#: What erased bytes become. A row of it is a row without an address.
FILL: Final = b"x"
_FILL_TEXT: Final = FILL.decode()
#: The most lines of one record that are tried.
MAX_LINES: Final = 64

#: Characters next to which an address is a part of a longer one (RFC 5322, 3.2.3, without the quotes that enclose
#: addresses in texts).
_BEFORE: Final = rb"(?<![A-Za-z0-9._%+\-!#$&*/?^{|}~])"
_AFTER: Final = rb"(?![A-Za-z0-9\-]|\.[A-Za-z0-9])"

#: Bytes from an offset to another (exclusive).
Span = tuple[int, int]
_Rows = list[tuple[int, list[str] | None]]


class Erasure(NamedTuple):
    """The bytes of a slice to overwrite, and the rows that have the address."""

    spans: list[Span]
    rows: list[int]


def in_slice(data: bytes, dialect: CsvDialect, first_row: int, folded: str) -> Erasure:
    """What a slice has of an address.

    Args:
        data: the slice's bytes, in UTF-8.
        dialect: how the list is written.
        first_row: the number of the slice's first row.
        folded: the address as `lists.addresses.folded` returns it.

    Raises:
        ValueError: the list is not in UTF-8, as some of an early version; its bytes cannot be overwritten one by one.
    """
    if dialect.encoding != UTF_8:
        raise ValueError("the list is not in UTF-8")
    slice_ = _Slice(data, dialect, first_row, folded)
    rows = slice_.rows_of_address()
    for row in rows:
        slice_.erase_row(row)
    slice_.erase_mentions()
    return Erasure(slice_.spans, rows)


def filled(chunks: Iterable[bytes], spans: Sequence[Span]) -> Iterator[bytes]:
    """The bytes of a list, with the spans overwritten.

    Args:
        chunks: the list.
        spans: in order of their starts; they may overlap.
    """
    offset, place = 0, 0
    for chunk in chunks:
        end = offset + len(chunk)
        found = bytearray(chunk)
        while place < len(spans) and spans[place][0] < end:
            start, stop = max(spans[place][0], offset), min(spans[place][1], end)
            if start < stop:
                found[start - offset : stop - offset] = FILL * (stop - start)
            if spans[place][1] > end:
                break  # it goes on in the next chunk
            place += 1
        offset = end
        yield bytes(found)


def mentions(folded: str) -> re.Pattern[bytes]:
    """Finds an address in bytes, in any case, with its domain in either form."""
    local, _, domain = folded.rpartition("@")
    readable = _readable(domain)
    domains = {one.encode() for one in (domain, readable, readable.upper())}
    ends = b"|".join(re.escape(one) for one in sorted(domains))
    return re.compile(_BEFORE + re.escape(local.encode()) + rb"(?:@|%40)(?:" + ends + rb")" + _AFTER, re.IGNORECASE)


def _readable(domain: str) -> str:
    try:
        return domain.encode("ascii").decode("idna")
    except UnicodeError:
        return domain


class _Slice:
    """One slice while it is erased."""

    def __init__(self, data: bytes, dialect: CsvDialect, first_row: int, folded: str) -> None:
        self.spans: list[Span] = []
        self._data = data
        self._dialect = dialect
        self._first_row = first_row
        self._folded = folded
        self._mentions = mentions(folded)
        self._rows = self._read(data)

    def _read(self, data: bytes) -> _Rows:
        return list(read_slice(data, self._dialect, self._first_row))

    def _address_of(self, cells: list[str] | None) -> str | None:
        return None if cells is None else addresses.folded([cells[self._dialect.email_index]])[0]

    def rows_of_address(self) -> list[int]:
        """The rows whose cell of the address holds it."""
        return [row for row, cells in self._rows if self._address_of(cells) == self._folded]

    def erase_row(self, row: int) -> None:
        """Overwrite the lines of a row: the fewest that leave nothing of it, and all other rows as they are.

        If its quotes allow no such lines, the mentions of the address are overwritten later.
        """
        for span in self._lines_about(row):
            if self._try([span], row):
                return

    def erase_mentions(self) -> None:
        """Overwrite the address wherever else it stands, as a whole or, where a row would change, one by one."""
        spans = [match.span() for match in self._mentions.finditer(self._data)]
        if spans and not self._try(spans):
            for span in spans:
                self._try([span])

    def _lines_about(self, row: int) -> Iterator[Span]:
        """Whole lines, without the last one's end: few before many, and those near the row's place first."""
        ends = [0]
        for line in self._data.splitlines(keepends=True):
            ends.append(ends[-1] + len(line))
        count = len(ends) - 1
        guess = row - self._first_row  # the row's line, if there are no quoted line breaks and no blank lines
        for lines in range(1, min(MAX_LINES, count) + 1):
            for first in sorted(range(count - lines + 1), key=lambda first: abs(first - guess)):
                begin, end = ends[first], ends[first + lines]
                text = self._data[begin:end]
                if self._could_be(text):
                    yield begin, begin + len(text.rstrip(b"\r\n"))

    def _could_be(self, text: bytes) -> bool:
        """Whether lines may hold the address, in characters or percent-encoded."""
        local = self._folded.rpartition("@")[0].encode()
        return local in text.lower() or b"%" in text

    def _try(self, spans: list[Span], erased: int = 0) -> bool:
        """Overwrite these bytes, if then nothing is left of the row `erased`, and all others are as before.

        Without such a row, the address may disappear from other cells, but no row may get another address.
        """
        data = b"".join(filled([self._data], spans))
        found = self._read(data)
        if len(found) != len(self._rows):
            return False
        for (row, before), (_row, after) in zip(self._rows, found, strict=True):
            if row == erased:
                if after is None or any(cell.strip(_FILL_TEXT) for cell in after):
                    return False
            elif before != after and (erased or not self._may_become(before, after)):
                return False
        self._data, self._rows = data, found
        self.spans = sorted([*self.spans, *spans])
        return True

    def _may_become(self, before: list[str] | None, after: list[str] | None) -> bool:
        mine = self._address_of(before)
        return mine in {self._folded, self._address_of(after)}
