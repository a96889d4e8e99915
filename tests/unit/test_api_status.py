"""GET status: true at the time of the response, however slow Redis is and however many clients ask."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import Any

import msgspec
import pytest
from redis import Redis

from campaigns.models import UnknownDecision
from tests.support.app_harness import AppHarness


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    """A campaign with two unknown rows."""
    made = AppHarness(fake_redis)
    made.ready(tpm=10_000_000)
    made.harness.controls.start("c1")
    made.harness.prefetch(made.harness.catalog.get("c1"))
    (batch,) = made.harness.batches()
    made.harness.admit(batch)
    made.harness.settle(batch, batch.rows, "unknown")
    return made


async def ask(app: AppHarness, path: str) -> dict[str, Any]:
    async with aclosing(app.web.messages("GET", f"/campaigns/c1/{path}", [b""])) as messages:
        body = b"".join([message.get("body", b"") async for message in messages])
    found: dict[str, Any] = msgspec.json.decode(body)
    return found


def test_a_status_never_lags_behind_a_report_that_the_client_has_read(
    app: AppHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a client that polls, and a slow Redis, when a worker has decided and written its report, then a client that
    reads the report and then the status finds the decision in both.
    """
    progress = app.starlette.state.components.progress
    report = progress.report

    def slowly(campaign_id: str) -> Any:
        time.sleep(0.05)
        return report(campaign_id)

    async def look() -> None:
        for _ in range(3):
            assert (await ask(app, "status"))["unknown"] == 2
        monkeypatch.setattr(progress, "report", slowly)
        others = [asyncio.create_task(ask(app, "status")) for _ in range(3)]
        await asyncio.sleep(0.01)  # they may be under way
        campaign = app.harness.catalog.get("c1")
        app.harness.reconciler.decide(campaign, UnknownDecision.DONE)
        app.harness.reconciler.reconcile(campaign)
        assert (await ask(app, "reconcile"))["finished_at"]
        status = await ask(app, "status")
        assert (status["unknown"], status["done"]) == (0, 2)
        await asyncio.gather(*others)

    asyncio.run(look())
