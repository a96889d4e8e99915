"""The providers, one file each, and which of them the settings ask for."""

from __future__ import annotations

from mail.providers.base import Provider
from mail.providers.outbox import Outbox
from mail.providers.sendgrid import SendGrid
from settings import Settings

__all__ = ["Outbox", "Provider", "SendGrid", "build"]


def build(settings: Settings) -> Provider:
    """The provider that `EMAIL_PROVIDER` names. To be called once a process."""
    if settings.email_provider == "sendgrid":
        if not settings.sendgrid_api_key:
            raise ValueError("SendGrid needs an API key")
        return SendGrid(settings.sendgrid_api_key, settings.sendgrid_api_url, settings.send_timeout_s)
    if settings.email_provider == "outbox":
        return Outbox(settings.outbox_dir)
    raise ValueError(f"no such provider: {settings.email_provider}")
