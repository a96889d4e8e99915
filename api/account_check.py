"""Whether a campaign's account, and each account that may send in its place, can do what the campaign asks for."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from api.components import Components
from api.http.errors import invalid
from campaigns.models import Content
from mail.providers import capabilities
from mail.providers.capabilities import CAPABILITIES
from settings import DEFAULT, ProviderAccount


def with_account(parts: Components, content: Content) -> Content:
    """The content, with its account checked. The account `default` is stored like none.

    Raises:
        Problem: 422: there is no such account.
    """
    if content.account_name not in parts.settings.accounts:
        names = ", ".join(parts.settings.accounts)
        raise invalid(f"account: there is no account {content.account_name[:64]!r}: choose one of {names}.")
    return msgspec.structs.replace(content, account=msgspec.UNSET) if content.account == DEFAULT else content


def check(parts: Components, campaign_id: str, content: Content) -> None:
    """Check a content against the providers that may send it.

    Raises:
        Problem: 422: one of them cannot do what it asks for.
    """
    attached = sum(file.size for file in parts.attachments.all(campaign_id))
    for account in senders(parts, content.account_name):
        if words := capabilities.refusal(account.provider, content, attached):
            in_place = f" (The account {account.name} sends in place of {content.account_name} while that is sick.)"
            raise invalid(words + (in_place if account.name != content.account_name else ""))


def attachments_limit(parts: Components, account: str) -> int:
    """The most bytes of all files of a campaign together, by its account."""
    return min(CAPABILITIES[sender.provider].attachments for sender in senders(parts, account))


def senders(parts: Components, name: str) -> Iterator[ProviderAccount]:
    """The account of this name, and those that send in its place; `default` if this server does not know it."""
    accounts = parts.settings.accounts
    account: ProviderAccount | None = accounts.get(name, accounts[DEFAULT])
    passed: set[str] = set()
    while account is not None and account.name not in passed:
        yield account
        passed.add(account.name)
        account = accounts[account.fallback] if account.fallback else None
