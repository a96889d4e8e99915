"""Tests the addresses of a whole list against the suppression list, as the parser needs it.

To ask Redis about each address would take longer than to parse it. So after a while, or at once for a long list, a
screening reads all hashes of the suppression list into a bitmap, and asks about those few addresses alone that the
bitmap cannot rule out. The result is exact, except that it may miss an entry that is added while the list is parsed:
admission asks again.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from consent.hash_filter import HashFilter

#: So many entries can be read into the bitmap in the time in which one address is asked about.
ENTRIES_PER_ADDRESS: Final = 16
#: The buckets of one round trip: about 20,000 entries.
BUCKETS: Final = 100


class Entries(Protocol):
    """What a screening asks the suppression list, see `consent.suppressions.Suppressions`."""

    def sizes(self, *, marketing: bool) -> list[tuple[str, int, int]]: ...
    def members(self, of_class: str, first: int, count: int) -> Iterator[array[int]]: ...
    def hash_array(self, folded: Sequence[str]) -> array[int]: ...
    def which(self, hashes: Sequence[int], *, marketing: bool) -> list[bool]: ...


class Screening:
    """Tests the addresses of one list. Not thread safe.

    Args:
        entries: the suppression list.
        marketing: whether the list gets marketing email; other email is stopped by `bounced` and `complained` alone.
        expected: about how many addresses the list has; 0: not known.
    """

    def __init__(self, entries: Entries, *, marketing: bool, expected: int = 0) -> None:
        self._entries = entries
        self._marketing = marketing
        self._expected = expected
        self._asked = 0
        self._filter: HashFilter | None = None

    def suppressed(self, folded: Sequence[str]) -> list[bool]:
        """Which addresses get no such email, in their order.

        Args:
            folded: in the form that `lists.addresses.folded` makes.

        Raises:
            redis.RedisError: Redis is unavailable.
            StoreError: as `Suppressions.hash_of`.
        """
        if self._filter is None:
            sizes = self._sizes()
            if not any(entries for _class, _buckets, entries in sizes):
                return [False] * len(folded)  # without a hash: the list may not even have a key for them
            self._filter = self._filter_if_due(sizes, len(folded))
        hashes = self._entries.hash_array(folded)
        if self._filter is None:
            return self._entries.which(hashes, marketing=self._marketing)
        stopped = [False] * len(hashes)
        if places := self._filter.candidates(hashes):
            found = self._entries.which([hashes[place] for place in places], marketing=self._marketing)
            for place, one in zip(places, found, strict=True):
                stopped[place] = one
        return stopped

    def _filter_if_due(self, sizes: list[tuple[str, int, int]], asked: int) -> HashFilter | None:
        """The bitmap, once its entries cost less to read than the addresses cost so far, or will cost, to ask about."""
        total = sum(entries for _class, _buckets, entries in sizes)
        self._asked += asked
        if total > ENTRIES_PER_ADDRESS * max(self._asked, self._expected):
            return None
        return self._read(HashFilter(total), sizes)

    def _read(self, found: HashFilter, sizes: list[tuple[str, int, int]]) -> HashFilter:
        """Read all buckets into the bitmap, at the end those into which others were split meanwhile."""
        done: dict[str, int] = {}
        while any(done.get(name, 0) < buckets for name, buckets, _entries in sizes):
            for name, buckets, _entries in sizes:
                for first in range(done.get(name, 0), buckets, BUCKETS):
                    for hashes in self._entries.members(name, first, min(BUCKETS, buckets - first)):
                        found.add(hashes)
                done[name] = buckets
            sizes = self._sizes()
        return found

    def _sizes(self) -> list[tuple[str, int, int]]:
        return self._entries.sizes(marketing=self._marketing)
