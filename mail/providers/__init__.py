"""The email providers, one per file, and the function that builds that of an account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mail.providers.base import Provider
from mail.providers.on_demand import OnDemand
from mail.providers.outbox import Outbox
from mail.providers.sendgrid import SendGrid
from mail.providers.ses import Ses
from mail.providers.smtp import Smtp
from settings import ProviderAccount, Settings

__all__ = ["BUILDERS", "OnDemand", "Outbox", "Provider", "SendGrid", "Ses", "Smtp", "build"]


#: What builds the provider of an account, by the provider's name.
Builder = Callable[[ProviderAccount, Settings], Provider]


def _sendgrid(account: ProviderAccount, settings: Settings) -> Provider:
    if not account.sendgrid_api_key:
        raise ValueError("SendGrid needs an API key: set SENDGRID_API_KEY")
    return SendGrid(
        account.sendgrid_api_key, account.sendgrid_api_url, settings.send_timeout_s, settings.sendgrid_batch
    )


def _smtp(account: ProviderAccount, settings: Settings) -> Provider:
    if account.smtp is None:
        raise ValueError("SMTP needs a server: set SMTP_URL")
    return Smtp(account.smtp, settings.send_timeout_s, settings.smtp_connections, settings.smtp_messages_per_connection)


def _ses(account: ProviderAccount, settings: Settings) -> Provider:
    if account.ses is None:
        raise ValueError("Amazon SES needs a region: set SES_REGION")
    return Ses(account.ses, settings.send_timeout_s)


def _outbox(_account: ProviderAccount, settings: Settings) -> Provider:
    return Outbox(settings.outbox_dir)


BUILDERS: Final[dict[str, Builder]] = {"sendgrid": _sendgrid, "smtp": _smtp, "ses": _ses, "outbox": _outbox}


def build(account: ProviderAccount, settings: Settings) -> Provider:
    """Build the provider of an account. Call it once per process and account.

    Raises:
        ValueError: there is no such provider, or its settings are incomplete.
    """
    if account.provider not in BUILDERS:
        raise ValueError(f"there is no provider {account.provider}: choose {', '.join(BUILDERS)}")
    return BUILDERS[account.provider](account, settings)
