"""GET status: what is true when it is answered, however slow Redis is and whoever else asks."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import Any

import msgspec
import pytest
from redis import Redis

from campaigns.models import UnknownDecision
from tests.support.app_harness import Site


@pytest.fixture
def site(fake_redis: Redis) -> Site:
    """A campaign of which two rows are unknown."""
    made = Site(fake_redis)
    made.ready(tpm=10_000_000)
    made.world.controls.start("c1")
    made.world.feed(made.world.catalog.get("c1"))
    (run,) = made.world.runs()
    made.world.admit(run)
    made.world.settle(run, run.rows, "unknown")
    return made


async def ask(site: Site, path: str) -> dict[str, Any]:
    async with aclosing(site.web.messages("GET", f"/campaigns/c1/{path}", [b""])) as messages:
        body = b"".join([message.get("body", b"") async for message in messages])
    found: dict[str, Any] = msgspec.json.decode(body)
    return found


def test_a_status_never_lags_behind_a_report_that_was_read_before(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given someone who asks again and again, and a Redis that is slow to answer, when a worker has decided and has
    written its report, then who reads the report and then the status finds the decision in both.
    """
    progress = site.app.state.components.progress
    report = progress.report

    def slowly(campaign_id: str) -> Any:
        time.sleep(0.05)
        return report(campaign_id)

    async def look() -> None:
        for _ in range(3):
            assert (await ask(site, "status"))["unknown"] == 2
        monkeypatch.setattr(progress, "report", slowly)
        others = [asyncio.create_task(ask(site, "status")) for _ in range(3)]
        await asyncio.sleep(0.01)  # they may be under way
        campaign = site.world.catalog.get("c1")
        site.world.reconciler.decide(campaign, UnknownDecision.DONE)
        site.world.reconciler.reconcile(campaign)
        assert (await ask(site, "reconcile"))["finished_at"]
        status = await ask(site, "status")
        assert (status["unknown"], status["done"]) == (0, 2)
        await asyncio.gather(*others)

    asyncio.run(look())
