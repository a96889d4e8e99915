"""Finds campaigns by a word in id or subject and by state, in an order. Reads only, in few round trips.

There is no index: a search reads the state and subject of every campaign, 10,000 of them in about a tenth of a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, cast

from redis import Redis

from campaigns import keys
from campaigns.models import Status

#: How many campaigns are read in one round trip.
AT_ONCE: Final = 2_000


class Order(StrEnum):
    """The order of the list."""

    NEWEST = "newest"
    OLDEST = "oldest"
    NAME = "name"


class CampaignSearch:
    """Searches the campaigns.

    Args:
        redis: a client without response decoding.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def page(
        self, offset: int, limit: int, word: str = "", status: Status | None = None, order: Order = Order.NEWEST
    ) -> tuple[list[str], int]:
        """The ids of one page, and the number of all campaigns that match.

        Args:
            offset: how many matches come before the page.
            limit: the most ids.
            word: a part of id or subject, in any case; "" for all.
            status: the state; None for all.
            order: how they are sorted.

        Raises:
            redis.RedisError: Redis is unavailable.
        """
        if not word and status is None and order is not Order.NAME:
            return self._all(offset, limit, order)
        ids = self._ids(0, -1, order)
        if order is Order.NAME:
            ids.sort(key=str.casefold)
        found = list(self._matching(ids, word.casefold(), status)) if word or status is not None else ids
        return found[offset : offset + limit], len(found)

    def _all(self, offset: int, limit: int, order: Order) -> tuple[list[str], int]:
        """A page of all campaigns, without reading the others."""
        return self._ids(offset, offset + limit - 1, order), self._redis.zcard(keys.CAMPAIGNS)

    def _ids(self, first: int, last: int, order: Order) -> list[str]:
        raw = cast(list[bytes], self._redis.zrange(keys.CAMPAIGNS, first, last, desc=order is not Order.OLDEST))
        return [one.decode() for one in raw]

    def _matching(self, ids: list[str], word: str, status: Status | None) -> Iterator[str]:
        for start in range(0, len(ids), AT_ONCE):
            some = ids[start : start + AT_ONCE]
            with self._redis.pipeline(transaction=False) as pipeline:
                for campaign_id in some:
                    pipeline.hmget(keys.of(campaign_id, "campaign"), "status", "subject")
                answers = pipeline.execute()
            for campaign_id, (state, subject) in zip(some, answers, strict=True):
                if state is None or (status is not None and state.decode() != status):
                    continue
                if word in campaign_id.casefold() or word in (subject or b"").decode().casefold():
                    yield campaign_id
