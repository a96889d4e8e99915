"""What happened to a campaign and to the installation: who did what when. Scripts write it with each change they make.

A history keeps its newest 1,000 entries (`lua/lib/history.lua`). A campaign's history is deleted with the campaign.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
from redis import Redis

from campaigns import actor, keys
from campaigns.catalog import iso
from campaigns.db.scripts import Scripts

#: The most entries of one history (`HISTORY_MOST` of the scripts).
MOST: Final = 1000


class HistoryEntry(msgspec.Struct, frozen=True):
    """One change. `number` grows by one with each entry; `at` is an ISO 8601 time by the clock of Redis.

    `by`: `system`, `anonymous` (a client without a token) or the name of the client's token. `details`: by event, such
    as `from` and `to` of a step between states or of a change of the rate.
    """

    number: int
    at: str
    event: str
    by: str
    reason: str | None
    details: dict[str, str | int]


class HistoryPage(NamedTuple):
    """Entries, the newest first; the number of all entries kept; `before` of the next page, or None."""

    entries: list[HistoryEntry]
    total: int
    before: int | None


class _Stored(msgspec.Struct):
    number: int
    at: float
    event: str
    by: str
    reason: str | None = None
    details: dict[str, str | int] = {}


class History:
    """Reads histories, and adds entries for changes that are not made by one script.

    Args:
        redis: a client without response decoding.
    """

    def __init__(self, redis: Redis) -> None:
        self._scripts = Scripts(redis)

    def page(self, campaign_id: str | None, before: int, limit: int) -> HistoryPage:
        """A page of a campaign's history; None: of the installation's.

        Args:
            campaign_id: the campaign; one that does not exist has an empty history.
            before: only entries with a lower number; 0: all.
            limit: the most entries.

        Raises:
            redis.RedisError: Redis is unavailable.
        """
        key = keys.HISTORY if campaign_id is None else keys.of(campaign_id, "history")
        total, *raw = self._scripts.read("read_history", {"history": key}, before=before, limit=limit)
        entries = [_decode(one) for one in raw]
        oldest = entries[-1].number if entries else 0
        # The numbers have no gaps, and an entry that is the oldest of all kept has none before it.
        more = len(entries) == limit and self._has_before(key, oldest)
        return HistoryPage(entries, total, oldest if more else None)

    def _has_before(self, key: str, number: int) -> bool:
        return len(self._scripts.read("read_history", {"history": key}, before=number, limit=1)) > 1

    def note(
        self, event: str, *, reason: str = "", details: Mapping[str, Any] | None = None, campaign_id: str | None = None
    ) -> None:
        """Add an entry by the current actor to the installation's history, or to a campaign's.

        Raises:
            redis.RedisError: Redis is unavailable; the entry may have been added.
        """
        key = keys.HISTORY if campaign_id is None else keys.of(campaign_id, "history")
        self._scripts("note", {"history": key}, by=actor.current(), event=event, reason=reason, details=details)


def _decode(raw: bytes) -> HistoryEntry:
    found = msgspec.json.decode(raw, type=_Stored)
    at = str(iso(str(int(found.at))))
    return HistoryEntry(found.number, at, found.event, found.by, found.reason, found.details)
