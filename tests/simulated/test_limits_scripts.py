"""Limits over all campaigns, shares and warm-ups: per account, per recipients' domain, by weight, over time."""

from __future__ import annotations

from collections import Counter

import pytest
from redis import Redis

from campaigns import keys
from campaigns.account_table import AccountTable
from campaigns.models import Content, Ramp, Status
from lists.recipient import Recipient
from tests.support.ledger_harness import PROVIDER, Clock, LedgerHarness
from tests.support.lua_settings import change_setting


def start_mixed(harness: LedgerHarness, addresses: list[str], campaign_id: str = "c1") -> None:
    """A running campaign to these addresses, all prefetched."""
    harness.make(campaign_id, rows=len(addresses))
    harness.controls.start(campaign_id)
    campaign = harness.catalog.get(campaign_id)
    people = [Recipient(row, address, []) for row, address in enumerate(addresses, 1)]
    assert harness.ledger.prefetch(campaign_id, campaign.list_version, 0, len(addresses), people)


def send_for(harness: LedgerHarness, clock: Clock, seconds: int, step_ms: int = 100) -> list[tuple[int, str]]:
    """Send all that is dispatched and admitted within `seconds`, each email accepted at once; return (time in ms,
    address).
    """
    sent = []
    for _ in range(seconds * 1000 // step_ms):
        for batch in harness.batches():
            granted = sorted(harness.admit(batch).granted)
            harness.settle(batch, granted, "accepted")
            sent += [(clock.now_ms, person.address) for person in batch.recipients if person.row in granted]
        clock.advance(step_ms)
    return sent


def most_in_a_minute(times: list[int]) -> int:
    return max((sum(1 for other in times if at <= other <= at + 60_000) for at in times), default=0)


def test_the_accounts_limit_holds_over_all_campaigns(server: Redis, clock: Clock) -> None:
    """Given two campaigns without a limit and an account of 120 per minute, then together they send that, half each."""
    harness = LedgerHarness(server, slots=1000, accounts=AccountTable.single(PROVIDER, 120))
    harness.start("a", rows=500)
    harness.start("b", rows=500)
    sent = send_for(harness, clock, 180, step_ms=250)
    assert most_in_a_minute([at for at, _ in sent]) <= 120
    assert len([at for at, _ in sent if at >= clock.now_ms - 120_000]) >= 0.99 * 240
    assert abs(harness.report("a").done - harness.report("b").done) <= 3


def test_admission_alone_keeps_the_accounts_limit(server: Redis, clock: Clock) -> None:
    harness = LedgerHarness(server, accounts=AccountTable.single(PROVIDER, 5))
    harness.start(rows=4)
    harness.start("b", rows=4)
    loose = LedgerHarness(server)
    batches = loose.batches()
    assert [len(harness.admit(batch).granted) for batch in batches] == [4, 1]
    assert clock.now_ms


def test_a_domain_at_its_limit_lets_the_others_pass(server: Redis, clock: Clock) -> None:
    """Given every other recipient at a domain of 30 per minute, then the others are all sent at once, and those at the
    domain's pace.
    """
    harness = LedgerHarness(server, slots=1000, accounts=AccountTable.single(PROVIDER, domains={"slow.test": 30}))
    start_mixed(harness, [f"r{row}@{'SLOW.test' if row % 2 else 'fast.test'}" for row in range(1, 201)])
    sent = send_for(harness, clock, 10)
    assert sum(address.endswith("fast.test") for _, address in sent) == 100
    sent += send_for(harness, clock, 230, step_ms=250)
    slow = [at for at, address in sent if address.endswith("SLOW.test")]
    assert len(slow) == 100
    assert most_in_a_minute(slow) <= 30
    assert harness.report().status == Status.COMPLETED
    assert int(harness.redis.hget(keys.of("c1", "progress"), "held")) == 0


def test_the_star_limits_each_domain_separately(server: Redis, clock: Clock) -> None:
    harness = LedgerHarness(server, slots=1000, accounts=AccountTable.single(PROVIDER, domains={"*": 6}))
    start_mixed(harness, [f"r{row}@d{row % 10}.test" for row in range(100)])
    sent = send_for(harness, clock, 60)
    by_domain = Counter(address.rpartition("@")[2] for _, address in sent)
    assert len(by_domain) == 10
    assert set(by_domain.values()) <= {5, 6}


def test_admission_alone_keeps_a_domains_limit_and_holds_the_rest(server: Redis, clock: Clock) -> None:
    """Given a batch that was dispatched without the limit, then admission grants what the domain takes and holds the
    others.
    """
    harness = LedgerHarness(server, accounts=AccountTable.single(PROVIDER, domains={"slow.test": 3}))
    start_mixed(harness, [f"r{row}@slow.test" for row in range(10)])
    (batch,) = LedgerHarness(server).batches()
    grant = harness.admit(batch)
    assert (len(grant.granted), len(grant.denied), len(grant.held)) == (3, 0, 7)
    assert harness.batches() == []
    clock.advance(60_301)
    assert [len(harness.admit(again).granted) for again in harness.batches()][:1] == [1]


def test_held_recipients_are_not_lost_and_are_removed_with_the_campaign(server: Redis, clock: Clock) -> None:
    harness = LedgerHarness(server, accounts=AccountTable.single(PROVIDER, domains={"slow.test": 1}))
    start_mixed(harness, [f"r{row}@slow.test" for row in range(10)])
    send_for(harness, clock, 1)
    assert int(harness.redis.hget(keys.of("c1", "progress"), "held")) == 9
    clock.advance(120_000)
    harness.dispatch()
    assert "lost" not in harness.reconciler.reconcile(harness.catalog.get("c1")).found
    harness.controls.cancel("c1")
    assert not harness.redis.keys("*held*")


def test_the_number_of_held_recipients_is_bounded(server: Redis, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a list of one slow domain, then no more recipients than the bound are held, however many are ready."""
    change_setting(monkeypatch, "HELD_MAX", 100)
    harness = LedgerHarness(server, slots=1000, accounts=AccountTable.single(PROVIDER, domains={"slow.test": 60}))
    start_mixed(harness, [f"r{row}@slow.test" for row in range(1000)])
    send_for(harness, clock, 5)
    assert 100 <= int(harness.redis.hget(keys.of("c1", "progress"), "held")) <= 164


def test_a_weight_is_a_share(harness: LedgerHarness) -> None:
    """Given campaigns of weight 1 and 3 that could both send more, then one sends a third of what the other sends."""
    harness.slots = 4
    for campaign_id, weight in (("light", 1), ("heavy", 3)):
        content = Content(from_="a@b.test", subject="s", text="t", tpm=10_000_000, weight=weight)
        harness.make(campaign_id, rows=1000)
        harness.catalog.put(campaign_id, content)
        harness.controls.start(campaign_id)
        harness.prefetch(harness.catalog.get(campaign_id))
    shares = Counter(batch.campaign_id for _ in range(4) for batch in harness.batches())
    assert shares == {"light": 4, "heavy": 12}


def test_a_campaign_that_had_nothing_to_send_does_not_save_up_turns(harness: LedgerHarness, clock: Clock) -> None:
    harness.slots = 2
    harness.start("early", rows=1000)
    harness.start("late", rows=1000)
    harness.controls.pause("late")
    for _ in range(5):
        harness.batches()
        clock.advance(100)
    harness.controls.resume("late")
    assert Counter(batch.campaign_id for _ in range(2) for batch in harness.batches()) == {"early": 2, "late": 2}


def test_a_ramp_raises_the_limit_evenly_and_status_shows_it(harness: LedgerHarness, clock: Clock) -> None:
    content = Content(from_="a@b.test", subject="s", text="t", tpm=800, ramp=Ramp(from_=100, to=1000, over_hours=1))
    harness.make(rows=500)
    harness.catalog.put("c1", content)
    harness.controls.start("c1")
    harness.prefetch(harness.catalog.get("c1"))
    assert (harness.report().limit_now, harness.report().rate_limit) == (100, 800)
    harness.slots = 1000
    assert len(send_for(harness, clock, 60)) <= 115
    clock.advance(29 * 60_000)
    assert harness.report().limit_now == 550
    clock.advance(30 * 60_000)
    assert harness.report().limit_now == 800
