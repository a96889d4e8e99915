"""The plot of a campaign's whole run: accepted and failed emails per interval, with the limit that was in force."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from redis import Redis

from campaigns import keys
from campaigns.catalog import iso
from campaigns.db.typed_redis import typed
from campaigns.history import History, HistoryEntry

#: The events of a history that a plot marks.
MARKED: Final = frozenset({
    "started", "paused", "resumed", "rate_changed", "account_changed", "breaker_opened", "failed_retried",
    "completed", "reopened", "cancelled",
})  # fmt: skip
#: The events of the installation's history that a plot marks: the breakers of accounts.
_OF_ALL: Final = frozenset({"breaker_opened"})
_MOST_ENTRIES: Final = 1000


class Plot(NamedTuple):
    """Points of equal length, from the first outcome to the last one.

    `start_s`: the time of the first point, in s since 1970. `interval_s`: the length of each point, in s. `limits`: in
    emails per minute, as it was at the first outcome of the point; None: no outcome.
    """

    start_s: int
    interval_s: int
    accepted: list[int]
    failed: list[int]
    limits: list[int | None]


class Throughput:
    """Reads plots.

    Args:
        redis: a client without response decoding.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = typed(redis)
        self._history = History(redis)

    def plot(self, campaign_id: str) -> Plot | None:
        """The plot of a campaign; None before its first outcome.

        Raises:
            redis.RedisError: Redis is unavailable.
        """
        raw = self._redis.get(keys.of(campaign_id, "throughput"))
        return _decode(raw) if raw else None

    def marks(self, campaign_id: str) -> list[HistoryEntry]:
        """What the plot marks, the oldest first: steps, changes of the rate, breakers that opened during the run.

        Raises:
            redis.RedisError: Redis is unavailable.
        """
        own = self._entries(campaign_id, MARKED)
        if not own:
            return []
        last = own[-1].at if own[-1].event in {"completed", "cancelled"} else "~"
        of_all = [entry for entry in self._entries(None, _OF_ALL) if own[0].at <= entry.at <= last]
        return sorted([*own, *of_all], key=lambda entry: entry.at)

    def _entries(self, campaign_id: str | None, events: frozenset[str]) -> list[HistoryEntry]:
        page = self._history.page(campaign_id, 0, _MOST_ENTRIES)
        return [entry for entry in reversed(page.entries) if entry.event in events]


def _decode(raw: bytes) -> Plot:
    """Numbers of 32 bits, the most significant byte first (`lua/lib/throughput.lua`)."""
    start_s, interval_s, *numbers = struct.unpack(f">{len(raw) // 4}I", raw[: len(raw) // 4 * 4])
    numbers += [0] * (-len(numbers) % 3)
    limits = [limit or None for limit in numbers[2::3]]
    return Plot(start_s, interval_s, list(numbers[0::3]), list(numbers[1::3]), limits)


def start_of(plot: Plot) -> str:
    """The time of the first point (ISO 8601)."""
    return str(iso(str(plot.start_s * 1000)))
