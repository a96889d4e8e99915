"""Notices that Redis has lost entries of the suppression list, and puts them back from the object store.

Redis numbers the records, and `flush` leaves the number of the last stored one in the object store. A Redis whose last
number is lower has been lost, or restored from an older backup. Any number of processes may restore at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from itertools import islice
from typing import Any, Final, Protocol

from consent.records import Reason
from consent.segments import Segments, Store

#: The most entries per round trip to Redis.
BLOCK: Final = 1_000


class Scripts(Protocol):
    """Runs Lua scripts by name, see `campaigns.db.scripts.Scripts`."""

    def __call__(self, name: str, keys: Mapping[str, str | Sequence[str]], /, **args: Any) -> Any: ...
    def read(self, name: str, keys: Mapping[str, str | Sequence[str]], /, **args: Any) -> Any: ...


class Restoration:
    """Restores one list. Every method raises `redis.RedisError` or `StoreError` if one of them is unavailable.

    Args:
        scripts: runs the scripts on the installation's Redis.
        store: the object store.
        segments: the stored records.
        names: the Redis keys of the list and of its journal, by their names in the scripts.
        mark: the key of the object with the number of the last stored record.
    """

    def __init__(self, scripts: Scripts, store: Store, segments: Segments, names: dict[str, str], mark: str) -> None:
        self._scripts = scripts
        self._store = store
        self._segments = segments
        self._names = names
        self._list = {"suppressions": names["suppressions"]}
        self._mark = mark

    def stored_seq(self) -> int:
        """The number of the last stored record; 0 if none has been stored."""
        size = self._store.size(self._mark)
        if size:
            return int(self._store.read(self._mark, 0, size))
        # An earlier version has left no mark.
        return max((record.seq for record in self._segments.stream()), default=0)

    def note_stored(self, seq: int) -> None:
        """Record that all records up to this number have been stored."""
        if seq > self.stored_seq():
            self._store.put_file(self._mark, BytesIO(b"%d" % seq))

    def is_due(self) -> bool:
        """Whether Redis lacks entries that the object store has, or a restoration was broken off."""
        seq, unfinished = self._scripts.read("suppressions_seq", self._list)
        return bool(unfinished) or seq < self.stored_seq()

    def run(self) -> int:
        """Put back what Redis lacks; return the number of entries that were added.

        It takes nothing out: an entry whose removal a backup does not know stops email until it is removed again, which
        is safer than to take out what was added a moment ago. It begins by raising the number of the last record, so
        that records from now on count as later ones.
        """
        self._scripts("suppressions_restoring", self._list, seq=self.stored_seq(), finished=False)
        added, found = 0, self._segments.stream()
        while block := list(islice(found, BLOCK)):
            entries = [(one.address_hash, one.what) for one in block if isinstance(one.what, Reason)]
            added += self._scripts("restore_suppressions", self._names, entries=entries)
        self._scripts("suppressions_restoring", self._list, seq=0, finished=True)
        return added
