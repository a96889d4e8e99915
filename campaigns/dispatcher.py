"""Dispatches recipients by pace and by weighted fair queueing. The worker with the lease calls one script per round."""

from __future__ import annotations

import time
from typing import Final
from uuid import uuid4

import msgspec
from redis import Redis

from campaigns import keys, schedule
from campaigns.account_table import AccountTable
from campaigns.db.scripts import Scripts
from campaigns.db.typed_redis import typed
from campaigns.errors import InvalidCampaign
from campaigns.ledger import (
    LOW_WATER_MAX,
    LOW_WATER_MIN,
    LOW_WATER_MS,
    claim_lost_ms,
)
from campaigns.messages import QUEUES, SEND_EMAIL

#: How long windows stay closed that could not be computed, in ms.
WINDOWS_AGAIN_MS: Final = 60_000
#: Time between two searches for campaigns with rows in flight that `postrider:claims` does not name, in s.
FIND_CLAIMS_EVERY_S: Final = 3600.0


class DispatchResult(msgspec.Struct):
    """The result of one dispatch round.

    `leader`: this worker holds the lease. `wait_ms`: time until the next round. `idle`: no campaign runs; a
    notification announces the next one. `dispatched`: recipients moved to the queue. `prefetch`, `reconcile`, `parse`:
    campaigns that need this work. `expired`: campaigns whose rows in flight have become unknown, with the number of
    rows. `refused`: campaigns that were paused because Redis refuses one of their keys. `windows`: campaigns whose
    sending windows must be computed anew (`renew_windows`). `now_ms`: the time by the clock of Redis.
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
    windows: list[str] | dict[str, str] = []
    now_ms: int = 0


class Dispatcher:
    """The dispatching side of one worker process.

    Args:
        slots: the number of messages that this process works on concurrently.
        reconcile_every_s: time between two reconciliations of a running campaign, in s.
        send_timeout_s: the longest time that a send may take, in s. A much older claim expires.
        accounts: the provider accounts with their limits.
    """

    def __init__(
        self,
        redis: Redis,
        accounts: AccountTable,
        worker_id: str,
        slots: int,
        *,
        reconcile_every_s: float,
        send_timeout_s: float,
    ) -> None:
        self._redis = typed(redis)
        self._scripts = Scripts(redis)
        self._worker_id = worker_id
        self._slots = slots
        self._reconcile_ms = int(reconcile_every_s * 1000)
        self._claim_lost_ms = claim_lost_ms(send_timeout_s)
        self._find_claims_at = 0.0
        self._accounts = accounts
        self._keys = {
            "lease": keys.DISPATCHER_LEASE,
            "running": keys.RUNNING,
            "dispatcher": keys.DISPATCHER,
            "workers": keys.WORKERS,
            "slots": keys.SLOTS,
            "worker_accounts": keys.WORKER_ACCOUNTS,
            "parsing": keys.PARSING,
            "queue": keys.dramatiq_queue(QUEUES[SEND_EMAIL]),
            "messages": keys.dramatiq_messages(QUEUES[SEND_EMAIL]),
            "claims": keys.CLAIMS,
            "schedule": keys.SCHEDULE,
        }

    def dispatch(self) -> DispatchResult:
        """Run one dispatch round.

        Raises:
            redis.RedisError: Redis is unavailable. The round may still have taken place in Redis.
        """
        answer = self._scripts(
            "dispatch",
            self._keys,
            worker_id=self._worker_id,
            own_slots=self._slots,
            call_id=uuid4().hex,
            reconcile_ms=self._reconcile_ms,
            low_water_ms=LOW_WATER_MS,
            low_water_min=LOW_WATER_MIN,
            low_water_max=LOW_WATER_MAX,
            **self._accounts.arguments,
            own_accounts=self._accounts.names,
            limits=self._accounts.domains or None,
            claim_lost_ms=self._claim_lost_ms,
        )
        return msgspec.json.decode(answer, type=DispatchResult)

    def find_claims(self) -> None:
        """Once per hour, register all campaigns with rows in flight in `postrider:claims`.

        An older version has left campaigns with such rows and without this entry.

        Raises:
            redis.RedisError: Redis is unavailable; the next call tries again.
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

    def renew_windows(self, campaign_id: str, now_ms: int) -> None:
        """Compute and store the next open intervals of a campaign.

        Args:
            campaign_id: the campaign.
            now_ms: the time by the clock of Redis, in ms since 1970.

        Raises:
            InvalidCampaign: this machine does not know the time zone. The windows stay closed for a minute.
            redis.RedisError: Redis is unavailable; the next round names the campaign again.
        """
        windows = (self._redis.hget(keys.campaign(campaign_id), "windows") or b"").decode()
        try:
            found = schedule.stored(windows, now_ms)
        except InvalidCampaign:
            self._store_windows(campaign_id, windows, f"{now_ms + WINDOWS_AGAIN_MS};")
            raise
        self._store_windows(campaign_id, windows, found)

    def _store_windows(self, campaign_id: str, windows: str, found: str) -> None:
        self._scripts("renew_windows", keys.named(campaign_id, "campaign"), windows=windows, open_windows=found)

    def leave(self) -> None:
        """Return the lease and the slots, because this worker is stopping."""
        names = ("lease", "workers", "slots", "worker_accounts")
        self._scripts("leave", {name: self._keys[name] for name in names}, worker_id=self._worker_id)
