"""The index of a list: where each slice of rows begins in the file. Knows nothing of the rows' content."""

from __future__ import annotations

import struct
from bisect import bisect_right
from typing import Final, NamedTuple

#: The most rows of a list: row numbers have 32 bits, in the index and in Redis' bitmaps.
MAX_ROWS: Final = 2**32 - 1
#: One slice: offset in bytes, number of the first row, number of rows.
_ENTRY: Final = struct.Struct("<QII")


class Slice(NamedTuple):
    """Whole records of a file: bytes `offset` to `end` (exclusive) contain `rows` rows, the first numbered `first_row`.

    A slice with a readable row is at most 2 MiB long (1 MiB of UTF-8). A slice of one over-long row, or of blank lines
    alone, may have any length: do not read a slice in which every row is rejected.
    """

    offset: int
    end: int
    first_row: int
    rows: int


class Index:
    """The slices of a file in order; each begins where the previous one ends. Takes 16 bytes of memory per slice.

    Attributes:
        end: the offset of the end of the last slice, in bytes.
    """

    def __init__(self, packed: bytes = b"", end: int = 0) -> None:
        self._packed = bytearray(packed)
        self.end = end

    @classmethod
    def unpack(cls, data: bytes, end: int) -> Index:
        """The index from the result of `pack`, for a list that ends at byte `end`."""
        return cls(data, end)

    def pack(self) -> bytes:
        """The slices as 16 bytes each, little-endian: offset (8), first row (4), number of rows (4)."""
        return bytes(self._packed)

    def add(self, offset: int, first_row: int, rows: int) -> None:
        """Append a slice. A slice without rows joins the previous slice if that has no rows either."""
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
