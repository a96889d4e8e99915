"""A set of many addresses that is asked often, in bounded memory. Knows nothing of files or campaigns.

It keeps 64-bit hashes, sorted, in a temporary file that is mapped into memory: 8 bytes per address, which the system
can drop and read again. Two different addresses of 10,000,000 share a hash once in 400,000 lists.
"""

from __future__ import annotations

import heapq
import mmap
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import IO, Final, Self

from lists.temp_file import TempFile, temporary_file

#: The number of hashes that memory holds before they are sorted and written: about 10 MB.
_BUFFERED: Final = 250_000
#: The number of hashes that are merged, written and read back at once.
_PIECE: Final = 10_000
_HASH_BYTES: Final = 8


class AddressSet:
    """Addresses in ASCII and lower case: first added, then asked for. A context manager, which closes the files."""

    def __init__(self) -> None:
        self._runs = TempFile()
        self._bounds: list[tuple[int, int]] = []
        self._buffer = array("q")
        self._file: IO[bytes] | None = None
        self._map: mmap.mmap | None = None
        self._hashes: Sequence[int] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if isinstance(self._hashes, memoryview):
            self._hashes.release()
        if self._map:
            self._map.close()
        if self._file:
            self._file.close()
        self._runs.__exit__()

    def add(self, addresses: Sequence[str]) -> None:
        """Add addresses; `seal` must not have been called."""
        self._buffer.extend(map(hash, addresses))
        if len(self._buffer) >= _BUFFERED:
            self._flush()

    def _flush(self) -> None:
        start = self._runs.size
        self._runs.append(array("q", sorted(self._buffer)).tobytes())
        self._bounds.append((start, self._runs.size))
        del self._buffer[:]

    def seal(self) -> None:
        """End the additions, so that the set can be asked."""
        if not self._bounds:
            self._hashes = array("q", sorted(self._buffer))
            return
        self._flush()
        self._file = temporary_file()
        merged = heapq.merge(*(self._run(start, end) for start, end in self._bounds))
        while piece := array("q", islice(merged, _PIECE)):
            self._file.write(piece.tobytes())
        self._file.flush()
        self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        self._hashes = memoryview(self._map).cast("q")

    def _run(self, start: int, end: int) -> Iterator[int]:
        for offset in range(start, end, _PIECE * _HASH_BYTES):
            piece = array("q")
            piece.frombytes(self._runs.read(offset, min(offset + _PIECE * _HASH_BYTES, end)))
            yield from piece

    def contains(self, addresses: Sequence[str]) -> list[bool]:
        """Which of the addresses are in the set."""
        hashes, count = self._hashes, len(self._hashes)
        found = []
        for value in map(hash, addresses):
            place = bisect_left(hashes, value)
            found.append(place < count and hashes[place] == value)
        return found
