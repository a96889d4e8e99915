"""The state of the provider accounts: their circuit breakers, what they have sent in the last minute. It only reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

from redis import Redis, RedisError

from campaigns import keys
from campaigns.account_table import AccountTable
from campaigns.db.scripts import Scripts
from campaigns.db.typed_redis import typed

#: A single account without a limit keeps no window. Its emails of the last minute are counted over the running
#: campaigns and these many of the newest.
NEWEST: Final = 300

Breaker = Literal["closed", "open", "half-open"]


class AccountState(NamedTuple):
    """`reason`: the provider's words if the breaker is not closed. `sent_last_minute`: emails admitted in 60 s."""

    breaker: Breaker
    reason: str | None
    sent_last_minute: int


class Accounts:
    """Reads the state of accounts.

    Args:
        redis: a client without response decoding.
        table: the accounts.
    """

    def __init__(self, redis: Redis, table: AccountTable) -> None:
        self._redis = typed(redis)
        self._scripts = Scripts(redis)
        self._table = table

    def states(self, senders: Sequence[str] | None = None) -> dict[str, AccountState]:
        """The state of each account by its name, each read in one step.

        Args:
            senders: the campaigns that may have sent something in the last minute; None: they are read too.

        Raises:
            redis.RedisError: Redis is unavailable.
        """
        windows: list[str] = []
        if not self._table.keeps_windows:
            windows = [keys.of(sender, "window") for sender in (self._senders() if senders is None else senders)]
        rules = self._table.rules.values()
        answers = self._scripts.read_each(
            "account", [({"breaker": rule.breaker, "windows": windows or [rule.window]}, {}) for rule in rules]
        )
        return {rule.name: _state(answer) for rule, answer in zip(rules, answers, strict=True)}

    def _senders(self) -> list[str]:
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.execute_command("SMEMBERS", keys.RUNNING)
            pipeline.zrevrange(keys.CAMPAIGNS, 0, NEWEST - 1)
            running, newest = pipeline.execute()
        return sorted({raw.decode() for raw in (*running, *newest)})


def _state(answer: Any) -> AccountState:
    if isinstance(answer, RedisError):
        raise answer
    breaker, why, sent = answer
    return AccountState(breaker.decode(), why.decode() or None, sent)
