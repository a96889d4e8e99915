"""The index of a list: where in the file each run of rows begins. Knows nothing of what the rows hold."""

from __future__ import annotations

import struct
from bisect import bisect_right
from typing import Final, NamedTuple

#: offset in bytes, number of the first row, number of rows.
_ENTRY: Final = struct.Struct("<QII")


class Slice(NamedTuple):
    """Whole records of a file: bytes `offset` to `end` (exclusive) hold `rows` rows from number `first_row` on.

    A slice with a readable row is at most 2 MiB long (1 MiB of UTF-8). An over-long line, or blank lines and nothing
    else, make a slice of any length: do not read one in which every row is rejected.
    """

    offset: int
    end: int
    first_row: int
    rows: int


class Index:
    """The slices of a file in order, each beginning where the one before ends; 16 bytes of memory a slice.

    Attributes:
        end: offset in bytes of the end of the last slice.
    """

    def __init__(self, packed: bytes = b"", end: int = 0) -> None:
        self._packed = bytearray(packed)
        self.end = end

    @classmethod
    def unpack(cls, data: bytes, end: int) -> Index:
        """The index that `pack` gave, of a list that ends at offset `end`."""
        return cls(data, end)

    def pack(self) -> bytes:
        """The slices as 16 bytes each, little-endian: offset (8), first row (4), number of rows (4)."""
        return bytes(self._packed)

    def add(self, offset: int, first_row: int, rows: int) -> None:
        """Append a slice; one without rows is part of the one before if that has none either."""
        if rows or not len(self) or self._entry(len(self) - 1)[2]:
            self._packed += _ENTRY.pack(offset, first_row, rows)

    def __len__(self) -> int:
        return len(self._packed) // _ENTRY.size

    def __getitem__(self, position: int) -> Slice:
        offset, first_row, rows = self._entry(position)
        end = self._entry(position + 1)[0] if position + 1 < len(self) else self.end
        return Slice(offset, end, first_row, rows)

    def slice_of_row(self, row: int) -> int:
        """The position of the slice that holds a row.

        Raises:
            IndexError: there is no such row.
        """
        position = bisect_right(range(len(self)), row, key=lambda k: self._entry(k)[1]) - 1
        if position < 0 or row >= sum(self._entry(position)[1:]):
            raise IndexError(row)
        return position

    def _entry(self, position: int) -> tuple[int, int, int]:
        if not 0 <= position < len(self):
            raise IndexError(position)
        offset, first_row, rows = _ENTRY.unpack_from(self._packed, position * _ENTRY.size)
        return offset, first_row, rows
