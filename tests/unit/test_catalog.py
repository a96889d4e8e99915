"""The catalog: creating, changing, replacing and deleting campaigns."""

from __future__ import annotations

import json

import pytest

from campaigns import keys
from campaigns.errors import Superseded, UnknownCampaign, UnknownUpload, WrongState
from campaigns.models import CAMPAIGN_ID, Content, Status, Upload
from campaigns.parsing import Parsing
from tests.support.ledger_harness import Clock, LedgerHarness, scanned
from tests.support.lua_settings import setting

PARSER_LOST_MS = setting("PARSER_LOST_MS")

CONTENT = Content(from_="News <news@shop.test>", subject="Hello {{ name }}", text="Hi")


@pytest.mark.parametrize("campaign_id", ["c1", "A", "spring-2026_b", "x" * 64])
def test_valid_ids_are_accepted(campaign_id: str) -> None:
    assert CAMPAIGN_ID.fullmatch(campaign_id)


@pytest.mark.parametrize("campaign_id", ["", "-a", "_a", "a/b", "a b", "a{b}", "x" * 65, "é", "a\n"])
def test_invalid_ids_are_refused(campaign_id: str) -> None:
    assert not CAMPAIGN_ID.fullmatch(campaign_id)


def test_a_new_campaign_is_a_draft_with_the_default_rate(harness: LedgerHarness) -> None:
    campaign, created = harness.catalog.put("c1", CONTENT)
    assert created
    assert (campaign.status, campaign.tpm, campaign.content) == (Status.DRAFT, 1000, CONTENT)
    assert harness.catalog.put("c1", CONTENT) == (campaign, False)


def test_the_content_can_change_until_the_start(harness: LedgerHarness) -> None:
    harness.make()
    changed, created = harness.catalog.put("c1", CONTENT)
    assert (changed.content, created) == (CONTENT, False)
    harness.controls.start("c1")
    harness.catalog.put("c1", CONTENT)
    with pytest.raises(WrongState, match="running"):
        harness.catalog.put("c1", Content(from_="a@b.test", subject="Other", text="Hi"))
    assert harness.catalog.get("c1").content == CONTENT


def test_an_unknown_campaign_is_an_error(harness: LedgerHarness) -> None:
    with pytest.raises(UnknownCampaign):
        harness.catalog.get("c1")
    with pytest.raises(UnknownCampaign):
        harness.catalog.delete("c1")
    with pytest.raises(UnknownCampaign):
        harness.catalog.accept_list("c1", object_key="k", size=1, filename="", email_column="email")
    assert not harness.redis.keys("*")


def test_campaigns_are_listed_newest_first(harness: LedgerHarness, clock: Clock) -> None:
    for number in range(5):
        clock.advance(1)
        harness.catalog.put(f"c{number}", CONTENT)
    assert harness.catalog.newest(1, 2) == (["c3", "c2"], 5)


def test_a_second_list_before_the_start_replaces_the_first(harness: LedgerHarness) -> None:
    harness.make()
    list_version, replaced = harness.catalog.accept_list(
        "c1", object_key="new.csv", size=9, filename="n", email_column="email"
    )
    campaign = harness.catalog.get("c1")
    assert replaced == "list.csv"
    assert (campaign.status, campaign.list_version, campaign.object_key) == (Status.PARSING, list_version, "new.csv")
    assert harness.report().total == 0
    raw = harness.redis.hvals(keys.dramatiq_messages("parse_csv"))
    assert [json.loads(one)["args"] for one in raw][-1] == ["c1", list_version]


def test_the_parser_of_a_replaced_list_is_superseded(harness: LedgerHarness) -> None:
    harness.make()
    old, _ = harness.catalog.accept_list("c1", object_key="1.csv", size=9, filename="", email_column="email")
    parsing = Parsing(harness.redis, "c1", old)
    new, _ = harness.catalog.accept_list("c1", object_key="2.csv", size=9, filename="", email_column="email")
    with pytest.raises(Superseded):
        parsing.report(1, 1)
    with pytest.raises(Superseded):
        parsing.finish(scanned(b"email\na@b.test\n"))
    with pytest.raises(Superseded):
        Parsing(harness.redis, "c1", old)
    assert harness.catalog.get("c1").list_version == new


def test_a_second_parser_takes_over_from_a_silent_one(harness: LedgerHarness, clock: Clock) -> None:
    harness.make()
    list_version, _ = harness.catalog.accept_list("c1", object_key="1.csv", size=9, filename="", email_column="email")
    first = Parsing(harness.redis, "c1", list_version)
    clock.advance(PARSER_LOST_MS)
    second = Parsing(harness.redis, "c1", list_version)
    with pytest.raises(Superseded):
        first.report(1, 1)
    assert second.finish(scanned(b"email\na@b.test\n")) == Status.READY


def test_a_started_campaign_accepts_no_other_list(harness: LedgerHarness) -> None:
    harness.start()
    with pytest.raises(WrongState, match="running"):
        harness.catalog.accept_list("c1", object_key="k", size=1, filename="", email_column="email")
    with pytest.raises(WrongState, match="running"):
        harness.catalog.check_replaceable("c1")


def test_a_start_during_parsing_takes_effect_when_parsing_ends(harness: LedgerHarness) -> None:
    harness.make()
    list_version, _ = harness.catalog.accept_list("c1", object_key="1.csv", size=9, filename="", email_column="email")
    assert harness.controls.start("c1") == Status.PARSING
    parsing = Parsing(harness.redis, "c1", list_version)
    assert parsing.finish(scanned(b"email\na@b.test\n")) == Status.RUNNING
    assert harness.report().started_at is not None


def test_deleting_a_campaign_leaves_nothing_behind(harness: LedgerHarness) -> None:
    harness.start()
    with pytest.raises(WrongState, match="running"):
        harness.catalog.delete("c1")
    (batch,) = harness.batches()
    harness.admit(batch)
    harness.controls.pause("c1")
    with pytest.raises(WrongState, match="in flight"):
        harness.catalog.delete("c1")
    harness.settle(batch, batch.rows[:9], "accepted")
    harness.settle(batch, batch.rows[9:], "throttled")
    harness.catalog.delete("c1")
    assert not harness.redis.keys("postrider:{c1}:*")
    assert harness.catalog.newest(0, 10) == ([], 0)


def test_uploads_under_way_are_recorded(harness: LedgerHarness) -> None:
    upload = Upload(
        "u1", "key", 100, "list.csv", 8 << 20, 1, created_at="2026-01-01T00:00:00Z", expires_at="2026-01-02T00:00:00Z"
    )
    harness.catalog.begin_upload("c1", upload)
    assert harness.catalog.upload("c1", "u1") == upload
    assert harness.catalog.uploads("c1") == [upload]
    harness.catalog.end_upload("c1", "u1")
    with pytest.raises(UnknownUpload):
        harness.catalog.upload("c1", "u1")
