"""Keeps the suppression list of Redis and its records in the object store together.

Once per minute, one of the web processes moves the journal from Redis into the object store, and puts back what Redis
has lost. A request that finds the journal long moves it at once.
"""

from __future__ import annotations

import asyncio
import random
from typing import Final

import structlog
from redis import Redis
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool

from campaigns import keys
from campaigns.db.typed_redis import typed
from consent.suppressions import Suppressions
from storage import StoreError

log = structlog.get_logger(__name__)

#: The shortest time between two rounds of all processes together, in ms.
EVERY_MS: Final = 50_000
#: How often a process asks whether a round is due, in seconds; random, so that processes do not ask in step.
ASK_S: Final = (50.0, 60.0)


def flush(suppressions: Suppressions) -> None:
    """Move the journal. If the store is away, the journal keeps its records until the next time."""
    try:
        if moved := suppressions.flush():
            log.info("suppressions_stored", records=moved)
    except (RedisError, StoreError) as error:
        log.warning("suppressions_not_stored", error=type(error).__name__)


class SuppressionDuty:
    """The rounds of one process."""

    def __init__(self, redis: Redis, suppressions: Suppressions) -> None:
        self._redis = typed(redis)
        self._suppressions = suppressions

    async def run(self) -> None:
        """Make the first round at once and then one whenever it is due, until cancelled."""
        while True:
            try:
                await run_in_threadpool(self.round_if_due)
            except Exception as error:  # noqa: BLE001 - the next round tries again
                log.warning("suppressions_not_kept", error=type(error).__name__)
            await asyncio.sleep(random.uniform(*ASK_S))

    def round_if_due(self) -> bool:
        """Make a round, unless a process has made one within the last minute. Returns whether it did.

        Raises:
            RedisError, StoreError: the round stopped half-way; the next one does the rest.
        """
        if not self._redis.set(keys.SUPPRESSIONS_LEASE, b"1", nx=True, px=EVERY_MS):
            return False
        if (added := self._suppressions.restore_if_lost()) is not None:
            log.warning("suppressions_restored", added=added)
        if moved := self._suppressions.flush():
            log.info("suppressions_stored", records=moved)
        return True
