"""Adds Postbox to the tables of this process, as a change of Postrider would. For its worker and its web process."""

from __future__ import annotations

import os

from mail import providers
from mail.providers.base import Provider
from mail.providers.capabilities import CAPABILITIES
from settings import ProviderAccount, Settings, accounts
from tests.support import postbox


def install() -> None:
    """Add the provider `postbox`. POSTBOX_TOKEN and POSTBOX_URL stand for settings of its account."""
    accounts.PROVIDERS = (*accounts.PROVIDERS, "postbox")
    CAPABILITIES["postbox"] = postbox.CAPABILITIES
    providers.BUILDERS["postbox"] = _built


def _built(_account: ProviderAccount, settings: Settings) -> Provider:
    return postbox.Postbox(os.environ["POSTBOX_TOKEN"], os.environ["POSTBOX_URL"], settings.send_timeout_s)
