from __future__ import annotations

import asyncio
from pathlib import Path

from mail import providers
from mail.providers import Provider
from settings import load


def built(environ: dict[str, str]) -> Provider:
    async def build() -> Provider:
        settings = load(environ)
        provider = providers.build(settings.accounts["default"], settings)
        await provider.close()
        return provider

    return asyncio.run(build())


def test_the_settings_choose_the_provider() -> None:
    assert isinstance(built({}), providers.Outbox)
    assert isinstance(built({"SENDGRID_API_KEY": "SG.x"}), providers.SendGrid)
    assert isinstance(built({"SENDGRID_API_KEY": "SG.x", "EMAIL_PROVIDER": "outbox"}), providers.Outbox)


def test_the_outbox_is_where_the_settings_say(tmp_path: Path) -> None:
    outbox = built({"OUTBOX_DIR": str(tmp_path)})
    assert isinstance(outbox, providers.Outbox)
    assert outbox._directory == tmp_path
