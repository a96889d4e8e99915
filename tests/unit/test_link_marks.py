"""Unsubscriptions by Postrider's own link count in the campaign of the email, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from redis import ConnectionError as RedisConnectionError, Redis

from campaigns import keys
from campaigns.event_kinds import Event, EventKind
from campaigns.events import ProviderEvents
from campaigns.link_marks import LinkMarks, list_name
from campaigns.models import Brake, Status
from consent.links import Links, mark_of
from tests.support.app_harness import AppHarness
from tests.support.doubles.web import Web
from tests.support.ledger_harness import Batch, LedgerHarness

KEY = "k" * 32


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    return AppHarness(fake_redis, {"SECRET_KEY": KEY})


def mark(app: AppHarness, campaign_id: str = "c1") -> bytes:
    return mark_of(list_name(campaign_id, app.harness.catalog.get(campaign_id).list_version))


def unsubscribe(app: AppHarness, of_list: bytes, *rows: int) -> list[int]:
    """Post to the links of rows, as mailboxes somewhere do. Returns the status codes."""
    web = Web(app.starlette, ("192.0.2.7", 50_000), {"Host": "links.example.com"})
    hash_of = app.starlette.state.components.suppressions.hash_of
    tokens = [Links(KEY).token(of_list, row, hash_of(f"r{row}@shop.test")) for row in rows]
    return [web.post(f"/u/{token}", b"List-Unsubscribe=One-Click").status for token in tokens]


def sending(harness: LedgerHarness, rows: int = 3, **options: Any) -> Batch:
    """A campaign whose only batch is in flight."""
    harness.start(rows=rows, **options)
    (batch,) = harness.batches()
    harness.admit(batch)
    return batch


def marks(app: AppHarness) -> dict[bytes, bytes]:
    found: Any = app.redis.hgetall(keys.LINK_MARKS)
    return dict(found)


def test_a_recipient_counts_once_together_with_the_providers_event(app: AppHarness) -> None:
    """Given three emails that were sent, when two recipients unsubscribe, one of them twice and by the provider too."""
    batch = sending(app.harness)
    app.harness.settle(batch, batch.rows, "accepted")
    assert unsubscribe(app, mark(app), 1, 2, 1) == [200] * 3
    app.starlette.state.components.events.apply([Event("c1", 1, EventKind.UNSUBSCRIBED)])
    report = app.harness.report()
    assert (report.unsubscribed, report.done, report.failed) == (2, 3, 0)


def test_an_unknown_row_becomes_done_since_the_email_has_arrived(app: AppHarness) -> None:
    batch = sending(app.harness)
    app.harness.settle(batch, [1, 2], "accepted")
    app.harness.settle(batch, [3], "unknown")
    assert unsubscribe(app, mark(app), 3) == [200]
    report = app.harness.report()
    assert (report.unsubscribed, report.done, report.unknown, report.status) == (1, 3, 0, Status.COMPLETED)


def test_a_row_that_was_never_handed_to_the_provider_stays_as_it_is(app: AppHarness) -> None:
    app.harness.make(rows=3)
    assert unsubscribe(app, mark(app), 1) == [200]
    report = app.harness.report()
    assert (report.unsubscribed, report.done, report.pending) == (0, 0, 3)
    assert app.starlette.state.components.suppressions.contains("r1@shop.test")


def test_a_row_that_the_unsubscription_has_stopped_is_not_taken_for_sent(app: AppHarness) -> None:
    """Given a row that admission fails as suppressed between the two steps of a request, or before its repetition."""
    app.harness.start(rows=3)
    (batch,) = app.harness.batches()
    assert unsubscribe(app, mark(app), 1) == [200]
    assert app.harness.admit(batch).granted == {2, 3}
    assert app.harness.ledger.reasons("c1", [1]) == {1: "suppressed"}
    assert unsubscribe(app, mark(app), 1) == [200]
    report = app.harness.report()
    assert (report.unsubscribed, report.done, report.failed) == (0, 0, 1)
    assert app.harness.ledger.reasons("c1", [1]) == {1: "suppressed"}


def test_links_of_previews_and_test_emails_count_nothing(app: AppHarness) -> None:
    """Given links as samples carry them: with the mark of the campaign's id alone, and row 0 in test emails."""
    batch = sending(app.harness)
    app.harness.settle(batch, batch.rows, "accepted")
    assert unsubscribe(app, mark_of("c1"), 0, 1) == [200] * 2
    assert app.harness.report().unsubscribed == 0
    assert ProviderEvents(app.redis).unattributed() == {}


@pytest.mark.parametrize(("step", "owner"), [("apply", ProviderEvents), ("campaign_of", LinkMarks)])
def test_the_answer_does_not_depend_on_the_count(
    app: AppHarness, monkeypatch: pytest.MonkeyPatch, step: str, owner: type
) -> None:
    """Given a Redis that is away once the list has the address, then the answer is 200; the next request counts."""
    batch = sending(app.harness)
    app.harness.settle(batch, batch.rows, "accepted")

    def away(*_args: object) -> None:
        raise RedisConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, away)
        assert unsubscribe(app, mark(app), 1) == [200]
    assert app.starlette.state.components.suppressions.contains("r1@shop.test")
    assert app.harness.report().unsubscribed == 0
    assert unsubscribe(app, mark(app), 1) == [200]
    assert app.harness.report().unsubscribed == 1


def test_unsubscriptions_do_not_move_the_brake(app: AppHarness) -> None:
    batch = sending(app.harness, 30, brake=Brake(bounce_pct=1, complaint_pct=0.1, after=10))
    app.harness.settle(batch, batch.rows[:29], "accepted")
    assert unsubscribe(app, mark(app), *batch.rows[:29]) == [200] * 29
    report = app.harness.report()
    assert (report.unsubscribed, report.status, report.reason) == (29, Status.RUNNING, None)


def test_a_campaign_has_one_entry_from_the_end_of_parsing_until_it_is_removed(app: AppHarness) -> None:
    """Given lists that replace each other, then the mark of the one in use leads to the campaign, and no other."""
    found: list[bytes] = []
    for csv in (b"email\nann@x.test\n", b"email\nbob@x.test\n"):
        app.make() if not found else None
        app.upload(csv)
        assert len(marks(app)) == len(found)
        app.parse()
        found.append(mark(app))
        assert marks(app) == {found[-1].hex().encode(): b"c1"}
    assert [LinkMarks(app.redis).campaign_of(one) for one in found] == [None, "c1"]
    # When the next list cannot be used
    app.upload(b"name\nAnn\n")
    assert app.parse().status == Status.REJECTED
    assert marks(app) == {}
    app.upload(csv)
    app.parse()
    assert app.web.request("DELETE", "/campaigns/c1").status == 204
    assert marks(app) == {}


@pytest.mark.parametrize("lost", [keys.campaign("c1"), keys.LINK_MARKS])
def test_a_campaign_of_an_earlier_version_counts_nothing(app: AppHarness, lost: str) -> None:
    """Given a list that an earlier version parsed, or a campaign with the id of one that an earlier version deleted."""
    batch = sending(app.harness)
    app.harness.settle(batch, batch.rows, "accepted")
    app.redis.hdel(lost, *_names(app))
    assert unsubscribe(app, mark(app), 1) == [200]
    assert app.harness.report().unsubscribed == 0


def _names(app: AppHarness) -> Sequence[str | bytes]:
    return ["link_mark", *marks(app)]
