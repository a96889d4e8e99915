"""Feeding: slices of the list become recipients on the campaign's waiting side, within a bounded window."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final

import structlog

from campaigns.ledger import WAITING_BYTES, Ledger, Recipient, low_water
from campaigns.models import Campaign
from campaigns.recipients import Index, Layout, Slice, address, read_slice
from mail.rendering import Templates
from storage import MissingObject, ObjectStore, StoreError

log = structlog.get_logger(__name__)

#: What the status says while there is nothing to feed from.
UNREADABLE: Final = "the object store cannot be read at the moment; feeding is tried again by itself"
GONE: Final = "the list is gone from the object store; put it back, or cancel the campaign"


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
        index = self._ledger.index(campaign)
        enough = 2 * low_water(campaign.tpm)
        _cursor, _again, waiting, waiting_bytes = self._ledger.cursor(campaign.id)
        while waiting < enough and waiting_bytes < WAITING_BYTES and not self._stopping.is_set():
            found = self._feed_one(campaign, index)
            if found is None:
                return
            waiting, waiting_bytes = found
        self._ledger.fed(campaign.id)

    def _feed_one(self, campaign: Campaign, index: Index) -> tuple[int, int] | None:
        """Feed the next slice: of rows put back first, then of new ones."""
        cursor, again, _waiting, _bytes = self._ledger.cursor(campaign.id)
        row = self._ledger.first_again(campaign.id) if again else None
        if row is not None:
            part = index[index.slice_of_row(row)]
            wanted = self._ledger.bits(campaign.id, "again", part.first_row, part.rows)
            return self._ledger.feed_again(campaign.id, campaign.generation, self._recipients(campaign, part, wanted))
        if cursor >= len(index):
            return None
        part = index[cursor]
        rejected = self._ledger.bits(campaign.id, "skip", part.first_row, part.rows)
        wanted = set(range(part.first_row, part.first_row + part.rows)) - rejected
        last_row = part.first_row + part.rows - 1
        return self._ledger.feed(
            campaign.id, campaign.generation, cursor, last_row, self._recipients(campaign, part, wanted)
        )

    def _recipients(self, campaign: Campaign, part: Slice, wanted: set[int]) -> list[Recipient]:
        if not wanted:
            return []  # blank lines, or one that is too long to be read
        layout = Layout(campaign.delimiter, campaign.encoding, campaign.columns, campaign.email_index, 0)
        fields = Templates(campaign.content).fields(campaign.columns)
        data = self._read(campaign, part)
        return list(_chosen(read_slice(data, layout, part.first_row), wanted, campaign.email_index, fields))

    def _read(self, campaign: Campaign, part: Slice) -> bytes:
        try:
            return self._store.read(campaign.object_key, part.offset, part.end)
        except MissingObject:
            self._ledger.stalled(campaign.id, campaign.generation, GONE)
            raise
        except StoreError:
            self._ledger.stalled(campaign.id, campaign.generation, UNREADABLE)
            raise


def _chosen(
    rows: Iterable[tuple[int, list[str] | None]], wanted: set[int], email_index: int, fields: tuple[int, ...]
) -> Iterable[Recipient]:
    for row, cells in rows:
        if row not in wanted or cells is None:
            continue
        to = address(cells[email_index])
        if to is not None:
            yield Recipient(row, to, [cells[position] for position in fields])
