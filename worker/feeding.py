"""Feeding: slices of the list become recipients on the campaign's waiting side, within a bounded window."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final

import structlog

from campaigns.ledger import WAITING_BYTES, Ledger, Recipient, low_water
from campaigns.models import Campaign
from lists.addresses import address
from lists.header import CsvDialect
from lists.index import Index
from lists.scan import read_slice
from mail.rendering import Templates
from storage import MissingObject, ObjectStore, ShortObject, StoreError

log = structlog.get_logger(__name__)

#: How much of a list is read with one request, in bytes, where one slice alone is not more than that.
AHEAD_BYTES: Final = 512 * 1024
#: What the status says while there is nothing to feed from.
UNREADABLE: Final = "the object store cannot be read at the moment; feeding is tried again by itself"
GONE: Final = "the list is gone from the object store; put it back, or cancel the campaign"
SHORTER: Final = (
    "the list in the object store is shorter than the one that was parsed; put that one back, or cancel the campaign"
)
#: How long until it is tried again, in ms.
UNREADABLE_AGAIN_MS: Final = 2_000
GONE_AGAIN_MS: Final = 30_000


class Feeder:
    """Feeds one campaign at a time. A slice and the cursor move in one step, so that any number of feeders, dying
    anywhere, neither
    repeat nor skip a row.
    """

    def __init__(self, ledger: Ledger, store: ObjectStore, stopping: threading.Event) -> None:
        self._ledger = ledger
        self._store = store
        self._stopping = stopping

    def feed(self, campaign: Campaign) -> None:
        """Feed until enough is waiting, or there is nothing left.

        Raises:
            StoreError, redis.RedisError
        """
        source = _Source(campaign, self._ledger.index(campaign), self._store)
        enough = 2 * low_water(campaign.tpm)
        _cursor, _again, waiting, waiting_bytes = self._ledger.cursor(campaign.id)
        while waiting < enough and waiting_bytes < WAITING_BYTES and not self._stopping.is_set():
            found = self._feed_one(campaign, source)
            if found is None:
                return
            waiting, waiting_bytes = found
        self._ledger.fed(campaign.id)

    def _feed_one(self, campaign: Campaign, source: _Source) -> tuple[int, int] | None:
        """Feed the next slice: of rows put back first, then of new ones."""
        cursor, again, _waiting, _bytes = self._ledger.cursor(campaign.id)
        row = self._ledger.first_again(campaign.id) if again else None
        if row is not None:
            number = source.index.slice_of_row(row)
            part = source.index[number]
            wanted = self._ledger.bits(campaign.id, "again", part.first_row, part.rows)
            recipients, unfeedable = self._recipients(campaign, source, number, wanted)
            return self._ledger.feed_again(campaign.id, campaign.generation, recipients, unfeedable=unfeedable)
        if cursor >= len(source.index):
            return None
        part = source.index[cursor]
        rejected = self._ledger.bits(campaign.id, "skip", part.first_row, part.rows)
        wanted = set(range(part.first_row, part.first_row + part.rows)) - rejected
        last_row = part.first_row + part.rows - 1
        recipients, unfeedable = self._recipients(campaign, source, cursor, wanted)
        return self._ledger.feed(campaign.id, campaign.generation, cursor, last_row, recipients, unfeedable=unfeedable)

    def _recipients(
        self, campaign: Campaign, source: _Source, number: int, wanted: set[int]
    ) -> tuple[list[Recipient], list[int]]:
        """The recipients of the wanted rows, and the rows among these that yield none any more."""
        if not wanted:
            return [], []  # blank lines, or one that is too long to be read
        try:
            recipients = source.recipients(number, wanted)
        except ShortObject:
            self._ledger.stalled(campaign.id, campaign.generation, SHORTER, GONE_AGAIN_MS)
            raise
        except MissingObject:
            self._ledger.stalled(campaign.id, campaign.generation, GONE, GONE_AGAIN_MS)
            raise
        except StoreError:
            self._ledger.stalled(campaign.id, campaign.generation, UNREADABLE, UNREADABLE_AGAIN_MS)
            raise
        unfeedable = sorted(wanted.difference(recipient.row for recipient in recipients))
        if unfeedable:
            log.warning("rows_unfeedable", campaign_id=campaign.id, slice=number, rows=len(unfeedable))
        return recipients, unfeedable


class _Source:
    """A campaign's list as it is fed: a few slices are read at once, and given one by one."""

    def __init__(self, campaign: Campaign, index: Index, store: ObjectStore) -> None:
        self.index = index
        self._store = store
        self._object_key = campaign.object_key
        self._email_index = campaign.email_index
        self._dialect = CsvDialect(campaign.delimiter, campaign.encoding, campaign.columns, campaign.email_index, 0)
        self._fields = Templates(campaign.content).fields(campaign.columns)
        self._read_from = self._read_to = 0
        self._data = b""

    def recipients(self, number: int, wanted: set[int]) -> list[Recipient]:
        """The wanted rows of a slice.

        Raises:
            StoreError
        """
        part = self.index[number]
        rows = read_slice(self._slice(number), self._dialect, part.first_row)
        return list(_chosen(rows, wanted, self._email_index, self._fields))

    def _slice(self, number: int) -> bytes:
        part = self.index[number]
        if part.offset < self._read_from or part.end > self._read_to:
            last = number
            while last + 1 < len(self.index) and self.index[last + 1].end - part.offset <= AHEAD_BYTES:
                last += 1
            self._read_from, self._read_to = part.offset, self.index[last].end
            self._data = self._store.read(self._object_key, self._read_from, self._read_to)
        return self._data[part.offset - self._read_from : part.end - self._read_from]


def _chosen(
    rows: Iterable[tuple[int, list[str] | None]], wanted: set[int], email_index: int, fields: tuple[int, ...]
) -> Iterable[Recipient]:
    for row, cells in rows:
        if row not in wanted or cells is None:
            continue
        to = address(cells[email_index])
        if to is not None:
            yield Recipient(row, to, [cells[position] for position in fields])
