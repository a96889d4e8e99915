"""The provider accounts that this process knows, with their limits, in the form that the scripts take.

`campaigns.accounts` reads their state. Credentials and providers are not the ledger's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, Self

import msgspec

from campaigns import keys
from settings import DEFAULT, Settings

__all__ = ["DEFAULT", "AccountRule", "AccountTable", "of_settings", "scope"]


class AccountRule(NamedTuple):
    """What the scripts know of an account.

    Args:
        name: the name under which campaigns ask for it.
        scope: identifies it in Redis keys, see `scope`.
        tpm: its limit in transactions per minute; None: no limit.
        fallback: the account that sends while this one's circuit breaker stays open; None: none does.
        fingerprint: changes with the credentials. An account with new credentials is tried with one row first.
    """

    name: str
    scope: str
    tpm: int | None = None
    fallback: str | None = None
    fingerprint: str = ""

    @property
    def breaker(self) -> str:
        """The key of its circuit breaker."""
        return keys.breaker(self.scope)

    @property
    def failing(self) -> str:
        """The key of the rows whose sends it failed lately."""
        return keys.failing(self.scope)

    @property
    def window(self) -> str:
        """The key of its sliding window."""
        return keys.account(self.scope)


def scope(name: str, provider: str) -> str:
    """What identifies an account in Redis keys: its name after `@`.

    `default` goes by its provider, as in the versions that knew one account only, so that their data stay in use.
    """
    return provider if name == DEFAULT else f"@{name}"


class AccountTable:
    """All accounts of this process, and the limits of the recipients' domains, which hold for each account separately.

    Args:
        rules: the accounts; `default` is among them.
        domains: transactions per minute by domain; `*` is the limit of each domain that is not named.
        fallback_after_s: how long an account's breaker must have been open before its fallback sends, in s.
    """

    def __init__(
        self, rules: Iterable[AccountRule], domains: Mapping[str, int] | None = None, fallback_after_s: float = 60.0
    ) -> None:
        self.rules: Final = {rule.name: rule for rule in rules}
        self.domains: Final = domains or {}
        known = {
            rule.name: (rule.scope, rule.tpm or 0, rule.fallback or "", rule.fingerprint)
            for rule in self.rules.values()
        }
        # Encoded once, because every admission carries it.
        self._known = msgspec.Raw(msgspec.json.encode(known))
        self._fallback_after_ms = int(fallback_after_s * 1000)

    @classmethod
    def single(cls, provider: str, tpm: int | None = None, domains: Mapping[str, int] | None = None) -> Self:
        """The table with the account `default` alone."""
        return cls([AccountRule(DEFAULT, provider, tpm)], domains)

    def __getitem__(self, name: str) -> AccountRule:
        return self.rules[name]

    @property
    def keeps_windows(self) -> bool:
        """Whether each account has a window of its own: one account without a limit needs none (`lib/accounts.lua`)."""
        return len(self.rules) > 1 or any(rule.tpm for rule in self.rules.values())

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of scripts that choose an account."""
        return {"accounts": self._known, "fallback_after_ms": self._fallback_after_ms, "key_prefix": keys.PREFIX}

    @property
    def names(self) -> str:
        """All names, in the form of `postrider:worker_accounts`."""
        return f",{','.join(sorted(self.rules))},"


def of_settings(settings: Settings) -> AccountTable:
    """The accounts of the settings."""
    rules = [
        AccountRule(
            account.name, scope(account.name, account.provider), account.tpm, account.fallback, account.fingerprint
        )
        for account in settings.accounts.values()
    ]
    return AccountTable(rules, settings.domain_tpm, settings.fallback_after_s)
