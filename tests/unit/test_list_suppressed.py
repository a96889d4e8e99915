"""The suppression list while a list is read: in dry run and parsing, for marketing and for other email."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from redis import Redis

from consent.records import Reason
from tests.support.app_harness import AppHarness
from tests.support.suppressions import suppressions

LIST = b"email,name\nann@shop.test,Ann\nBOB@shop.test,Bob\ncy@b\xc3\xbccher.test,Cy\ndan@shop.test,Dan\n"


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    """An installation whose list has one address of each reason."""
    app = AppHarness(fake_redis)
    found = suppressions(fake_redis, app.store)
    found.add(["bob@shop.test"], Reason.UNSUBSCRIBED)
    found.add(["cy@xn--bcher-kva.test"], Reason.BOUNCED)
    return app


def rejected(app: AppHarness) -> dict[int, str]:
    body = app.web.get("/campaigns/c1/recipients.csv?state=rejected").body.decode()
    return {int(row["row"]): row["reason"] for row in csv.DictReader(io.StringIO(body))}


@pytest.mark.parametrize(
    ("content", "rows"),
    [({}, {2, 3}), ({"unsubscribe": None}, {2, 3}), ({"unsubscribe": False}, {3})],
)
def test_suppressed_rows_are_rejected_in_dry_run_and_parsing(
    app: AppHarness, content: dict[str, Any], rows: set[int]
) -> None:
    """Given addresses on the list, then marketing skips all of them, and other email only those that bounced."""
    app.make(**content)
    dry = app.upload(LIST, query="?dry_run=true").json()
    assert (dry["accepted"], dry["rejected"], dry["reasons"]) == (4 - len(rows), len(rows), {"suppressed": len(rows)})
    app.upload(LIST)
    app.parse()
    assert rejected(app) == dict.fromkeys(rows, "suppressed")


def test_a_change_of_unsubscribe_reads_the_list_again(app: AppHarness) -> None:
    app.ready(LIST)
    body = {"from": "news@shop.test", "subject": "Hi", "text": "Hi"}
    assert app.web.put("/campaigns/c1", {**body, "unsubscribe": False}).json()["status"] == "parsing"
    app.parse()
    assert set(rejected(app)) == {3}
    assert app.web.put("/campaigns/c1", body).json()["status"] == "parsing"
    app.parse()
    assert set(rejected(app)) == {2, 3}


def test_an_empty_suppression_list_costs_no_hash_key(fake_redis: Redis) -> None:
    app = AppHarness(fake_redis)
    app.ready(LIST)
    assert rejected(app) == {}
    assert fake_redis.keys("postrider:suppressions*") == []
