"""The plot of a campaign's run, over hours of a clock that the test sets."""

from __future__ import annotations

from campaigns import keys
from campaigns.throughput import Throughput, start_of
from tests.support.ledger_harness import Clock, LedgerHarness
from tests.support.lua_settings import setting

POINTS = setting("PLOT_POINTS")
POINT_S = setting("PLOT_POINT_S")


def test_each_point_counts_the_outcomes_of_its_time(harness: LedgerHarness, clock: Clock) -> None:
    # Given a campaign at 60 per minute that sends for two points, is halved, and sends again after a break
    harness.start(rows=200, tpm=60)
    plots, sent = Throughput(harness.redis), [0, 0, 0, 0, 0]
    assert plots.plot("c1") is None
    for second in range(20):
        for batch in harness.batches():
            harness.admit(batch)
            harness.settle(batch, batch.rows, "accepted")
            harness.settle(batch, batch.rows, "accepted")  # the same again counts once
            sent[second // POINT_S] += len(batch.rows)
        clock.advance(1_000)
    harness.controls.set_rate("c1", 30)
    clock.advance(2 * POINT_S * 1000)
    for batch in harness.batches():
        for row in sorted(harness.admit(batch).granted):
            harness.settle(batch, [row], "rejected", reason="400")
    # When the plot is read
    plot = plots.plot("c1")
    # Then each point has its emails and the limit of that time
    assert plot is not None
    assert plot.accepted == sent
    assert plot.failed == [0, 0, 0, 0, harness.report().failed]
    assert harness.report().failed > 0
    assert plot.limits == [60, 60, None, None, 30]
    assert start_of(plot) == "2027-01-15T08:00:00.000+00:00"
    # And the marks tell of the changed rate
    assert [entry.event for entry in plots.marks("c1")] == ["started", "rate_changed"]


def test_a_long_run_has_fewer_points_of_more_time_and_loses_no_email(harness: LedgerHarness, clock: Clock) -> None:
    # Given a campaign that sends an email each five minutes, for days
    harness.start(rows=900, tpm=1_000_000)
    harness.prefetch(harness.catalog.get("c1"))
    batches = harness.batches()
    total = 0
    for batch in batches:
        harness.admit(batch)
        for row in batch.rows:
            harness.settle(batch, [row], "accepted" if row % 9 else "rejected", reason="x")
            total += 1
            clock.advance(300_000)
    # When the plot is read
    plot = Throughput(harness.redis).plot("c1")
    # Then it is bounded, and adds up
    assert plot is not None
    report = harness.report()
    assert (sum(plot.accepted), sum(plot.failed)) == (report.done, report.failed)
    assert len(plot.accepted) <= POINTS
    assert plot.interval_s in {POINT_S * 2**k for k in range(1, 12)}
    assert (total - 1) * 300 // plot.interval_s + 1 == len(plot.accepted)
    assert harness.redis.strlen(keys.of("c1", "throughput")) <= 8 + POINTS * 12


def test_a_break_of_months_is_one_step(harness: LedgerHarness, clock: Clock) -> None:
    harness.start(rows=3)
    (batch,) = harness.batches()
    harness.admit(batch)
    harness.settle(batch, [1], "accepted")
    clock.advance(100 * 86_400_000)
    harness.settle(batch, [2], "accepted")
    plot = Throughput(harness.redis).plot("c1")
    assert plot is not None
    assert (plot.accepted[0], plot.accepted[-1], sum(plot.accepted)) == (1, 1, 2)
    assert POINTS // 2 < len(plot.accepted) <= POINTS


def test_breakers_that_open_are_marked(harness: LedgerHarness, clock: Clock) -> None:
    harness.start(rows=100)
    clock.advance(1000)
    batch = harness.batches()[0]
    harness.admit(batch)
    harness.settle(batch, batch.rows[:2], "throttled", reason="429: slow down")
    marks = Throughput(harness.redis).marks("c1")
    assert [(mark.event, mark.reason, mark.details.get("account")) for mark in marks] == [
        ("started", None, None),
        ("breaker_opened", "429: slow down", "default"),
    ]
