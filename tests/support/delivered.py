"""What the workers send of a campaign: its list prefetched, rendered and delivered to a provider that keeps it all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import msgspec

from campaigns import keys
from campaigns.ledger import Settlement
from campaigns.settler import BatchProgress
from lists.recipient import Recipient
from mail.message import Message
from mail.outcome import Kind, Outcome
from tests.support.app_harness import AppHarness
from worker.delivery import Batch, Delivery
from worker.prefetcher import Prefetcher


class _Kept:
    """The provider and the settler: they keep the emails, or the reasons why there are none, by row."""

    def __init__(self) -> None:
        self.found: dict[int, Message | str] = {}

    async def send(self, message: Message) -> Outcome:
        self.found[message.row] = message
        return Outcome(Kind.ACCEPTED)

    def settle(self, progress: BatchProgress, settlements: Sequence[Settlement], _event: dict[str, Any]) -> None:
        for settlement in settlements:
            self.found.setdefault(settlement.row, settlement.reason)
        progress.rows_left -= len(settlements)
        if not progress.rows_left:
            progress.ended.set_result(None)


def prefetched(app: AppHarness, campaign_id: str = "c1") -> list[Recipient]:
    """The recipients of a running campaign as the prefetcher puts them into Redis."""
    campaign = app.harness.catalog.get(campaign_id)
    Prefetcher(app.harness.ledger, app.store, threading.Event()).prefetch(campaign)
    ready: Any = app.redis.lrange(keys.of(campaign_id, "ready"), 0, -1)
    return [msgspec.json.decode(one, type=Recipient) for one in ready]


def delivered(app: AppHarness, campaign_id: str = "c1") -> dict[int, Message | str]:
    """Start a ready campaign and deliver it; by row, the email, or the reason why the row fails."""
    assert app.web.post(f"/campaigns/{campaign_id}/start", {"accept_warnings": True}).status == 200
    recipients = prefetched(app, campaign_id)
    kept = _Kept()
    delivery = Delivery(app.harness.catalog, kept, kept)  # type: ignore[arg-type]
    list_version = app.harness.catalog.get(campaign_id).list_version
    asyncio.run(delivery.deliver(Batch(campaign_id, list_version, 0, recipients)))
    return kept.found
