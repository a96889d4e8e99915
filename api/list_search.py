"""Searches a campaign's list for one address, and tells what became of the rows that have it.

The stored list is streamed and searched for the bytes of the address; only the slices with a hit are read as CSV. So
memory holds one slice and one chunk, however long the list is.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from itertools import groupby
from typing import Final, NamedTuple, TypeVar

import msgspec

from api.components import Components
from api.http import inputs
from api.http.errors import Problem, invalid
from api.recipients import Export
from campaigns.models import Campaign, RowState
from lists import addresses
from lists.address_search import candidates
from lists.index import Index, Slice
from lists.scan import read_slice

T = TypeVar("T")

#: The longest that a search may take, in s.
SEARCH_S: Final = 30.0
#: The most rows of a response.
MAX_ROWS: Final = 1000
#: The largest slice that is read, in bytes. A larger one has no row with a valid address (see `lists.index`).
MAX_SLICE_BYTES: Final = 2 * inputs.MIB

_MARKS: Final = ("delivered", "bounced", "complained", "unsubscribed", "opened", "opened_by_machines", "clicked")
_DROPPED: Final = "dropped"
#: Encodings in which ASCII characters are not single bytes; earlier versions stored such lists.
_WIDE: Final = ("utf-16", "utf-32", "utf_16", "utf_32")


class RecipientEvent(msgspec.Struct, frozen=True):
    """What the provider reported. `event`: delivered, bounced, dropped, opened or another counter of the status."""

    event: str
    reason: str | None = None


class RecipientResponse(msgspec.Struct, frozen=True):
    """A row that has the address. `reason`: the provider's words, or why the row was rejected; otherwise empty."""

    row: int
    email: str
    state: RowState
    reason: str
    events: list[RecipientEvent]


class _Marked(NamedTuple):
    """The rows of a slice that have an event, by its name, and the provider's reasons for drops by row."""

    marks: dict[str, set[int]]
    drops: dict[int, str]

    def events(self, row: int) -> list[RecipientEvent]:
        found = [RecipientEvent(name) for name, rows in self.marks.items() if row in rows]
        return found + ([RecipientEvent(_DROPPED, self.drops[row])] if row in self.drops else [])


class ListSearch:
    """Looks for one folded address in one campaign's list.

    Args:
        parts: the components.
        campaign: one with a parsed list.
        folded: the address as `lists.addresses.folded` returns it.
        on_chunk: called about every MiB of the list; may raise to stop the search.
        search_s: the longest that the search may take, in s.
    """

    def __init__(
        self,
        parts: Components,
        campaign: Campaign,
        folded: str,
        on_chunk: Callable[[], object] = lambda: None,
        search_s: float | None = None,
    ) -> None:
        self._parts = parts
        self._campaign = campaign
        self._folded = folded
        self._index: Index = parts.ledger.index(campaign)
        self._on_chunk = on_chunk
        self._ends_at = time.monotonic() + (SEARCH_S if search_s is None else search_s)

    def rows(self) -> list[RecipientResponse]:
        """Every row that has the address. Excluded rows are not among them.

        Raises:
            Problem: the search takes too long, or there are too many rows.
            StoreError, redis.RedisError
        """
        found: list[RecipientResponse] = []
        for part in self.slices():
            found += self._in_slice(part)
            if len(found) > MAX_ROWS:
                raise invalid(f"More than {MAX_ROWS} rows have this address: download recipients.csv instead.")
        return self._explained({row.row: row for row in found})

    def slices(self) -> Iterator[Slice]:
        """The slices that may hold the address, in order. A slice that is too long to have a valid row is left out."""
        for number, _hits in groupby(self._slices()):
            part = self._index[number]
            if part.end - part.offset <= MAX_SLICE_BYTES:
                self._check_time()
                yield part

    def _slices(self) -> Iterator[int]:
        """The numbers of the slices that may hold the address, in order; some of them several times."""
        if self._campaign.encoding.lower().startswith(_WIDE):
            yield from range(len(self._index))
            return
        offsets = range(len(self._index))
        for place in candidates(self._in_time(self._parts.store.stream(self._campaign.list_key)), self._folded):
            number = bisect_right(offsets, place, key=lambda k: self._index[k].offset) - 1
            if number >= 0 and place < self._index.end:
                yield number

    def _in_time(self, items: Iterable[T]) -> Iterator[T]:
        for item in items:
            self._check_time()
            self._on_chunk()
            yield item

    def _check_time(self) -> None:
        if time.monotonic() > self._ends_at:
            detail = f"The search in this list takes more than {SEARCH_S:g} s: download recipients.csv instead."
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail)

    def _in_slice(self, part: Slice) -> list[RecipientResponse]:
        cells = self._cells(part)
        if not cells:
            return []
        campaign, ledger, rows = self._campaign, self._parts.ledger, list(cells)
        states = ledger.states(campaign.id, part.first_row, part.rows, campaign.list_version)
        marks = {name: ledger.bits(campaign.id, name, part.first_row, part.rows) for name in _MARKS}
        marked = _Marked(marks, ledger.drops(campaign.id, rows))
        reasons = marked.drops | ledger.reasons(campaign.id, rows)
        return [
            RecipientResponse(
                row,
                addresses.address(raw) or raw.strip(),
                states[row - part.first_row],
                reasons.get(row, ""),
                marked.events(row),
            )
            for row, raw in cells.items()
        ]

    def _cells(self, part: Slice) -> dict[int, str]:
        """The cells of a slice that hold the address, by row."""
        data = self._parts.store.read(self._campaign.list_key, part.offset, part.end)
        cells = [
            (row, record[self._campaign.email_index])
            for row, record in read_slice(data, self._campaign.dialect, part.first_row)
            if record is not None
        ]
        folded = addresses.folded([raw for _row, raw in cells])
        return {row: raw for (row, raw), one in zip(cells, folded, strict=True) if one == self._folded}

    def _explained(self, found: dict[int, RecipientResponse]) -> list[RecipientResponse]:
        """The rows with the reasons of rejected ones. A rejected row that the report does not name is excluded."""
        rejected = {row for row, one in found.items() if one.state is RowState.REJECTED}
        last = max(rejected, default=0)
        report = Export(self._parts, self._campaign).report() if rejected else iter(())
        for row, _email, _state, reason in self._in_time(report):
            if row in rejected:
                rejected.discard(row)
                found[row] = msgspec.structs.replace(found[row], reason=reason)
            if row >= last:
                break
        return [found[row] for row in sorted(found) if row not in rejected]
