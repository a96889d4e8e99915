"""The suppression list: which addresses get no email. One list per installation.

Redis holds a keyed 64-bit hash per address, which admission asks in its own script (`lua/lib/suppressed.lua`). The
object store holds the addresses with their reasons, in sorted segments. A change is effective once Redis has it; its
record waits in a journal in Redis until `flush` stores it.

Knows nothing of what an unsubscribe link or a provider event is.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from itertools import groupby, islice
from typing import Any, Final, NamedTuple, Protocol

from consent import records
from consent.records import Reason, Record
from consent.segments import Segments, Store
from lists import addresses

#: The most addresses per round trip to Redis.
BLOCK: Final = 1_000
#: Once the journal has so many records, it is time for `flush`.
FLUSH_RECORDS: Final = 20_000
#: The most records of one new segment, which memory holds while they are sorted.
SEGMENT_RECORDS: Final = 50_000

_KEY_BYTES: Final = 16


class Scripts(Protocol):
    """Runs Lua scripts by name, see `campaigns.db.scripts.Scripts`."""

    def __call__(self, name: str, keys: Mapping[str, str | Sequence[str]], /, **args: Any) -> Any: ...
    def read(self, name: str, keys: Mapping[str, str | Sequence[str]], /, **args: Any) -> Any: ...


class Names(NamedTuple):
    """The Redis keys of the list, its journal and the installation's history.

    `objects`: the prefix of its objects, with a slash at its end.
    """

    suppressions: str
    journal: str
    objects: str
    history: str


class Added(NamedTuple):
    """How many addresses were new on the list, how many were on it, and whether it is time for `flush`."""

    added: int
    already: int
    flush_due: bool


class Suppressions:
    """The list. Thread safe. Every method raises `redis.RedisError` if Redis is unavailable.

    Args:
        scripts: runs the scripts on the installation's Redis.
        store: the object store.
        names: of keys and objects.
        missing: the exception that the store raises for an object that is not there.
    """

    def __init__(self, scripts: Scripts, store: Store, names: Names, missing: type[Exception]) -> None:
        self._scripts = scripts
        self._store = store
        self._list = {"suppressions": names.suppressions}
        self._journal = {"suppressions_journal": names.journal}
        self._history = names.history
        self._key_object = f"{names.objects}hash-key"
        self._segments = Segments(store, f"{names.objects}segments/", missing)
        self._key: bytes | None = None
        self._used = False

    # The hashes

    def hash_of(self, address: str) -> int | None:
        """The signed 64-bit hash of an address as people write it; None: it is no address.

        Case and the two forms of an international domain make no difference, as among duplicates.

        Raises:
            StoreError: Redis has no hash key yet, and the store is unavailable.
        """
        [folded] = addresses.folded([address])
        return None if folded is None else self.hashes([folded])[0]

    def hashes(self, folded: Iterable[str]) -> list[int]:
        """The signed 64-bit hashes of addresses.

        Args:
            folded: in the form that `lists.addresses.folded` makes.

        Raises:
            StoreError: as `hash_of`.
        """
        return list(map(self.hasher(), folded))

    def hasher(self) -> Callable[[str], int]:
        """A function that makes the hash of one address in its folded form. It asks neither Redis nor the store.

        Raises:
            StoreError: as `hash_of`.
        """
        keyed = hashlib.blake2b(digest_size=8, key=self._hash_key(), person=b"suppression")
        from_bytes = int.from_bytes

        def hash_of(folded: str) -> int:
            digest = keyed.copy()  # half the time of a new one
            digest.update(folded.encode())
            return from_bytes(digest.digest(), "big", signed=True)

        return hash_of

    def _hash_key(self) -> bytes:
        if self._key is None:
            self._key = self._scripts.read("suppression_key", self._list, offered=None, seq=0) or self._new_key()
        return self._key

    def _is_new(self) -> bool:
        """Whether nothing has ever been on the list: then there is no hash key, and a read makes none."""
        if self._key is None:
            self._key = self._scripts.read("suppression_key", self._list, offered=None, seq=0) or None
        return self._key is None and self._store.size(self._key_object) is None

    def _new_key(self) -> bytes:
        """The key for a Redis that has none: that of the records in the store, or a random one."""
        stored = self._store.size(self._key_object) is not None
        offered = self._store.read(self._key_object, 0, _KEY_BYTES) if stored else secrets.token_bytes(_KEY_BYTES)
        last = max((record.seq for record in self._segments.stream()), default=0) if stored else 0
        found: bytes = self._scripts("suppression_key", self._list, offered=offered, seq=last)
        return found

    # Membership

    def contains(self, address: str, *, marketing: bool = True) -> bool:
        """Whether the list stops email to an address.

        Args:
            address: as people write it; one that is invalid is not on the list.
            marketing: whether the email is marketing; other email is stopped by `bounced` and `complained` alone.
        """
        [folded] = addresses.folded([address])
        return folded is not None and self.contains_many([folded], marketing=marketing)[0]

    def contains_many(self, folded: Sequence[str], *, marketing: bool = True) -> list[bool]:
        """Which addresses the list stops email to, in their order; one round trip per `BLOCK` addresses.

        Args:
            folded: in the form that `lists.addresses.folded` makes.
            marketing: as in `contains`.
        """
        if not self._has_entries():
            return [False] * len(folded)
        hashes = self.hashes(folded)
        found = b"".join(
            self._scripts.read("which_suppressed", self._list, marketing=marketing, hashes=hashes[at : at + BLOCK])
            for at in range(0, len(hashes), BLOCK)
        )
        return [mark == ord("1") for mark in found]

    def _has_entries(self) -> bool:
        """Whether the list has ever had an entry. Hashing costs more than this question, which a Yes ends for good."""
        self._used = self._used or bool(self._scripts.read("suppressions_used", self._list))
        return self._used

    # Changes

    def add(self, folded: Sequence[str], reason: Reason, note: str = "") -> Added:
        """Add addresses. An address that is on the list, and stops as much email, keeps its record.

        Args:
            folded: in the form that `lists.addresses.folded` makes.
            reason: why.
            note: more about it, one line.
        """
        note = records.one_line(note)
        entries = [
            (number, reason, address, note, None) for number, address in zip(self.hashes(folded), folded, strict=True)
        ]
        return self._add(entries)

    def add_hash(self, address_hash: int, reason: Reason, address: str = "") -> Added:
        """Add one address by its hash, as an unsubscribe link carries it.

        Args:
            address_hash: as `hash_of` makes it.
            reason: why.
            address: the address in its folded form, where it is known.
        """
        return self._add([(address_hash, reason, address, "", None)])

    def _add(self, entries: Sequence[tuple[int, Reason, str, str, int | None]]) -> Added:
        added = waiting = 0
        for at in range(0, len(entries), BLOCK):
            block = entries[at : at + BLOCK]
            new, waiting = self._scripts("suppress", self._list | self._journal, entries=block)
            added += new
        return Added(added, len(entries) - added, waiting >= FLUSH_RECORDS)

    def remove(self, address: str, note: str = "", by: str = "system") -> bool:
        """Remove an address, whatever its reasons. The record of the removal stays.

        Args:
            address: as people write it.
            note: why, one line.
            by: who removes it, for the history.

        Returns:
            Whether it was on the list.
        """
        [folded] = addresses.folded([address])
        if folded is None:
            return False
        [number] = self.hashes([folded])
        keys = self._list | self._journal | {"history": self._history}
        why = records.one_line(note)
        return bool(self._scripts("unsuppress", keys, hash=number, address=folded, why=why, by=by))

    def erase(self, address: str) -> None:
        """Erase the text of an address from all records. Its hash stays, so that it still gets no email.

        Raises:
            StoreError: the store is unavailable; call again.
        """
        number = self.hash_of(address)
        if number is not None:
            self._scripts("erase_suppressed", self._list | self._journal, hash=number)
            self.flush()
            self._segments.merge(everything=True)

    # Records

    def find(self, address: str) -> list[Record]:
        """What happened to an address, as far as it still matters, in order.

        Raises:
            StoreError: the store is unavailable.
        """
        number = None if self._is_new() else self.hash_of(address)
        if number is None:
            return []
        newer = [record for record in self._waiting() if record.address_hash == number]
        return self._segments.find(number, newer)

    def stream(self) -> Iterator[Record]:
        """The records of the addresses that are on the list, sorted by hash. Memory holds one chunk per segment.

        Raises:
            StoreError: the store is unavailable.
        """
        newer = self._waiting()  # first: a record is stored before it leaves the journal
        return (record for record in self._segments.stream(newer) if isinstance(record.what, Reason))

    def flush(self) -> int:
        """Move the journal into the object store, and merge segments if there are many. May run twice at once.

        Returns:
            The number of records that were moved.

        Raises:
            StoreError: the store is unavailable; the journal keeps what is not stored.
        """
        moved = 0
        while found := self._waiting(SEGMENT_RECORDS):
            self._keep_key()
            self._segments.write(_sorted(found))
            self._scripts("suppressions_stored", self._journal, seq=found[-1].seq)
            moved += len(found)
            self._segments.merge()
        return moved

    def restore(self) -> int:
        """Fill a Redis that has lost the list from the object store; return the number of entries that were added."""
        added, stream = 0, self.stream()
        while block := list(islice(stream, BLOCK)):
            entries = [(one.address_hash, Reason(one.what), one.address, one.note, one.at_ms) for one in block]
            added += self._add(entries).added
        return added

    def _waiting(self, most: int = 10 * SEGMENT_RECORDS) -> list[Record]:
        found = self._scripts.read("suppressions_journal", self._journal, most=most)
        return list(map(Record.of_journal, found))

    def _keep_key(self) -> None:
        """Store a copy of the hash key, without which the records in the store would be of no use."""
        if self._store.size(self._key_object) is None:
            self._store.put_file(self._key_object, BytesIO(self._hash_key()))


def _sorted(found: Sequence[Record]) -> Iterator[Record]:
    by_hash = sorted(found, key=lambda record: record.line())
    for _hash, of_address in groupby(by_hash, lambda record: record.address_hash):
        yield from records.folded(of_address)
