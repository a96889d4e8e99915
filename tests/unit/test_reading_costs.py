"""No read costs the product of two lists: what the list of campaigns, the metrics and an export read from Redis."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from redis import Redis

from campaigns import keys
from tests.support.app_harness import CONTENT, AppHarness
from tests.support.ledger_harness import Exchanges

#: A template that is too large to read with every list.
LARGE = {"html": "<p>" + "x" * 1_000_000 + "</p>"}


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis)


@pytest.mark.parametrize("path", ["/campaigns?limit=200", "/metrics"])
def test_listing_many_campaigns_takes_as_many_round_trips_as_listing_few(app: AppHarness, path: str) -> None:
    counts = []
    for number in range(60):
        app.make(f"c{number}")
        if number in {2, 59}:
            app.web.get(path)  # Redis knows the script from now on
            with Exchanges(app.redis) as exchanges:
                assert app.web.get(path).status == 200
            counts.append(exchanges.count)
    assert counts[0] == counts[1] <= 10


def test_a_list_reads_no_templates(app: AppHarness) -> None:
    app.make("c1", **LARGE)
    with Exchanges(app.redis) as exchanges:
        [listed] = app.web.get("/campaigns").json()["campaigns"]
    assert (listed["from"], listed["subject"]) == (CONTENT["from"], CONTENT["subject"])
    assert exchanges.answered_bytes < 10_000


def test_a_campaign_from_before_subjects_were_stored_separately_is_listed(app: AppHarness) -> None:
    app.make("c1")
    app.make("c2", subject="New", **LARGE)
    app.redis.hdel(keys.campaign("c1"), "from", "subject")
    with Exchanges(app.redis) as exchanges:
        listed = app.web.get("/campaigns").json()["campaigns"]
    assert [(one["id"], one["from"], one["subject"]) for one in listed] == [
        ("c2", CONTENT["from"], "New"),
        ("c1", CONTENT["from"], CONTENT["subject"]),
    ]
    assert exchanges.answered_bytes < 10_000


def test_all_that_a_list_says_of_a_campaign_is_from_one_instant(
    app: AppHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a campaign that starts between two reads of the same list, then its states do not contradict each other."""
    app.ready()
    catalog = app.starlette.state.components.catalog
    headings = catalog.headings

    def start_meanwhile(campaign_ids: list[str]) -> Any:
        found = headings(campaign_ids)
        app.harness.controls.start("c1")
        return found

    monkeypatch.setattr(catalog, "headings", start_meanwhile)
    [listed] = app.web.get("/campaigns").json()["campaigns"]
    assert listed["status"] == listed["progress"]["status"] == "running"
    assert listed["started_at"] == listed["progress"]["started_at"] is not None


def test_a_campaign_that_is_deleted_while_it_is_listed_is_left_out(
    app: AppHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.make("c1")
    app.make("c2")
    progress = app.starlette.state.components.progress
    reports = progress.reports

    def delete_meanwhile(campaign_ids: list[str]) -> Any:
        app.harness.catalog.delete("c1")
        return reports(campaign_ids)

    monkeypatch.setattr(progress, "reports", delete_meanwhile)
    assert [one["id"] for one in app.web.get("/campaigns").json()["campaigns"]] == ["c2"]


@pytest.mark.parametrize("unknown", [5, 8_000])
def test_an_export_reads_each_unknown_row_about_once(app: AppHarness, unknown: int) -> None:
    """Given a list of several slices, then the size of the replies grows with the list, not with slices times unknown
    rows.
    """
    app.ready(b"name,email\n" + b"".join(b"Ada,r%d@shop.test\n" % row for row in range(1, 10_001)))
    app.redis.zadd(keys.of("c1", "unknown"), {str(row): 1 for row in range(1, unknown + 1)})
    with Exchanges(app.redis) as exchanges:
        csv = app.web.get("/campaigns/c1/recipients.csv").body.decode()
    assert csv.count(',"unknown",') == unknown
    slices = len(app.harness.ledger.index(app.harness.catalog.get("c1")))
    assert exchanges.count < 10 + 3 * slices
    assert exchanges.answered_items < 40_000  # 10,000 rows, their reasons, and some


def test_a_status_takes_one_round_trip(app: AppHarness) -> None:
    app.ready()
    app.web.get("/campaigns/c1/status")  # Redis knows the script from now on
    with Exchanges(app.redis) as exchanges:
        app.web.get("/campaigns/c1/status")
    assert exchanges.count == 1


def test_the_list_shows_what_the_status_shows(app: AppHarness) -> None:
    app.ready()
    app.harness.controls.start("c1")
    [listed] = app.web.get("/campaigns").json()["campaigns"]
    assert listed["progress"] == msgspec.to_builtins(app.harness.progress.report("c1"))
