"""No reading costs the product of two lists: what is read of Redis for a list, the metrics and an export."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from redis import Redis

from campaigns import keys
from tests.support.app_harness import CONTENT, Site
from tests.support.ledger_harness import Exchanges

#: A template that nobody wants to read with every list.
LARGE = {"html": "<p>" + "x" * 1_000_000 + "</p>"}


@pytest.fixture
def site(fake_redis: Redis) -> Site:
    return Site(fake_redis)


@pytest.mark.parametrize("path", ["/campaigns?limit=200", "/metrics"])
def test_a_list_of_many_campaigns_takes_as_many_round_trips_as_one_of_few(site: Site, path: str) -> None:
    counts = []
    for number in range(60):
        site.make(f"c{number}")
        if number in {2, 59}:
            site.web.get(path)  # its script is known from now on
            with Exchanges(site.redis) as exchanges:
                assert site.web.get(path).status == 200
            counts.append(exchanges.count)
    assert counts[0] == counts[1] <= 4


def test_a_list_reads_no_templates(site: Site) -> None:
    site.make("c1", **LARGE)
    with Exchanges(site.redis) as exchanges:
        [listed] = site.web.get("/campaigns").json()["campaigns"]
    assert (listed["from"], listed["subject"]) == (CONTENT["from"], CONTENT["subject"])
    assert exchanges.answered_bytes < 10_000


def test_a_campaign_made_before_its_subject_was_kept_by_itself_is_listed_all_the_same(site: Site) -> None:
    site.make("c1")
    site.make("c2", subject="New", **LARGE)
    site.redis.hdel(keys.campaign("c1"), "from", "subject")
    with Exchanges(site.redis) as exchanges:
        listed = site.web.get("/campaigns").json()["campaigns"]
    assert [(one["id"], one["from"], one["subject"]) for one in listed] == [
        ("c2", CONTENT["from"], "New"),
        ("c1", CONTENT["from"], CONTENT["subject"]),
    ]
    assert exchanges.answered_bytes < 10_000


def test_all_that_a_list_says_of_a_campaign_is_of_one_instant(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a campaign that is started between two readings of the same list, then its states do not contradict."""
    site.ready()
    catalog = site.app.state.components.catalog
    headings = catalog.headings

    def start_meanwhile(campaign_ids: list[str]) -> Any:
        found = headings(campaign_ids)
        site.world.controls.start("c1")
        return found

    monkeypatch.setattr(catalog, "headings", start_meanwhile)
    [listed] = site.web.get("/campaigns").json()["campaigns"]
    assert listed["status"] == listed["progress"]["status"] == "running"
    assert listed["started_at"] == listed["progress"]["started_at"] is not None


def test_a_campaign_that_is_deleted_while_it_is_listed_is_left_out(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.make("c1")
    site.make("c2")
    progress = site.app.state.components.progress
    reports = progress.reports

    def delete_meanwhile(campaign_ids: list[str]) -> Any:
        site.world.catalog.delete("c1")
        return reports(campaign_ids)

    monkeypatch.setattr(progress, "reports", delete_meanwhile)
    assert [one["id"] for one in site.web.get("/campaigns").json()["campaigns"]] == ["c2"]


@pytest.mark.parametrize("unknown", [5, 8_000])
def test_an_export_reads_each_unknown_row_about_once(site: Site, unknown: int) -> None:
    """Given a list of several slices, then what Redis answers grows with the list, not with slices times unknown
    rows.
    """
    site.ready(b"name,email\n" + b"".join(b"Ada,r%d@shop.test\n" % row for row in range(1, 10_001)))
    site.redis.zadd(keys.of("c1", "unknown"), {str(row): 1 for row in range(1, unknown + 1)})
    with Exchanges(site.redis) as exchanges:
        csv = site.web.get("/campaigns/c1/recipients.csv").body.decode()
    assert csv.count(',"unknown",') == unknown
    slices = len(site.world.ledger.index(site.world.catalog.get("c1")))
    assert exchanges.count < 10 + 3 * slices
    assert exchanges.answered_items < 40_000  # 10,000 rows, their reasons, and some


def test_a_status_is_one_round_trip(site: Site) -> None:
    site.ready()
    site.web.get("/campaigns/c1/status")  # its script is known from now on
    with Exchanges(site.redis) as exchanges:
        site.web.get("/campaigns/c1/status")
    assert exchanges.count == 1


def test_what_is_listed_is_what_the_status_says(site: Site) -> None:
    site.ready()
    site.world.controls.start("c1")
    [listed] = site.web.get("/campaigns").json()["campaigns"]
    assert listed["progress"] == msgspec.to_builtins(site.world.progress.report("c1"))
