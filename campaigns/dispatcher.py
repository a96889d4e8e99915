"""Dispatches recipients by pace and by weighted fair queueing. The worker with the lease calls one script per round."""

from __future__ import annotations

import time
from typing import Final
from uuid import uuid4

import msgspec
from redis import Redis

from campaigns import keys
from campaigns.ledger import (
    LOW_WATER_MAX,
    LOW_WATER_MIN,
    LOW_WATER_MS,
    Limits,
    claim_lost_ms,
)
from campaigns.messages import QUEUES, SEND_EMAIL
from campaigns.scripts import Scripts
from campaigns.typed_redis import typed

#: How often a worker looks for campaigns with rows in flight that `postrider:claims` does not name, in s.
FIND_CLAIMS_EVERY_S: Final = 3600.0


class DispatchResult(msgspec.Struct):
    """What one round did, when the next one is due (ms), and which campaigns need prefetching, reconciling, parsing.

    `idle`: no campaign runs; a notification tells when one does. `expired`: campaigns whose rows in flight have become
    unknown, and how many. `refused`: campaigns that were paused because Redis refuses one of their keys.
    """

    leader: bool
    wait_ms: int
    idle: bool = False
    dispatched: int = 0
    prefetch: list[str] | dict[str, str] = []
    reconcile: list[str] | dict[str, str] = []
    parse: list[str] | dict[str, str] = []
    expired: list[tuple[str, int]] | dict[tuple[str, int], str] = []
    refused: list[str] | dict[str, str] = []


class Dispatcher:
    """The dispatching side of one worker process.

    Args:
        slots: messages that this process works on at once.
        reconcile_every_s: time between two reconciliations of a running campaign.
        send_timeout_s: how long a send may take: a claim much older than that is given up.
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
        send_timeout_s: float,
        limits: Limits = Limits(),  # noqa: B008 - immutable
    ) -> None:
        self._redis = typed(redis)
        self._scripts = Scripts(redis)
        self._worker_id = worker_id
        self._slots = slots
        self._reconcile_ms = int(reconcile_every_s * 1000)
        self._claim_lost_ms = claim_lost_ms(send_timeout_s)
        self._find_claims_at = 0.0
        self._limits = limits
        self._domain_prefix = keys.domain_prefix(provider)
        self._keys = {
            "lease": keys.DISPATCHER_LEASE,
            "running": keys.RUNNING,
            "dispatcher": keys.DISPATCHER,
            "workers": keys.WORKERS,
            "slots": keys.SLOTS,
            "parsing": keys.PARSING,
            "breaker": keys.breaker(provider),
            "queue": keys.dramatiq_queue(QUEUES[SEND_EMAIL]),
            "messages": keys.dramatiq_messages(QUEUES[SEND_EMAIL]),
            "account": keys.account(provider),
            "claims": keys.CLAIMS,
        }

    def dispatch(self) -> DispatchResult:
        """Dispatch what may go now.

        Raises:
            redis.RedisError: Redis cannot be asked; what it has dispatched all the same is on its way.
        """
        answer = self._scripts(
            "dispatch",
            self._keys,
            worker_id=self._worker_id,
            own_slots=self._slots,
            call_id=uuid4().hex,
            key_prefix=keys.PREFIX,
            reconcile_ms=self._reconcile_ms,
            low_water_ms=LOW_WATER_MS,
            low_water_min=LOW_WATER_MIN,
            low_water_max=LOW_WATER_MAX,
            **self._limits.arguments,
            domain_prefix=self._domain_prefix,
            claim_lost_ms=self._claim_lost_ms,
        )
        return msgspec.json.decode(answer, type=DispatchResult)

    def find_claims(self) -> None:
        """Have all rows in flight looked at, also of campaigns that an older version has left with some. Once an hour.

        Raises:
            redis.RedisError: Redis cannot be asked; the next call does it.
        """
        if time.monotonic() < self._find_claims_at:
            return
        ids = self._redis.zrange(keys.CAMPAIGNS, 0, -1)
        with self._redis.pipeline(transaction=False) as pipeline:
            for campaign_id in ids:
                pipeline.exists(keys.of(campaign_id.decode(), "in_flight"))
            found = {campaign_id: 0 for campaign_id, some in zip(ids, pipeline.execute(), strict=True) if some}
        if found:
            self._redis.zadd(keys.CLAIMS, found, nx=True)
        self._find_claims_at = time.monotonic() + FIND_CLAIMS_EVERY_S

    def leave(self) -> None:
        """Give the lease and the slots back: this worker is stopping."""
        names = ("lease", "workers", "slots")
        self._scripts("leave", {name: self._keys[name] for name in names}, worker_id=self._worker_id)
