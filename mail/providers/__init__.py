"""The email providers, one per file, and the function that builds the one that the settings name."""

from __future__ import annotations

from mail.providers.base import Provider
from mail.providers.on_demand import OnDemand
from mail.providers.outbox import Outbox
from mail.providers.sendgrid import SendGrid
from mail.providers.ses import Ses
from mail.providers.smtp import Smtp
from settings import Settings

__all__ = ["OnDemand", "Outbox", "Provider", "SendGrid", "Ses", "Smtp", "build"]


def build(settings: Settings) -> Provider:
    """Build the provider that `EMAIL_PROVIDER` names. Call it once per process.

    Raises:
        ValueError: there is no such provider, or its settings are incomplete.
    """
    if settings.email_provider == "sendgrid":
        if not settings.sendgrid_api_key:
            raise ValueError("SendGrid needs an API key: set SENDGRID_API_KEY")
        return SendGrid(settings.sendgrid_api_key, settings.sendgrid_api_url, settings.send_timeout_s)
    if settings.email_provider == "smtp":
        if settings.smtp is None:
            raise ValueError("SMTP needs a server: set SMTP_URL")
        return Smtp(
            settings.smtp, settings.send_timeout_s, settings.smtp_connections, settings.smtp_messages_per_connection
        )
    if settings.email_provider == "ses":
        if settings.ses is None:
            raise ValueError("Amazon SES needs a region: set SES_REGION")
        return Ses(settings.ses, settings.send_timeout_s)
    if settings.email_provider == "outbox":
        return Outbox(settings.outbox_dir)
    raise ValueError(
        f"there is no provider {settings.email_provider}: set EMAIL_PROVIDER to sendgrid, smtp, ses or outbox"
    )
