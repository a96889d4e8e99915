"""apply_events.lua: a provider's events settle rows without an end, and each row counts once per kind of event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from redis import ResponseError

from campaigns import keys
from campaigns.db.scripts import Call
from campaigns.event_kinds import Event, EventKind, Unattributed, Why
from campaigns.events import CALLS, GROUP, EventsRecorded, ProviderEvents
from campaigns.models import OnUnknown, RowState, Status, StatusReport, UnknownDecision
from tests.support.ledger_harness import RESEND_QUIET_S, Batch, Clock, Exchanges, LedgerHarness

PROOFS = [kind for kind in EventKind if kind is not EventKind.DROPPED]
MARKS = {"delivered", "bounced", "complained", "unsubscribed"}


def sending(harness: LedgerHarness, rows: int = 3, **options: Any) -> Batch:
    """A campaign whose only batch is in flight."""
    harness.start(rows=rows, **options)
    (batch,) = harness.batches()
    harness.admit(batch)
    return batch


def tell(
    harness: LedgerHarness, kind: EventKind, *rows: int, reason: str = "", campaign_id: str = "c1"
) -> EventsRecorded:
    return ProviderEvents(harness.redis).apply(Event(campaign_id, row, kind, reason) for row in rows)


def counted(report: StatusReport) -> tuple[int, int, int, int]:
    return report.delivered, report.bounced, report.complained, report.unsubscribed


@pytest.mark.parametrize("kind", PROOFS)
def test_an_event_that_proves_acceptance_settles_an_unknown_row_as_done(
    harness: LedgerHarness, kind: EventKind
) -> None:
    batch = sending(harness)
    harness.settle(batch, [1, 2], "accepted")
    harness.settle(batch, [3], "unknown", reason="no answer")
    assert tell(harness, kind, 3) == EventsRecorded(1, 1, [])  # the campaign is completed already
    report = harness.report()
    assert (report.done, report.unknown, report.pending, report.status) == (3, 0, 0, Status.COMPLETED)
    assert counted(report) == tuple(
        int(kind == name) for name in ("delivered", "bounced", "complained", "unsubscribed")
    )
    assert harness.ledger.reasons("c1", [3]) == {}


def test_an_unknown_row_that_the_provider_dropped_fails_with_the_providers_reason(harness: LedgerHarness) -> None:
    batch = sending(harness)
    harness.settle(batch, [3], "unknown")
    assert tell(harness, EventKind.DROPPED, 3, reason="Bounced Address") == EventsRecorded(1, 1, [])
    report = harness.report()
    assert (report.failed, report.unknown, counted(report)) == (1, 0, (0, 0, 0, 0))
    assert harness.ledger.reasons("c1", [3]) == {3: "Bounced Address"}


@pytest.mark.parametrize(
    ("late", "verdict"),
    [("accepted", "done"), ("unknown", "gone"), ("unavailable", "gone"), ("rejected", "gone"), ("throttled", "gone")],
)
def test_an_event_that_arrives_before_the_response_settles_and_the_response_changes_nothing(
    harness: LedgerHarness, late: str, verdict: str
) -> None:
    batch = sending(harness)
    tell(harness, EventKind.DELIVERED, 1)
    assert (harness.report().done, harness.report().in_flight) == (1, 2)
    assert harness.settle(batch, [1], late) == [verdict]
    report = harness.report()
    assert (report.done, report.failed, report.unknown, report.in_flight) == (1, 0, 0, 2)
    assert harness.admit(batch).granted == frozenset()


def test_a_late_acceptance_settles_a_dropped_row_as_done(harness: LedgerHarness) -> None:
    """The result is the same as if the response had come first."""
    batch = sending(harness)
    tell(harness, EventKind.DROPPED, 1, reason="Invalid")
    assert harness.report().failed == 1
    assert harness.settle(batch, [1], "accepted") == ["done"]
    report = harness.report()
    assert (report.done, report.failed, report.in_flight) == (1, 0, 2)


def test_the_claim_of_a_settled_row_leaves_nothing_behind_when_its_worker_dies(
    harness: LedgerHarness, clock: Clock
) -> None:
    sending(harness)
    tell(harness, EventKind.ACCEPTED, 1, 2)
    harness.outlive(clock, 20_000, "w2")
    harness.reconciler.reconcile(harness.catalog.get("c1"))
    report = harness.report()
    assert (report.done, report.unknown, report.status) == (2, 1, Status.COMPLETED)


def test_an_event_settles_a_row_that_awaits_a_retry_and_the_row_is_not_sent_again(
    harness: LedgerHarness, clock: Clock
) -> None:
    """Given a provider that answered 503 and accepted the email nevertheless."""
    batch = sending(harness)
    assert harness.settle(batch, batch.rows, "unreachable", reason="reset") == ["requeue"] * 3
    assert tell(harness, EventKind.ACCEPTED, 1, 2).settled == 2
    clock.advance(10_000)
    harness.settle(batch, [3], "accepted")
    assert harness.drain() == []
    assert harness.report().done == 3


def test_an_event_of_the_first_email_settles_a_row_that_is_to_be_resent(harness: LedgerHarness, clock: Clock) -> None:
    batch = sending(harness, 2, on_unknown=OnUnknown.RESEND)
    harness.settle(batch, [1], "accepted")
    harness.settle(batch, [2], "unknown", reason="no answer")
    clock.advance(RESEND_QUIET_S * 1000)
    harness.dispatch()
    harness.reconciler.reconcile(harness.catalog.get("c1"))
    assert (harness.report().unknown, harness.report().pending) == (0, 1)
    # When the provider's event comes before the second send
    assert tell(harness, EventKind.DELIVERED, 2) == EventsRecorded(1, 1, ["c1"])
    assert harness.report().status == Status.COMPLETED
    # Then there is no second send
    assert harness.drain() == []


def test_an_event_that_settles_the_last_row_completes_the_campaign(harness: LedgerHarness) -> None:
    batch = sending(harness, 2, on_unknown=OnUnknown.RESEND)
    harness.settle(batch, [1], "accepted")
    harness.settle(batch, [2], "unknown")
    assert harness.report().status == Status.RUNNING
    assert tell(harness, EventKind.DROPPED, 2).completed == ["c1"]
    assert (harness.report().status, harness.redis.scard(keys.RUNNING)) == (Status.COMPLETED, 0)


@pytest.mark.parametrize("kind", list(EventKind))
def test_a_done_row_stays_done_and_a_failed_row_that_was_accepted_becomes_done(
    harness: LedgerHarness, kind: EventKind
) -> None:
    """Given rows with an end, when an event proves that the provider accepted one, then it is done and is not sent
    again.
    """
    batch = sending(harness)
    harness.settle(batch, [1], "accepted")
    harness.settle(batch, [2], "rejected", reason="400: no")
    taken = kind is not EventKind.DROPPED
    assert tell(harness, kind, 1, 2, reason="dropped") == EventsRecorded(2, int(taken), [])
    report = harness.report()
    assert (report.done, report.failed) == ((2, 0) if taken else (1, 1))
    assert sum(counted(report)) == (2 if kind in MARKS else 0)
    assert harness.ledger.states("c1", 1, 2) == [RowState.DONE, RowState.DONE if taken else RowState.FAILED]
    assert harness.ledger.reasons("c1", [1, 2]) == ({} if taken else {2: "400: no"})


def test_a_repeated_event_counts_once(harness: LedgerHarness) -> None:
    batch = sending(harness)
    harness.settle(batch, batch.rows, "accepted")
    for _ in range(3):
        for kind in EventKind:
            tell(harness, kind, 1, 1, 2)
    assert counted(harness.report()) == (2, 2, 2, 2)
    assert harness.report().dropped == 2


def test_events_do_not_touch_rows_that_were_never_sent(harness: LedgerHarness) -> None:
    """Given a campaign that was deleted and made anew under its id, when events of the old one come late, then no row
    that waits to be sent counts as sent.
    """
    batch = sending(harness, 50)
    harness.settle(batch, batch.rows, "accepted")
    harness.catalog.delete("c1")
    harness.start(rows=100)
    dispatched = harness.batches()
    for kind in EventKind:
        assert tell(harness, kind, *range(1, 200)) == EventsRecorded(
            0, 0, [], {Unattributed(kind, Why.UNKNOWN_ROW): 199}
        )
    assert counted(harness.report()) == (0, 0, 0, 0)
    assert sorted(row for one in dispatched for row in harness.admit(one).granted) == list(range(1, 101))


def test_events_without_a_campaign_or_a_row_change_nothing_and_are_counted(harness: LedgerHarness) -> None:
    batch = sending(harness)
    harness.settle(batch, batch.rows, "accepted")
    before = set(harness.redis.keys())
    gone, row = (Unattributed("delivered", why) for why in (Why.UNKNOWN_CAMPAIGN, Why.UNKNOWN_ROW))
    assert tell(harness, EventKind.DELIVERED, 1, campaign_id="gone") == EventsRecorded(0, 0, [], {gone: 1})
    impossible = -1, 0, 4, 2**31, 2**32 - 1, 2**32, 2**70
    assert tell(harness, EventKind.DELIVERED, *impossible) == EventsRecorded(0, 0, [], {row: len(impossible)})
    harness.make("c2")
    assert tell(harness, EventKind.DELIVERED, 1, campaign_id="c2") == EventsRecorded(0, 0, [], {row: 1})
    harness.catalog.delete("c2")
    assert tell(harness, EventKind.BOUNCED, 1, campaign_id="c2").events == 0
    assert set(harness.redis.keys()) - before == {keys.UNATTRIBUTED.encode(), keys.HISTORY.encode()}
    assert counted(harness.report()) == (0, 0, 0, 0)
    bounce = Unattributed("bounced", Why.UNKNOWN_CAMPAIGN)
    assert ProviderEvents(harness.redis).unattributed() == {gone: 1, row: 8, bounce: 1}


@pytest.mark.parametrize("order", [("accepted", "dropped"), ("dropped", "accepted")])
def test_a_row_that_the_provider_accepted_and_then_dropped_is_done_and_keeps_the_reason(
    harness: LedgerHarness, order: Sequence[str]
) -> None:
    """Given the provider's 202 and its later report that it dropped the email, in either order, then the row is done,
    since it was handed over, and the drop counts once and keeps its reason.
    """
    batch = sending(harness)
    for what in (*order, "dropped"):
        if what == "accepted":
            harness.settle(batch, batch.rows, "accepted")
        else:
            assert tell(harness, EventKind.DROPPED, 2, reason="Bounced Address").events == 1
    report = harness.report()
    assert (report.done, report.failed, report.dropped, report.status) == (3, 0, 1, Status.COMPLETED)
    assert harness.ledger.drops("c1", [1, 2, 3]) == {2: "Bounced Address"}


def test_a_new_list_starts_without_the_events_of_the_old_one(harness: LedgerHarness) -> None:
    batch = sending(harness)
    harness.settle(batch, batch.rows, "accepted")
    tell(harness, EventKind.DELIVERED, 1, 2)
    harness.catalog.delete("c1")
    assert not harness.redis.keys("*c1*")
    harness.make("c1")
    harness.redis.setbit(keys.of("c1", "delivered"), 1, 1)
    harness.catalog.accept_list("c1", object_key="new", size=9, filename="new", email_column="email")
    assert not harness.redis.exists(keys.of("c1", "delivered"))


def test_an_event_overrules_the_operators_decision(harness: LedgerHarness) -> None:
    batch = sending(harness)
    harness.settle(batch, batch.rows, "unknown")
    harness.reconciler.decide(harness.catalog.get("c1"), UnknownDecision.FAILED)
    tell(harness, EventKind.DELIVERED, 1)
    report = harness.report()
    assert (report.done, report.failed, report.delivered) == (1, 2, 1)


def test_a_batch_for_many_campaigns_takes_few_round_trips_of_bounded_size(
    harness: LedgerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a batch for 60,000 campaigns of which few exist, and one of them with many events."""
    batch = sending(harness, 3)
    harness.settle(batch, batch.rows, "accepted")
    for number in range(1_200):
        harness.redis.zadd(keys.CAMPAIGNS, {f"k{number}": number})
    events = [Event(f"k{number}", 1, EventKind.DELIVERED) for number in range(60_000)]
    events += [Event("c1", number % 3 + 1, EventKind.DELIVERED) for number in range(3_500)]
    provider_events = ProviderEvents(harness.redis)
    sizes: list[tuple[int, int]] = []
    each = provider_events._scripts.each

    def watched(name: str, calls: Sequence[Call]) -> list[Any]:
        sizes.append((len(calls), sum(len(args["events"]) for _, args in calls)))
        return each(name, calls)

    monkeypatch.setattr(provider_events._scripts, "each", watched)
    with Exchanges(harness.redis) as exchanges:
        applied = provider_events.apply(events)
    assert (applied.events, sum(applied.unattributed.values())) == (3_500, 60_000)
    assert all(calls <= CALLS and events <= GROUP for calls, events in sizes)
    # 61 ask which campaigns exist, 3 and 4 record (two more if Redis does not know the script yet), one counts the rest
    assert exchanges.count <= 61 + 3 + 4 + 2 + 1


def test_a_campaign_that_redis_refuses_does_not_hold_up_the_others(harness: LedgerHarness) -> None:
    batch = sending(harness)
    harness.settle(batch, batch.rows, "accepted")
    harness.make("c0")
    harness.redis.set(keys.of("c0", "reasons"), "not a hash")
    events = [Event(campaign_id, 1, EventKind.DELIVERED) for campaign_id in ("c0", "c1")]
    with pytest.raises(ResponseError):
        ProviderEvents(harness.redis).apply(events)
    assert harness.report().delivered == 1
