"""The object store away while a list is uploaded, parsed, prefetched."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.chaos import audit
from tests.support.chaos.worker_pool import WorkerPool
from tests.support.client import ApiError
from tests.support.stack import Stack


def test_the_store_is_away_during_an_upload(tmp_path: Path, figures: Callable[..., None]) -> None:
    """Given no object store, when a list is uploaded, then the response is 503 and the campaign stays as it was."""
    with Stack.open(tmp_path) as stack, WorkerPool(stack, 1):
        stack.put("c1")
        stack.s3.kill()
        with pytest.raises(ApiError) as refused:
            stack.upload("c1", audit.addresses(100))
        assert refused.value.status == 503
        with pytest.raises(ApiError) as refused:
            stack.upload_in_parts("c1", audit.addresses(100))
        assert refused.value.status == 503
        assert stack.status("c1")["status"] == "draft"
        stack.s3.start()
        stack.upload("c1", audit.addresses(100))
        stack.until_status("c1", "ready")
        assert stack.start("c1") == "running"
        audit.until_over(stack, "c1", 60)
        figures(answer=503, campaign="draft, then completed")


def test_the_store_is_away_while_a_list_is_parsed(tmp_path: Path, full: bool, figures: Callable[..., None]) -> None:
    """Given an uploaded list, when the store cannot be read, then the status says so, and parsing continues once it is
    back.
    """
    rows, away_s = 20_000, (30 if full else 5)
    with Stack.open(tmp_path) as stack:
        stack.put("c1")
        stack.upload("c1", audit.addresses(rows))
        stack.s3.kill()
        with WorkerPool(stack, 1):
            report = stack.until("c1", lambda found: bool(found["reason"]), "a reason")
            time.sleep(away_s)
            assert stack.status("c1")["status"] == "parsing"
            stack.s3.start()
            back = time.monotonic()
            ready = stack.until_status("c1", "ready")
            figures(reason=report["reason"], away_s=away_s, ready_after_s=round(time.monotonic() - back, 1))
            assert (ready["total"], ready["reason"]) == (rows, None)


def test_the_store_is_away_while_a_list_is_prefetched(tmp_path: Path, full: bool, figures: Callable[..., None]) -> None:
    """Given a campaign under way, when the store goes away, then the prefetched recipients are sent, the status says
    why the campaign stops there, and it continues without help once the store is back.
    """
    rows, away_s = 12_000, (30 if full else 8)
    with Stack.open(tmp_path, RECONCILE_EVERY_S="5") as stack, WorkerPool(stack):
        stack.double.behave(latency_ms=20)
        audit.launch(stack, "c1", audit.addresses(rows), 60_000)
        with stack.watch("c1") as watch:
            audit.until_done(stack, "c1", 1_000, 60)
            stack.s3.kill()
            report = stack.until("c1", lambda found: bool(found["reason"]), "a reason")
            time.sleep(away_s)
            stalled = stack.status("c1")
            stack.s3.start()
            back = time.time()
            audit.until_over(stack, "c1", 120)
        found = audit.closed(stack, "c1", watch, unknown_at_most=0)
        later = min(arrival.time_s for arrival in found.arrivals if arrival.time_s > back)
        figures(
            reason=report["reason"],
            away_s=away_s,
            status=stalled["status"],
            done_meanwhile=stalled["done"],
            next_send_s=round(later - back, 1),
        )
        assert stalled["status"] == "running"
        assert found.report["reason"] is None


def test_a_store_that_hangs_holds_up_only_the_campaigns_that_read_it(
    tmp_path: Path, figures: Callable[..., None]
) -> None:
    """Given a store that accepts requests and answers none, when one campaign needs more of its list, then another
    campaign whose recipients are all ready keeps its rate, for longer than it takes to ask as many prefetchers as there
    are threads.
    """
    hangs_s, tpm = 40, 180
    with Stack.open(tmp_path) as stack, WorkerPool(stack, 1):
        audit.launch(stack, "steady", audit.addresses(200), tpm)
        audit.launch(stack, "large", audit.addresses(60_000), 60_000)
        with stack.watch("large") as watch:
            audit.until_done(stack, "large", 1_000, 60)
            stack.s3.freeze()
            stack.until("large", lambda found: found["sent_last_minute"] > 0 and found["in_flight"] == 0, "its end")
            before = stack.status("steady")["done"]
            time.sleep(hangs_s)
            meanwhile = stack.status("steady")["done"] - before
            stack.s3.thaw()
            for campaign_id in ("steady", "large"):
                audit.until_over(stack, campaign_id, 180)
        audit.closed(stack, "large", watch, unknown_at_most=0)
        figures(hangs_s=hangs_s, sent_meanwhile=meanwhile, at_its_rate=round(hangs_s * tpm / 60))
        assert meanwhile >= 0.95 * hangs_s * tpm / 60
