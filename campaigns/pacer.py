"""Releases recipients by pace and by turns: one script call a tick, by whichever worker holds the lease."""

from __future__ import annotations

from typing import Final
from uuid import uuid4

import msgspec
from redis import Redis

from campaigns import keys
from campaigns.ledger import (
    LOW_WATER_MAX,
    LOW_WATER_MIN,
    LOW_WATER_MS,
    PARKED_MAX,
    RUN_BYTES,
    RUN_ROWS,
    WORKER_DEAD_MS,
    Limits,
)
from campaigns.scripts import Scripts

#: How long the lease outlives its holder, in ms.
LEASE_MS: Final = 1_000
#: A parser that has given no sign of life for so long is started anew, in ms.
PARSER_LOST_MS: Final = 30_000


class Tick(msgspec.Struct):
    """What one tick did, when the next one is due (ms), and which campaigns need feeding, reconciling, parsing."""

    leader: bool
    wait_ms: int
    released: int = 0
    feed: list[str] | dict[str, str] = []
    reconcile: list[str] | dict[str, str] = []
    parse: list[str] | dict[str, str] = []


class Pacer:
    """The releasing side of one worker process.

    Args:
        slots: messages that this process works on at once.
        reconcile_every_s: time between two reconciliations of a running campaign.
        limits: over all campaigns.
    """

    def __init__(
        self,
        redis: Redis,
        provider: str,
        worker_id: str,
        slots: int,
        *,
        reconcile_every_s: float,
        limits: Limits = Limits(),  # noqa: B008 - immutable
    ) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)
        self._worker_id = worker_id
        self._slots = slots
        self._reconcile_ms = int(reconcile_every_s * 1000)
        self._limits = limits
        self._domain_prefix = keys.domain_prefix(provider)
        self._keys = [
            keys.RELEASE_LEASE,
            keys.RUNNING,
            keys.RING,
            keys.WORKERS,
            keys.SLOTS,
            keys.PARSING,
            keys.gate(provider),
            keys.dramatiq_queue("send_email"),
            keys.dramatiq_messages("send_email"),
            keys.account(provider),
        ]

    def tick(self) -> Tick:
        """Release what may go now.

        Raises:
            redis.RedisError: Redis cannot be asked; what it has released all the same is on its way.
        """
        args = [
            self._worker_id,
            self._slots,
            LEASE_MS,
            uuid4().hex,
            keys.PREFIX,
            RUN_ROWS,
            RUN_BYTES,
            self._reconcile_ms,
            PARSER_LOST_MS,
            WORKER_DEAD_MS,
            LOW_WATER_MS,
            LOW_WATER_MIN,
            LOW_WATER_MAX,
            *self._limits.arguments,
            self._domain_prefix,
            PARKED_MAX,
        ]
        return msgspec.json.decode(self._scripts("release", self._keys, args), type=Tick)

    def leave(self) -> None:
        """Give the lease and the slots back: this worker is stopping."""
        self._scripts("leave", [keys.RELEASE_LEASE, keys.WORKERS, keys.SLOTS], [self._worker_id])
