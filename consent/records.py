"""Records of the suppression list: what was added, removed or erased, when, and why.

Records of one address are merged by rules that do not depend on the order of merging, so that any segments can be
merged at any time. Knows nothing of where records are kept.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import groupby
from operator import itemgetter
from typing import Final, Literal, NamedTuple

#: The longest note, in characters.
MAX_NOTE_CHARS: Final = 200
#: No line is longer, in bytes: hash, numbers, reason, address (254) and note.
MAX_LINE_BYTES: Final = 2048
#: The characters of the hash at the start of each line.
HASH_CHARS: Final = 16


class Reason(StrEnum):
    """Why an address is on the list. `bounced` and `complained` stop all email, the others marketing alone."""

    UNSUBSCRIBED = "unsubscribed"
    COMPLAINED = "complained"
    BOUNCED = "bounced"
    MANUAL = "manual"


class Change(StrEnum):
    """What else can happen to an address.

    It leaves the list; its text is erased while its hash stays; or its owner subscribes again, which takes back
    `unsubscribed` alone.
    """

    REMOVED = "removed"
    ERASED = "erased"
    RESUBSCRIBED = "resubscribed"


class AddressReport(NamedTuple):
    """What a provider reports about an address.

    Attributes:
        address: as the provider writes it.
        what: what happened.
        at_ms: when, in ms since the epoch; None: the provider does not say, so that it counts as now.
    """

    address: str
    what: Reason | Literal[Change.RESUBSCRIBED]
    at_ms: int | None = None


_CHANGES: Final = frozenset[str](Change)


class Record(NamedTuple):
    """One thing that happened to one address.

    Attributes:
        address_hash: signed 64-bit.
        seq: the number of the record; later records have higher ones.
        at_ms: when, in ms since the epoch.
        what: what happened.
        address: in its folded form; "" where it is not known or has been erased.
        note: why it was removed, for example; one line.
    """

    address_hash: int
    seq: int
    at_ms: int
    what: Reason | Change
    address: str
    note: str

    @classmethod
    def of_journal(cls, raw: bytes) -> Record:
        """A record as `suppress_address.lua` writes it."""
        address_hash, seq, at_ms, what, address, note = raw.decode().split("\t")
        return cls(int(address_hash), int(seq), int(at_ms), _kind(what), address, note)

    @classmethod
    def of_line(cls, line: bytes) -> Record:
        """A record as `line` writes it."""
        hexadecimal, seq, at_ms, what, address, note = line.decode().rstrip("\n").split("\t")
        unsigned = int(hexadecimal, 16)
        return cls(unsigned - (unsigned >> 63 << 64), int(seq), int(at_ms), _kind(what), address, note)

    def line(self) -> bytes:
        """The record as a line of a segment. Lines sort by hash, then by number."""
        start = f"{hash_text(self.address_hash)}\t{self.seq:012d}\t{self.at_ms}"
        return f"{start}\t{self.what}\t{self.address}\t{self.note}\n".encode()


def hash_text(address_hash: int) -> str:
    """The hash as the start of a line: `HASH_CHARS` hexadecimal digits."""
    return f"{address_hash % 2**64:016x}"


def one_line(note: str) -> str:
    """A note without line breaks, tabs and other control characters, at most `MAX_NOTE_CHARS` long."""
    return "".join(char if char.isprintable() else " " for char in note).strip()[:MAX_NOTE_CHARS]


def merged(sources: Iterable[Iterable[bytes]]) -> Iterator[Record]:
    """The records of sorted lines, merged: sorted by hash, and for each address only what still matters.

    Memory holds one line per source.
    """
    for _hash, lines in groupby(heapq.merge(*sources), itemgetter(slice(HASH_CHARS))):
        yield from folded(map(Record.of_line, lines))


def folded(records: Iterable[Record]) -> list[Record]:
    """Of all records of one address, those that still matter, in order.

    The latest of each kind matters; a removal cancels what was added before it, a new subscription that it was
    unsubscribed, and an erasure its address and note.
    """
    latest = {record.what: record for record in sorted(records, key=itemgetter(1))}
    removed, erased, resubscribed = (latest[what].seq if what in latest else 0 for what in Change)
    cancelled_to = {Reason.UNSUBSCRIBED: max(removed, resubscribed)}
    return [
        record._replace(address="", note="") if record.seq <= erased else record
        for record in sorted(latest.values(), key=itemgetter(1))
        if isinstance(record.what, Change) or record.seq >= cancelled_to.get(record.what, removed)
    ]


def _kind(what: str) -> Reason | Change:
    return Change(what) if what in _CHANGES else Reason(what)
