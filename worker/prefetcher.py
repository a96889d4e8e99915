"""The prefetcher reads slices of a list and turns their rows into ready recipients, within a bounded window."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final

import structlog

from campaigns.ledger import READY_BYTES, Ledger, low_water
from campaigns.models import Campaign
from lists.addresses import address
from lists.index import Index
from lists.recipient import Recipient
from lists.scan import read_slice
from mail.rendering import Templates
from storage import MissingObject, ObjectStore, ShortObject, StoreError

log = structlog.get_logger(__name__)

#: The most bytes of a list that one request reads. A slice that is larger is read by one request of its size.
AHEAD_BYTES: Final = 512 * 1024
#: The campaign's reason while the list cannot be read.
UNREADABLE: Final = "the object store cannot be read at the moment; the worker retries on its own"
GONE: Final = "the list is no longer in the object store; put it back, or cancel the campaign"
SHORTER: Final = (
    "the list in the object store is shorter than the list that was parsed; put the parsed list back, or cancel the "
    "campaign"
)
#: The most merged requests of a batch, and its most recipients, unless one request has more.
BATCH_REQUESTS: Final = 4
BATCH_ROWS: Final = 256
#: Time until the next try, in ms.
UNREADABLE_AGAIN_MS: Final = 2_000
GONE_AGAIN_MS: Final = 30_000


class Prefetcher:
    """Prefetches for one campaign at a time.

    One atomic step adds a slice's recipients and moves the cursor. Any number of prefetchers, killed at any point,
    therefore neither repeat nor skip a row.

    Args:
        merged_recipients: the most recipients of one request to the campaign's provider, if its emails can be merged.
    """

    def __init__(
        self, ledger: Ledger, store: ObjectStore, stopping: threading.Event, merged_recipients: int = 1
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._stopping = stopping
        self._merged_recipients = merged_recipients

    def prefetch(self, campaign: Campaign) -> None:
        """Prefetch until enough recipients are ready, or no row is left.

        Raises:
            StoreError, redis.RedisError
        """
        source = _Source(campaign, self._ledger.index(campaign), self._store)
        enough = 2 * low_water(campaign.tpm)
        _cursor, _refeed, ready, ready_bytes = self._ledger.cursor(campaign.id)
        while ready < enough and ready_bytes < READY_BYTES and not self._stopping.is_set():
            found = self._prefetch_one(campaign, source)
            if found is None:
                return
            ready, ready_bytes = found
        self._ledger.prefetched(campaign.id)

    def _prefetch_one(self, campaign: Campaign, source: _Source) -> tuple[int, int] | None:
        """Prefetch one slice: rows to refeed first, then new rows. Returns the ready recipients and their bytes."""
        cursor, refeed, _ready, _bytes = self._ledger.cursor(campaign.id)
        row = self._ledger.first_to_refeed(campaign.id) if refeed else None
        if row is not None:
            number = source.index.slice_of_row(row)
            part = source.index[number]
            wanted = self._ledger.bits(campaign.id, "refeed", part.first_row, part.rows)
            recipients, unreadable = self._recipients(campaign, source, number, wanted)
            return self._ledger.refeed(campaign.id, campaign.list_version, recipients, unreadable=unreadable)
        if cursor >= len(source.index):
            return None
        part = source.index[cursor]
        rejected = self._ledger.bits(campaign.id, "rejected", part.first_row, part.rows)
        wanted = set(range(part.first_row, part.first_row + part.rows)) - rejected
        last_row = part.first_row + part.rows - 1
        recipients, unreadable = self._recipients(campaign, source, cursor, wanted)
        return self._ledger.prefetch(
            campaign.id,
            campaign.list_version,
            cursor,
            last_row,
            recipients,
            unreadable=unreadable,
            batch_rows=_batch_rows(self._merged_recipients) if source.is_mergeable else 0,
        )

    def _recipients(
        self, campaign: Campaign, source: _Source, number: int, wanted: set[int]
    ) -> tuple[list[Recipient], list[int]]:
        """The recipients of the wanted rows, and those wanted rows that yield no recipient any more."""
        if not wanted:
            return [], []  # only blank lines, or a line that is too long to read
        try:
            recipients = source.recipients(number, wanted)
        except ShortObject:
            self._ledger.stalled(campaign.id, campaign.list_version, SHORTER, GONE_AGAIN_MS)
            raise
        except MissingObject:
            self._ledger.stalled(campaign.id, campaign.list_version, GONE, GONE_AGAIN_MS)
            raise
        except StoreError:
            self._ledger.stalled(campaign.id, campaign.list_version, UNREADABLE, UNREADABLE_AGAIN_MS)
            raise
        unreadable = sorted(wanted.difference(recipient.row for recipient in recipients))
        if unreadable:
            log.warning("rows_unreadable", campaign_id=campaign.id, slice=number, rows=len(unreadable))
        return recipients, unreadable


class _Source:
    """A campaign's list for prefetching: one request reads several slices, and callers take them one by one."""

    def __init__(self, campaign: Campaign, index: Index, store: ObjectStore) -> None:
        self.index = index
        self._store = store
        self._object_key = campaign.list_key
        self._email_index = campaign.email_index
        self._dialect = campaign.dialect
        templates = Templates(campaign.sent_content)
        self._fields = templates.fields(campaign.columns)
        self.is_mergeable = not templates.computes
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


def _batch_rows(merged_recipients: int) -> int:
    """The most recipients of a batch of merged requests; 0: as usual.

    A batch is up to `BATCH_REQUESTS` requests: with fewer of them, the work per batch would cost as much as theirs.
    """
    if merged_recipients == 1:
        return 0
    return max(merged_recipients, min(BATCH_REQUESTS * merged_recipients, BATCH_ROWS))


def _chosen(
    rows: Iterable[tuple[int, list[str] | None]], wanted: set[int], email_index: int, fields: tuple[int, ...]
) -> Iterable[Recipient]:
    for row, cells in rows:
        if row not in wanted or cells is None:
            continue
        to = address(cells[email_index])
        if to is not None:
            cells[email_index] = to  # templates get the address in its column, too
            yield Recipient(row, to, [cells[position] for position in fields])
