"""Sorted segments of the suppression list's records in the object store: written once, merged, never changed.

Every step may be repeated or take place twice at once, since merging equal records changes nothing. A merge writes the
new segment before it deletes the old ones. Memory holds one chunk per segment.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import IO, Final, NamedTuple, Protocol, TypeVar

from consent import records
from consent.records import Record

T = TypeVar("T")

#: With so many segments, the small ones are merged.
MERGE_SEGMENTS: Final = 8
#: Bytes of a new segment that memory holds before they go to disk.
MEMORY_BYTES: Final = 8 * 1024 * 1024
#: A search ends in a range of this many bytes, which is read whole.
SEARCH_BYTES: Final = 64 * 1024
#: How often a read begins again because a segment was merged away meanwhile.
ATTEMPTS: Final = 5


class StoredObject(Protocol):
    """An object as listed."""

    @property
    def key(self) -> str:
        """Its key."""
        ...


class Store(Protocol):
    """What the segments need of the object store, see `storage.ObjectStore`."""

    def size(self, key: str) -> int | None: ...
    def put_file(self, key: str, fileobj: IO[bytes]) -> None: ...
    def read(self, key: str, start: int, end: int) -> bytes: ...
    def stream(self, key: str) -> Iterator[bytes]: ...
    def list_objects(self, prefix: str) -> Iterator[StoredObject]: ...
    def delete(self, keys: Iterable[str]) -> None: ...


class Segment(NamedTuple):
    """The number of records and the key of a segment; small ones sort first."""

    lines: int
    key: str


class Segments:
    """All segments under a prefix.

    Args:
        store: where they are.
        prefix: of their keys, with a slash at its end.
        missing: the exception that the store raises for an object that is not there.
    """

    def __init__(self, store: Store, prefix: str, missing: type[Exception]) -> None:
        self._store = store
        self._prefix = prefix
        self._missing = missing

    def all(self) -> list[Segment]:
        """The segments that there are, the smallest first."""
        found = (item.key for item in self._store.list_objects(self._prefix))
        return sorted(Segment(int(key.removeprefix(self._prefix).partition("-")[0]), key) for key in found)

    def write(self, lines: Iterable[bytes]) -> None:
        """Store the lines of records, sorted by hash, as a new segment."""
        with SpooledTemporaryFile(MEMORY_BYTES) as file:
            count = 0
            for line in lines:
                file.write(line)
                count += 1
            file.seek(0)
            if count:
                self._store.put_file(f"{self._prefix}{count:012d}-{uuid.uuid4().hex}", file)

    def erase(self, address_hash: int) -> None:
        """Write the segments that have the text of an address anew without it; their records stay otherwise.

        A merge that is under way meanwhile may write the text again, so the segments are looked through until none has
        it.
        """
        start = f"{records.hash_text(address_hash)}\t".encode()
        for _ in range(ATTEMPTS):
            with suppress(self._missing):
                found = [key for key in self._keys() if any(map(_has_text, self._search(key, start)))]
                for key in found:
                    self.write(_erased(self._lines(key), start))
                    self._store.delete([key])
                if not found:
                    return

    def merge(self) -> None:
        """Merge the small segments if there are many."""
        chosen = _small(self.all())
        if not chosen:
            return
        try:
            self.write(map(Record.line, records.merged([self._lines(segment.key) for segment in chosen])))
        except self._missing:
            return  # another process has merged them
        self._store.delete(segment.key for segment in chosen)

    def stream(self, newer: Iterable[Record] = ()) -> Iterator[Record]:
        """All records, merged and sorted by hash.

        Args:
            newer: further records.
        """
        more = sorted(record.line() for record in newer)
        first, rest = self._retried(lambda: _begun(records.merged([more, *map(self._lines, self._keys())])))
        yield from first
        yield from rest

    def find(self, address_hash: int, newer: Iterable[Record] = ()) -> list[Record]:
        """The records of one address, merged, by a binary search in each segment.

        Args:
            address_hash: of the address.
            newer: further records of this address.
        """
        start = f"{records.hash_text(address_hash)}\t".encode()
        lines = self._retried(lambda: [line for key in self._keys() for line in self._search(key, start)])
        return records.folded([*map(Record.of_line, lines), *newer])

    def _keys(self) -> list[str]:
        return [segment.key for segment in self.all()]

    def _retried(self, attempt: Callable[[], T]) -> T:
        """Begin again if a segment is gone: a merge has replaced it since the segments were listed."""
        for _ in range(ATTEMPTS - 1):
            with suppress(self._missing):
                return attempt()
        return attempt()

    def _lines(self, key: str) -> Iterator[bytes]:
        rest = b""
        for chunk in self._store.stream(key):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line + b"\n"

    def _search(self, key: str, start: bytes) -> list[bytes]:
        """The lines of a segment that begin with `start`."""
        size = self._store.size(key)
        if size is None:
            raise self._missing(f"{key} is gone")
        low, high = 0, size  # the lines that begin with `start` begin here
        while high - low > SEARCH_BYTES:
            middle = (low + high) // 2
            before, _, after = self._store.read(key, middle, middle + records.MAX_LINE_BYTES).partition(b"\n")
            if after[: len(start)] < start:
                low = middle
            elif after[: len(start)] > start:
                high = middle + len(before) + 1
            else:
                low, high = max(low, middle - SEARCH_BYTES // 2), min(high, middle + SEARCH_BYTES // 2)
        data = self._store.read(key, low, min(size, high + records.MAX_LINE_BYTES))
        return [line for line in data.split(b"\n") if line.startswith(start)]


def _small(segments: list[Segment]) -> list[Segment]:
    """The smallest segments, each at most twice as large as those before it together; none while there are few."""
    chosen, total = segments[:2], sum(segment.lines for segment in segments[:2])
    for segment in segments[2:]:
        if segment.lines > 2 * total:
            break
        chosen.append(segment)
        total += segment.lines
    return chosen if len(segments) >= MERGE_SEGMENTS else []


def _has_text(line: bytes) -> bool:
    found = Record.of_line(line)
    return bool(found.address or found.note)


def _erased(lines: Iterable[bytes], start: bytes) -> Iterator[bytes]:
    """The lines, those that begin with `start` without address and note."""
    for line in lines:
        if line.startswith(start):
            yield Record.of_line(line)._replace(address="", note="").line()
        else:
            yield line


def _begun(found: Iterator[Record]) -> tuple[list[Record], Iterator[Record]]:
    """The first record, and the others: all sources have been opened by then."""
    return list(islice(found, 1)), found
