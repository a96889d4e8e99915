"""Finds equal addresses among any number of rows, exactly and in bounded memory. Knows nothing of files or reports.

Each address goes to the partition of its hash, so that equal addresses share a partition. When the buffer is full, it
goes to a temporary file. Afterwards one partition at a time is read back, in row order, into a dict. A small list never
touches the disk.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from lists.temp_file import OnRows, TempFile

#: The number of partitions. 10 million rows make about 10,000 rows per partition: 2 MB in memory.
_PARTITIONS: Final = 1024
#: The number of rows that memory holds before they go to the file: about 12 MB.
_BUFFERED_ROWS: Final = 100_000


class Duplicate(NamedTuple):
    """A row with the same address (in lower case) as the earlier row `first_row`."""

    row: int
    address: str
    first_row: int


class Duplicates:
    """Takes the addresses of a list, and finds the rows that repeat an earlier address."""

    def __init__(self, file: TempFile) -> None:
        self._file = file
        self._written: list[array[int]] = []  # per flush: the offset of each partition, and the end of the last one
        self._buffered = 0
        self._keys: list[list[str]] = [[] for _ in range(_PARTITIONS)]
        self._rows: list[list[int]] = [[] for _ in range(_PARTITIONS)]

    def add(self, addresses: Sequence[str], rows: Sequence[int]) -> None:
        """Take addresses, in ASCII and lower case, with their row numbers, which must ascend across calls."""
        keys, numbers = self._keys, self._rows
        for address, row in zip(addresses, rows, strict=True):
            partition = hash(address) % _PARTITIONS
            keys[partition].append(address)
            numbers[partition].append(row)
        self._buffered += len(addresses)
        if self._buffered >= _BUFFERED_ROWS:
            self._flush()

    def found(self, on_rows: OnRows) -> Iterator[Duplicate]:
        """All duplicates, partition by partition, in row order within each. Calls `on_rows` after each partition."""
        for partition in range(_PARTITIONS):
            first_rows: dict[str, int] = {}
            for keys, rows in self._parts(partition):
                for address, row, first in zip(keys, rows, map(first_rows.setdefault, keys, rows), strict=True):
                    if first != row:
                        yield Duplicate(row, address, first)
                on_rows(len(keys))

    def _parts(self, partition: int) -> Iterator[tuple[Sequence[str], Sequence[int]]]:
        for starts in self._written:
            yield _unpacked(self._file.read(starts[partition], starts[partition + 1]))
        yield self._keys[partition], self._rows[partition]

    def _flush(self) -> None:
        starts = array("Q", [self._file.size])
        for keys, rows in zip(self._keys, self._rows, strict=True):
            self._file.append(_packed(keys, rows))
            starts.append(self._file.size)
            keys.clear()
            rows.clear()
        self._written.append(starts)
        self._buffered = 0


def _packed(keys: list[str], rows: list[int]) -> bytes:
    """One address per line, an empty line, then the row numbers as 64-bit integers."""
    return b"".join(("\n".join(keys).encode("ascii"), b"\n\n", array("Q", rows).tobytes()))


def _unpacked(data: bytes) -> tuple[Sequence[str], Sequence[int]]:
    keys, _, numbers = data.partition(b"\n\n")
    rows = array("Q")
    rows.frombytes(numbers)
    return keys.decode("ascii").split("\n") if keys else [], rows
