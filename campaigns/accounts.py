"""The state of the provider's account: its circuit breaker and what it has sent in the last minute. It only reads."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, cast

from redis import Redis

from campaigns import keys
from campaigns.db.scripts import Scripts
from campaigns.db.typed_redis import typed

#: Without a limit of the account, the emails of the last minute are counted over the running campaigns and these many
#: of the newest.
NEWEST: Final = 300

Breaker = Literal["closed", "open", "half-open"]


class AccountState(NamedTuple):
    """`reason`: the provider's words if the breaker is not closed. `sent_last_minute`: emails admitted in 60 s."""

    breaker: Breaker
    reason: str | None
    sent_last_minute: int


class Accounts:
    """Reads the state of the one account that there is.

    Args:
        redis: a client without response decoding.
        provider: the provider's name, which identifies the account.
        tpm: the account's limit in transactions per minute; None: no limit.
    """

    def __init__(self, redis: Redis, provider: str, tpm: int | None) -> None:
        self._redis = typed(redis)
        self._scripts = Scripts(redis)
        self._keys = {"breaker": keys.breaker(provider), "account": keys.account(provider)}
        self._tpm = tpm

    def state(self) -> AccountState:
        """The account's state, read in one step.

        Raises:
            redis.RedisError: Redis is unavailable.
        """
        windows = [] if self._tpm else [keys.of(campaign_id, "window") for campaign_id in self._senders()]
        breaker, why, sent = self._scripts.read(
            "account", {**self._keys, "windows": windows}, account_limit=self._tpm or 0
        )
        return AccountState(cast(Breaker, breaker.decode()), why.decode() or None, sent)

    def _senders(self) -> list[str]:
        """The campaigns that may have sent something in the last minute."""
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.execute_command("SMEMBERS", keys.RUNNING)
            pipeline.zrevrange(keys.CAMPAIGNS, 0, NEWEST - 1)
            running, newest = pipeline.execute()
        return sorted({raw.decode() for raw in (*running, *newest)})
