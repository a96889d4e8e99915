"""A campaign whose emails the provider fails costs the others nothing. A provider that fails every campaign costs no
recipient an attempt.
"""

from __future__ import annotations

from collections import Counter

import pytest

from campaigns import keys
from tests.support.ledger_harness import PROVIDER, Batch, Clock, LedgerHarness

BREAKER = keys.breaker(PROVIDER)
STEP_MS = 100


class Provider:
    """Accepts or fails what is dispatched, by campaign, step by step: `sent` and `verdicts` are by campaign."""

    def __init__(self, harness: LedgerHarness, clock: Clock, *broken: str) -> None:
        self._harness = harness
        self._clock = clock
        self.broken = set(broken)
        self.failing_share = 0.0
        self._count = 0
        self.sent: Counter[str] = Counter()
        self.verdicts: Counter[str] = Counter()

    def run(self, seconds: int) -> None:
        for _ in range(seconds * 1000 // STEP_MS):
            for batch in self._harness.batches():
                for row in sorted(self._harness.admit(batch).granted):
                    self._answer(batch, row)
            self._clock.advance(STEP_MS)

    def _answer(self, batch: Batch, row: int) -> None:
        self._count += 1
        if batch.campaign_id in self.broken or self._count % 5 < self.failing_share * 5:
            self.verdicts.update(self._harness.settle(batch, [row], "unavailable", reason="500 oops"))
        else:
            self._harness.settle(batch, [row], "accepted")
            self.sent[batch.campaign_id] += 1


@pytest.fixture
def two(harness: LedgerHarness) -> LedgerHarness:
    """Two running campaigns at 600 emails per minute each."""
    harness.slots = 20
    for campaign_id in ("bad", "good"):
        harness.start(campaign_id, rows=900, tpm=600)
    return harness


def level(harness: LedgerHarness, key: str) -> int:
    return int(harness.redis.hget(key, "level") or 0)


def test_a_campaign_that_the_provider_fails_costs_the_others_nothing(two: LedgerHarness, clock: Clock) -> None:
    """Given two campaigns, when the provider accepts one's emails and fails all of the other's, then the first keeps
    its rate, and the other sends one email at a time, at the cost of its own attempts.
    """
    provider = Provider(two, clock, "bad")
    provider.run(30)
    assert provider.sent["good"] >= 0.99 * 300
    assert level(two, BREAKER) == 0
    assert level(two, keys.of("bad", "breaker")) > 0
    assert level(two, keys.of("good", "breaker")) == 0
    assert provider.verdicts.keys() == {"retry"}
    assert 20 <= provider.verdicts["retry"] <= 60
    assert two.report("bad").reason == "waiting for the provider: 500 oops"
    assert two.report("good").reason is None


def test_a_campaign_recovers_once_the_provider_accepts_its_emails_again(two: LedgerHarness, clock: Clock) -> None:
    provider = Provider(two, clock, "bad")
    provider.run(20)
    provider.broken = set()
    provider.run(5)
    before = provider.sent["bad"]
    provider.run(10)
    assert provider.sent["bad"] - before >= 95
    assert two.report("bad").reason is None


def test_a_provider_that_fails_many_emails_of_all_campaigns_is_in_trouble_itself(
    two: LedgerHarness, clock: Clock
) -> None:
    """Given a provider that fails two of five emails of any campaign, then attempts are spent only until that shows."""
    for campaign_id in ("bad", "good"):
        two.controls.set_rate(campaign_id, 1_800)
    provider = Provider(two, clock)
    provider.run(20)
    provider.failing_share = 0.4
    provider.run(30)
    provider.verdicts.clear()
    provider.run(30)
    assert provider.verdicts.keys() == {"requeue"}


def test_trouble_shows_within_seconds_however_many_emails_were_accepted_before(
    two: LedgerHarness, clock: Clock
) -> None:
    """Given so many accepted emails that the first failures are few beside them, then the trouble shows
    nevertheless.
    """
    for campaign_id in ("bad", "good"):
        two.controls.set_rate(campaign_id, 1_800)
    provider = Provider(two, clock)
    provider.run(20)
    provider.broken = {"bad", "good"}
    provider.run(15)
    assert level(two, BREAKER) > 0


def test_a_provider_that_fails_all_emails_does_not_count_as_two_campaigns_in_trouble(
    two: LedgerHarness, clock: Clock
) -> None:
    """Given two campaigns whose emails were all accepted, when the provider fails every one, then its circuit breaker
    opens within seconds, and from then on no attempts are spent.
    """
    provider = Provider(two, clock)
    provider.run(30)
    provider.broken = {"bad", "good"}
    provider.run(15)
    assert level(two, BREAKER) > 0
    before = provider.verdicts["retry"]
    provider.run(30)
    assert provider.verdicts["retry"] == before <= 150
    provider.broken = set()
    provider.run(10)
    assert level(two, BREAKER) == 0


def test_the_trouble_of_the_only_campaign_counts_as_the_providers(harness: LedgerHarness, clock: Clock) -> None:
    """Given no other campaign that could show that the provider is well, then the trouble is the provider's."""
    harness.slots = 20
    harness.start("bad", rows=900, tpm=600)
    Provider(harness, clock, "bad").run(10)
    assert level(harness, BREAKER) > 0
    assert level(harness, keys.of("bad", "breaker")) == 0


@pytest.fixture
def both_probe(two: LedgerHarness, clock: Clock) -> LedgerHarness:
    """A campaign in trouble, and a provider that has asked for a wait: both waits are over."""
    provider = Provider(two, clock, "bad")
    provider.run(20)
    now = {"level": 1, "until": clock.now_ms - 1, "probe_until": 0, "since": clock.now_ms - 5_000}
    for key in (BREAKER, keys.of("bad", "breaker")):
        two.redis.hset(key, mapping=now)
    return two


def test_the_probe_is_a_row_of_a_campaign_without_trouble(both_probe: LedgerHarness) -> None:
    assert [batch.campaign_id for batch in both_probe.batches()] == ["good"]


def test_a_probe_that_fails_through_its_campaigns_trouble_is_followed_by_another(both_probe: LedgerHarness) -> None:
    """Otherwise no row would be admitted for as long as a send may take."""
    both_probe.controls.pause("good")
    (bad,) = both_probe.batches()
    both_probe.controls.resume("good")
    granted = sorted(both_probe.admit(bad).granted)
    assert both_probe.settle(bad, granted, "unavailable") == ["retry"]
    assert level(both_probe, BREAKER) == 1
    (good,) = both_probe.batches()
    assert good.campaign_id == "good"
    assert len(both_probe.admit(good).granted) == 1
