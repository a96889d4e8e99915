"""The suppression list: which addresses get no email. One list per installation.

Redis holds a keyed 64-bit hash per address, which admission asks in its own script (`lua/lib/suppressed.lua`). The
object store holds the addresses with their reasons, in sorted segments. A change is effective once Redis has it; its
record waits in a journal in Redis until `flush` stores it.

Knows nothing of what an unsubscribe link or a provider event is.
"""

from __future__ import annotations

import secrets
from array import array
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from itertools import groupby
from typing import Final, NamedTuple

from consent import address_hashes, intset, records
from consent.address_hashes import KEY_BYTES
from consent.records import Reason, Record
from consent.restoration import Restoration, Scripts
from consent.screening import Screening
from consent.segments import Segments, Store
from lists import addresses

#: The most addresses per round trip to Redis.
BLOCK: Final = 1_000
#: Once the journal has so many records, it is time for `flush`.
FLUSH_RECORDS: Final = 20_000
#: The most records of one new segment, which memory holds while they are sorted.
SEGMENT_RECORDS: Final = 50_000


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
        self._restoration = Restoration(
            scripts, store, self._segments, self._list | self._journal, f"{names.objects}last-seq"
        )
        self._key: bytes | None = None

    # The hashes

    def hash_of(self, address: str) -> int | None:
        """The signed 64-bit hash of an address as people write it; None: it is no address.

        Case and the two forms of an international domain make no difference, as among duplicates.

        Raises:
            StoreError: Redis has no hash key yet, and the store is unavailable.
        """
        [folded] = addresses.folded([address])
        return None if folded is None else self.hashes([folded])[0]

    def hashes(self, folded: Sequence[str]) -> list[int]:
        """The signed 64-bit hashes of addresses.

        Args:
            folded: in the form that `lists.addresses.folded` makes.

        Raises:
            StoreError: as `hash_of`.
        """
        return self.hash_array(folded).tolist()

    def hash_array(self, folded: Sequence[str]) -> array[int]:
        """The same as an array of 64-bit integers."""
        return address_hashes.hash_array(self._hash_key(), folded)

    def hasher(self) -> Callable[[str], int]:
        """A function that makes the hash of one address in its folded form. It asks neither Redis nor the store.

        Raises:
            StoreError: as `hash_of`.
        """
        return address_hashes.hasher(self._hash_key())

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
        """The key for a Redis that has none: that of the records in the store, or a random one.

        The store has a copy before any hash is made: without the key, neither the records nor the links in emails that
        have been sent would be of any use.
        """
        stored = self._store.size(self._key_object)
        offered = self._store.read(self._key_object, 0, stored) if stored else secrets.token_bytes(KEY_BYTES)
        last = self._restoration.stored_seq() if stored else 0
        found: bytes = self._scripts("suppression_key", self._list, offered=offered, seq=last)
        if not stored:
            self._keep_key(found)
        return found

    def _keep_key(self, key: bytes) -> None:
        if self._store.size(self._key_object) is None:
            self._store.put_file(self._key_object, BytesIO(key))

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
        if not any(entries for _class, _buckets, entries in self.sizes(marketing=marketing)):
            return [False] * len(folded)
        return self.which(self.hashes(folded), marketing=marketing)

    def screening(self, *, marketing: bool = True, expected: int = 0) -> Screening:
        """The test of the addresses of a whole list, see `Screening`.

        If Redis has lost the list, it is restored first: an address that is missing on it would get email.

        Raises:
            StoreError: the store cannot say whether Redis has lost anything.
        """
        self.restore_if_lost()
        return Screening(self, marketing=marketing, expected=expected)

    def which(self, hashes: Sequence[int], *, marketing: bool) -> list[bool]:
        """Which hashes the list stops email to, in their order; one round trip per `BLOCK` hashes."""
        found = b"".join(
            self._scripts.read("which_suppressed", self._list, marketing=marketing, hashes=hashes[at : at + BLOCK])
            for at in range(0, len(hashes), BLOCK)
        )
        return [mark == ord("1") for mark in found]

    def sizes(self, *, marketing: bool) -> list[tuple[str, int, int]]:
        """The classes that stop email: name, number of buckets, number of entries."""
        found = self._scripts.read("suppression_sizes", self._list, marketing=marketing)
        return [(name.decode(), buckets, entries) for name, buckets, entries in found]

    def members(self, of_class: str, first: int, count: int) -> Iterator[array[int]]:
        """The hashes of `count` buckets of a class from bucket `first` on, in one round trip if the server's dumps can
        be read.
        """
        place = {"of_class": of_class, "first": first, "count": count}
        dumps = self._scripts.read("suppression_members", self._list, as_texts=False, **place)
        found = [intset.integers(dump) for dump in dumps]
        if None not in found:
            return filter(None, found)
        texts = self._scripts.read("suppression_members", self._list, as_texts=True, **place)
        return (array("q", map(int, text.split(b","))) for text in texts if text)

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
            self._segments.erase(number)

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
            self._keep_key(self._hash_key())  # a list of an earlier version may have none in the store
            self._segments.write(map(Record.line, _sorted(found)))
            self._restoration.note_stored(found[-1].seq)
            self._scripts("suppressions_stored", self._journal, seq=found[-1].seq)
            moved += len(found)
            self._segments.merge()
        return moved

    def restore_if_lost(self) -> int | None:
        """Fill a Redis that has lost the list, or a part of it, from the object store.

        Returns:
            The number of entries that were added; None if Redis has lost nothing.

        Raises:
            StoreError: the store is unavailable.
        """
        if self._is_new() or not self._restoration.is_due():
            return None
        return self.restore()

    def restore(self) -> int:
        """The same without asking whether Redis has lost anything."""
        self._hash_key()
        return self._restoration.run()

    def waiting(self) -> bool:
        """Whether the journal has a record."""
        return bool(self._waiting(1))

    def _waiting(self, most: int = 10 * SEGMENT_RECORDS) -> list[Record]:
        found = self._scripts.read("suppressions_journal", self._journal, most=most)
        return list(map(Record.of_journal, found))


def _sorted(found: Sequence[Record]) -> Iterator[Record]:
    by_hash = sorted(found, key=lambda record: record.line())
    for _hash, of_address in groupby(by_hash, lambda record: record.address_hash):
        yield from records.folded(of_address)
