"""The object store away while a list is uploaded, parsed, fed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.chaos import audit as books
from tests.support.chaos.worker_pool import Crew
from tests.support.client import ApiError
from tests.support.stack import House


def test_the_store_is_away_during_an_upload(tmp_path: Path, figures: Callable[..., None]) -> None:
    """Given no object store, when a list is uploaded, then it is a 503 and the campaign stays as it was."""
    with House.open(tmp_path) as house, Crew(house, 1):
        house.put("c1")
        house.s3.kill()
        with pytest.raises(ApiError) as refused:
            house.upload("c1", books.addresses(100))
        assert refused.value.status == 503
        with pytest.raises(ApiError) as refused:
            house.upload_in_parts("c1", books.addresses(100))
        assert refused.value.status == 503
        assert house.status("c1")["status"] == "draft"
        house.s3.start()
        house.upload("c1", books.addresses(100))
        house.until_status("c1", "ready")
        assert house.start("c1") == "running"
        books.until_over(house, "c1", 60)
        figures(answer=503, campaign="draft, then completed")


def test_the_store_is_away_while_a_list_is_parsed(tmp_path: Path, full: bool, figures: Callable[..., None]) -> None:
    """Given an uploaded list, when the store cannot be read, then the status says so, and parsing goes on by itself."""
    rows, away_s = 20_000, (30 if full else 5)
    with House.open(tmp_path) as house:
        house.put("c1")
        house.upload("c1", books.addresses(rows))
        house.s3.kill()
        with Crew(house, 1):
            report = house.until("c1", lambda found: bool(found["reason"]), "a reason")
            time.sleep(away_s)
            assert house.status("c1")["status"] == "parsing"
            house.s3.start()
            back = time.monotonic()
            ready = house.until_status("c1", "ready")
            figures(reason=report["reason"], away_s=away_s, ready_after_s=round(time.monotonic() - back, 1))
            assert (ready["total"], ready["reason"]) == (rows, None)


def test_the_store_is_away_while_a_list_is_fed(tmp_path: Path, full: bool, figures: Callable[..., None]) -> None:
    """Given a campaign under way, when the store goes away, then what has been fed is sent, the status says why it does
    not go on, and it goes on by itself.
    """
    rows, away_s = 12_000, (30 if full else 8)
    with House.open(tmp_path, RECONCILE_EVERY_S="5") as house, Crew(house):
        house.double.behave(latency_ms=20)
        books.launch(house, "c1", books.addresses(rows), 60_000)
        with house.watch("c1") as watch:
            books.until_done(house, "c1", 1_000, 60)
            house.s3.kill()
            report = house.until("c1", lambda found: bool(found["reason"]), "a reason")
            time.sleep(away_s)
            stalled = house.status("c1")
            house.s3.start()
            back = time.time()
            books.until_over(house, "c1", 120)
        found = books.closed(house, "c1", watch, unknown_at_most=0)
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


def test_a_store_that_hangs_takes_its_own_readers_and_nobody_else(tmp_path: Path, figures: Callable[..., None]) -> None:
    """Given a store that takes requests and answers none, when one campaign needs more of its list, then another whose
    recipients are all there keeps its rate, for longer than it takes to ask as many feeders as there are threads.
    """
    hangs_s, tpm = 40, 180
    with House.open(tmp_path) as house, Crew(house, 1):
        books.launch(house, "steady", books.addresses(200), tpm)
        books.launch(house, "hungry", books.addresses(60_000), 60_000)
        with house.watch("hungry") as watch:
            books.until_done(house, "hungry", 1_000, 60)
            house.s3.freeze()
            house.until("hungry", lambda found: found["sent_last_minute"] > 0 and found["in_flight"] == 0, "its end")
            before = house.status("steady")["done"]
            time.sleep(hangs_s)
            meanwhile = house.status("steady")["done"] - before
            house.s3.thaw()
            for campaign_id in ("steady", "hungry"):
                books.until_over(house, campaign_id, 180)
        books.closed(house, "hungry", watch, unknown_at_most=0)
        figures(hangs_s=hangs_s, sent_meanwhile=meanwhile, at_its_rate=round(hangs_s * tpm / 60))
        assert meanwhile >= 0.95 * hangs_s * tpm / 60
