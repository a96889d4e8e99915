"""Several provider accounts: each has its own breaker, limits and windows; the half-open start; the fallback."""

from __future__ import annotations

import random
from collections import Counter, defaultdict

import pytest
from redis import Redis

from campaigns import keys
from campaigns.account_table import AccountRule, AccountTable, scope
from campaigns.catalog import Catalog
from campaigns.db.typed_redis import typed
from campaigns.errors import WrongState
from campaigns.ledger import NO_ACCOUNT
from campaigns.models import Status
from tests.support.ledger_harness import PROVIDER, Batch, Clock, LedgerHarness

STEP_MS = 100
FALLBACK_AFTER_S = 10
DEAD = "401: the key is wrong"

DEFAULT = AccountRule("default", PROVIDER)
NEWS = AccountRule("news", "@news")


def table(*rules: AccountRule, domains: dict[str, int] | None = None) -> AccountTable:
    return AccountTable(rules, domains, FALLBACK_AFTER_S)


class Accounts:
    """Takes each granted row through its account, which answers as the test says: outcome and reason by account."""

    def __init__(self, harness: LedgerHarness, clock: Clock, **answers: tuple[str, str]) -> None:
        self.harness = harness
        self.clock = clock
        self.answers = answers
        self.asked: Counter[str] = Counter()
        self.taken: defaultdict[str, list[int]] = defaultdict(list)  # by campaign
        self.through: Counter[tuple[str, str]] = Counter()

    def run(self, seconds: float, worker_id: str = "w1") -> None:
        for _ in range(int(seconds * 1000 / STEP_MS)):
            self.round(worker_id)
            self.clock.advance(STEP_MS)

    def round(self, worker_id: str = "w1") -> None:
        self.harness.dispatch(worker_id)
        for batch in self.harness.take():
            self.send(batch, worker_id)

    def send(self, batch: Batch, worker_id: str = "w1") -> None:
        grant = self.harness.admit(batch, worker_id)
        for row in sorted(grant.granted):
            self.asked[grant.account] += 1
            self.through[batch.campaign_id, grant.account] += 1
            kind, reason = self.answers.get(grant.account, ("accepted", ""))
            if kind == "accepted":
                self.taken[batch.campaign_id].append(row)
            self.harness.settle(batch, [row], kind, worker_id, reason=reason, account=grant.account)


def harness_of(server: Redis, *rules: AccountRule, warm: bool = True, slots: int = 20) -> LedgerHarness:
    return LedgerHarness(server, slots=slots, accounts=table(*rules), warm=warm)


def test_default_keeps_the_keys_of_its_provider_and_no_other_account_can_take_them() -> None:
    assert keys.breaker(scope("default", "sendgrid")) == "postrider:breaker:sendgrid"
    assert keys.breaker(scope("sendgrid", "smtp")) == "postrider:breaker:@sendgrid"


@pytest.mark.parametrize("trouble", ["throttled", "unreachable", "unavailable"])
def test_a_sick_account_costs_campaigns_of_another_one_nothing(server: Redis, clock: Clock, trouble: str) -> None:
    """Given two campaigns on two accounts, one of which takes nothing, then the other one keeps its rate, and the queue
    holds at most one row of the sick account at a time.
    """
    harness = harness_of(server, DEFAULT, NEWS)
    harness.start("sick", rows=900, tpm=600, account="news")
    harness.start("well", rows=900, tpm=600)
    accounts = Accounts(harness, clock, news=(trouble, "503"))
    accounts.run(10)
    accounts.taken.clear()
    for _ in range(100):
        harness.dispatch()
        batches = harness.take()
        assert sum(len(batch.rows) for batch in batches if batch.campaign_id == "sick") <= 1
        for batch in batches:
            accounts.send(batch)
        clock.advance(STEP_MS)
    assert len(accounts.taken["well"]) >= 98
    assert harness.report("well").reason is None
    assert harness.report("sick").reason == "waiting for the provider: 503"


def test_a_throttled_campaign_does_not_open_the_breaker_of_another_account(server: Redis, clock: Clock) -> None:
    harness = harness_of(server, DEFAULT, NEWS)
    harness.start("sick", rows=100, account="news")
    Accounts(harness, clock, news=("throttled", "429")).run(1)
    assert server.hget(NEWS.breaker, "level") is not None
    assert server.hget(DEFAULT.breaker, "level") is None
    assert harness.report("sick").retries > 0


def test_each_account_has_its_own_limit(server: Redis, clock: Clock) -> None:
    harness = harness_of(server, DEFAULT._replace(tpm=60), NEWS._replace(tpm=120))
    harness.start("a", rows=500)
    harness.start("b", rows=500, account="news")
    accounts = Accounts(harness, clock)
    accounts.run(60)
    accounts.asked.clear()
    accounts.run(60)
    assert 59 <= accounts.asked["default"] <= 60
    assert 118 <= accounts.asked["news"] <= 120


def test_domains_are_limited_for_each_account_separately(server: Redis, clock: Clock) -> None:
    harness = LedgerHarness(server, slots=20, accounts=table(DEFAULT, NEWS, domains={"shop.test": 30}))
    harness.start("a", rows=200)
    harness.start("b", rows=200, account="news")
    accounts = Accounts(harness, clock)
    accounts.run(60)
    accounts.asked.clear()
    accounts.run(60)
    assert 29 <= accounts.asked["default"] <= 30
    assert 29 <= accounts.asked["news"] <= 30


# -- half-open first


def test_a_start_sends_one_row_and_the_rest_as_soon_as_it_is_accepted(server: Redis, clock: Clock) -> None:
    harness = harness_of(server, DEFAULT, warm=False)
    harness.start(rows=200)
    [first] = harness.batches()
    assert len(first.rows) == 1
    assert len(harness.admit(first).granted) == 1
    clock.advance(50)
    assert harness.batches() == []
    harness.settle(first, first.rows, "accepted")
    assert sum(len(batch.rows) for batch in harness.batches()) == 199


def test_a_settled_first_row_notifies_the_dispatcher(server: Redis, clock: Clock) -> None:  # noqa: ARG001
    harness = harness_of(server, DEFAULT, warm=False)
    harness.start(rows=10)
    [first] = harness.batches()
    harness.admit(first)
    with typed(server).pubsub(ignore_subscribe_messages=True) as channel:
        channel.subscribe(keys.NOTIFICATIONS)
        channel.get_message(timeout=5)
        harness.settle(first, first.rows, "accepted")
        message = channel.get_message(timeout=5)
    assert message
    assert message["data"] == b"dispatch"


@pytest.mark.parametrize("campaigns", [1, 2, 30])
@pytest.mark.parametrize("workers", [1, 4])
def test_a_dead_key_gets_few_requests_in_any_order_of_steps(
    server: Redis, clock: Clock, campaigns: int, workers: int
) -> None:
    """Given a key that the provider refuses and campaigns of 500 recipients, when they are started, and each paused
    one resumed three times, also after the workers have started again, then the key gets one request per campaign and
    step, and at most three where all campaigns go together.
    """
    harness = harness_of(server, DEFAULT, warm=False, slots=40)
    accounts = Accounts(harness, clock, default=("refused", DEAD))
    ids = [f"c{number}" for number in range(campaigns)]
    for campaign_id in ids:
        harness.start(campaign_id, rows=500)
    for step in range(4):
        for _ in range(30):
            for number in range(workers):
                accounts.round(f"w{number}-{step}")
            clock.advance(STEP_MS)
        assert {harness.report(campaign_id).status for campaign_id in ids} == {Status.PAUSED}
        assert harness.report(ids[0]).reason == DEAD
        assert accounts.asked["default"] <= min(campaigns, 3) + step
        for number in range(workers):
            harness.dispatcher(f"w{number}-{step}").leave()
        clock.advance(random.choice((1_000, 90_000)))
        for campaign_id in ids:
            harness.controls.resume(campaign_id)
    assert accounts.asked["default"] <= 20


def test_new_credentials_are_tried_with_one_row_first(server: Redis, clock: Clock) -> None:
    """Given an account that sends, when its workers start again with another key, then one row tries it."""
    harness = harness_of(server, DEFAULT._replace(fingerprint="aaaa"), warm=False)
    harness.start(rows=500, tpm=600)
    Accounts(harness, clock).run(5)
    renewed = harness_of(server, DEFAULT._replace(fingerprint="bbbb"), warm=False)
    accounts = Accounts(renewed, clock, default=("refused", DEAD))
    accounts.run(5)
    assert accounts.asked["default"] == 1
    assert renewed.report().status is Status.PAUSED


def test_an_account_that_has_accepted_nothing_for_a_minute_is_tried_with_one_row(server: Redis, clock: Clock) -> None:
    harness = harness_of(server, DEFAULT, warm=False)
    harness.start(rows=500, tpm=600)
    accounts = Accounts(harness, clock)
    accounts.run(5)
    harness.outlive(clock, 61_000, "w1")
    harness.take()
    accounts.answers = {"default": ("refused", DEAD)}
    before = accounts.asked["default"]
    for _ in range(3):
        batches = harness.batches()
        for batch in batches:
            accounts.send(batch)
    assert accounts.asked["default"] == before + 1


def test_a_row_that_fails_alone_does_not_keep_the_first_tries_from_the_others(server: Redis, clock: Clock) -> None:
    """Given a first row that the provider always fails, then the next row tries, and all follow."""
    harness = harness_of(server, DEFAULT, warm=False)
    harness.start(rows=50)
    [first] = harness.batches()
    harness.admit(first)
    assert harness.settle(first, first.rows, "unavailable", reason="500") == ["retry"]
    clock.advance(20)
    accounts = Accounts(harness, clock)
    accounts.run(1)
    assert len(accounts.taken["c1"]) == 49


def test_a_refusal_of_one_campaign_alone_leaves_the_others_at_full_speed(server: Redis, clock: Clock) -> None:
    """Given a campaign whose sender the provider refuses, beside one that it accepts, then only the first one pauses,
    after one request.
    """
    harness = harness_of(server, DEFAULT, warm=False)
    harness.start("well", rows=900, tpm=600)
    accounts = Accounts(harness, clock)
    accounts.run(2)
    harness.start("bad", rows=900, tpm=600)
    for _ in range(20):
        harness.dispatch()
        for batch in harness.take():
            accounts.answers = {"default": ("refused", "403")} if batch.campaign_id == "bad" else {}
            accounts.send(batch)
        clock.advance(STEP_MS)
    assert accounts.through["bad", "default"] == 1
    assert harness.report("bad").status is Status.PAUSED
    assert len(accounts.taken["well"]) >= 38


# -- accounts that a process does not know


def test_a_campaign_waits_while_a_living_worker_does_not_know_its_account(server: Redis, clock: Clock) -> None:
    harness = harness_of(server, DEFAULT, NEWS)
    older = harness_of(server, DEFAULT)
    harness.start("c1", rows=100, tpm=600, account="news")
    older.dispatch("old")
    accounts = Accounts(harness, clock)
    accounts.run(5)
    assert accounts.asked == {}
    reason = harness.report("c1").reason
    assert reason
    assert reason.startswith("waiting: the worker old does not know the account news")
    # When the older worker is gone, then the campaign goes on by itself, with every row
    older.dispatcher("old").leave()
    accounts.run(20)
    assert sorted(accounts.taken["c1"]) == list(range(1, 101))
    assert harness.report("c1").reason is None


def test_a_dispatcher_that_does_not_know_the_account_dispatches_nothing_of_it(server: Redis, clock: Clock) -> None:
    harness = harness_of(server, DEFAULT, NEWS)
    harness.start("c1", rows=10, account="news")
    harness.start("c2", rows=10)
    older = harness_of(server, DEFAULT)
    [batch] = older.batches()
    assert batch.campaign_id == "c2"
    assert clock.now_ms


def test_a_worker_that_does_not_know_the_account_puts_the_rows_back(server: Redis, clock: Clock) -> None:
    """Given a batch on the queue, when a worker without the account takes it, then it admits and loses nothing."""
    harness = harness_of(server, DEFAULT, NEWS)
    harness.start("c1", rows=10, account="news")
    [batch] = harness.batches()
    grant = harness_of(server, DEFAULT).admit(batch)
    assert (grant.verdict, grant.account, grant.granted) == (NO_ACCOUNT, "news", frozenset())
    accounts = Accounts(harness, clock)
    accounts.run(2)
    assert sorted(accounts.taken["c1"]) == list(range(1, 11))


# -- the account of a paused campaign


def test_a_paused_campaign_changes_its_account_and_rows_in_flight_end_at_the_old_one(
    server: Redis, clock: Clock
) -> None:
    harness = harness_of(server, DEFAULT, NEWS)
    campaign = harness.start("c1", rows=128)
    first, second = harness.batches()
    assert harness.admit(first).account == "default"
    harness.controls.pause("c1")
    catalog: Catalog = harness.catalog
    content = campaign.content
    content = type(content)(
        **{name: getattr(content, name) for name in content.__struct_fields__} | {"account": "news"}
    )
    changed, created = catalog.put("c1", content)
    assert (changed.content.account_name, changed.status, created) == ("news", Status.PAUSED, False)
    harness.controls.resume("c1")
    # Given rows in flight at the old account, when it throttles them, then its breaker opens, not that of the new one
    harness.settle(first, first.rows[:1], "throttled", reason="429", account="default")
    assert server.hget(DEFAULT.breaker, "level") == b"1"
    harness.settle(first, first.rows[1:], "accepted", account="default")
    grant = harness.admit(second)
    assert (grant.account, len(grant.granted)) == ("news", 64)
    harness.settle(second, second.rows, "accepted", account="news")
    accounts = Accounts(harness, clock)
    accounts.run(2)
    assert accounts.through == {("c1", "news"): 1}
    assert harness.report("c1").done == 128


def test_nothing_but_the_account_changes_while_a_campaign_is_paused(server: Redis, clock: Clock) -> None:  # noqa: ARG001
    harness = harness_of(server, DEFAULT, NEWS)
    content = harness.start("c1").content
    fields = {name: getattr(content, name) for name in content.__struct_fields__}
    for state, more in (("running", {}), ("paused", {"subject": "Other"})):
        if state == "paused":
            harness.controls.pause("c1")
        with pytest.raises(WrongState, match="only `account` can"):
            harness.catalog.put("c1", type(content)(**fields | {"account": "news"} | more))
    assert harness.catalog.get("c1").content == content


# -- the fallback


def failing_over(server: Redis) -> LedgerHarness:
    return harness_of(server, DEFAULT, NEWS._replace(fallback="default"))


@pytest.mark.parametrize(
    "trouble", [("throttled", "429"), ("unreachable", "down"), ("unavailable", "503"), ("refused", DEAD)]
)
def test_the_fallback_sends_while_the_account_is_sick_and_hands_back_when_it_is_well(
    server: Redis, clock: Clock, trouble: tuple[str, str]
) -> None:
    """Given a campaign on a sick account with a fallback, then single rows try the account, everything else goes
    through the fallback once the breaker has been open for FALLBACK_AFTER_S, and all of it through the account once
    that is well.
    """
    harness = failing_over(server)
    harness.start("c1", rows=1000, tpm=600, account="news")
    accounts = Accounts(harness, clock, news=trouble)
    accounts.run(FALLBACK_AFTER_S)
    assert accounts.asked["default"] == 0
    accounts.run(5)
    accounts.asked.clear()
    accounts.run(20)
    assert accounts.asked["default"] >= 190
    assert 1 <= accounts.asked["news"] <= 10
    reason = harness.report("c1").reason
    assert reason == f"sending through default, because news takes no emails: {trouble[1]}"
    accounts.answers.clear()
    # A refused account is tried at growing intervals, the last one here being up to 32 s
    accounts.run(35 if trouble[0] == "refused" else 5)
    accounts.asked.clear()
    accounts.run(20)
    assert accounts.asked["default"] == 0
    assert accounts.asked["news"] >= 190
    assert harness.report("c1").reason is None
    accounts.run(30)
    taken = accounts.taken["c1"]
    assert len(taken) == len(set(taken))
    assert harness.report("c1").done == len(taken)


def test_the_fallback_keeps_its_own_limit_and_breaker(server: Redis, clock: Clock) -> None:
    harness = harness_of(server, DEFAULT._replace(tpm=60), NEWS._replace(fallback="default"))
    harness.start("own", rows=500, tpm=600)
    harness.start("c1", rows=500, tpm=600, account="news")
    accounts = Accounts(harness, clock, news=("unreachable", "down"))
    accounts.run(75)
    accounts.asked.clear()
    accounts.run(60)
    assert 55 <= accounts.asked["default"] <= 60
    assert accounts.through["own", "default"] > 30
    assert accounts.through["c1", "default"] > 10
    # And when the fallback is sick too, then nothing goes through it but single tries
    accounts.answers["default"] = ("unreachable", "down too")
    accounts.run(10)
    accounts.asked.clear()
    accounts.run(20)
    assert accounts.asked["default"] <= 12


def test_two_accounts_stand_in_for_each_other_and_wait_for_themselves_while_both_are_sick(
    server: Redis, clock: Clock
) -> None:
    # Given two accounts that are each other's fallback, with a campaign each
    harness = harness_of(server, DEFAULT._replace(fallback="news"), NEWS._replace(fallback="default"))
    harness.start("own", rows=2_000, tpm=600)
    harness.start("c1", rows=2_000, tpm=600, account="news")
    accounts = Accounts(harness, clock)
    # When one is sick, then the other one sends for both
    accounts.answers["news"] = ("unreachable", "down")
    accounts.run(FALLBACK_AFTER_S + 10)
    assert accounts.through["c1", "default"] > 20
    # When both are sick, then each gets single tries, and each campaign says what it waits for
    accounts.answers["default"] = ("unreachable", "down too")
    accounts.run(FALLBACK_AFTER_S + 10)
    accounts.asked.clear()
    accounts.run(20)
    assert 1 <= accounts.asked["default"] <= 12
    assert 1 <= accounts.asked["news"] <= 12
    # When the one is well again, then it sends for both; and when both are, each campaign goes through its own
    del accounts.answers["news"]
    accounts.run(10)
    accounts.through.clear()
    accounts.run(10)
    assert min(accounts.through["own", "news"], accounts.through["c1", "news"]) > 50
    accounts.answers.clear()
    accounts.run(10)
    accounts.through.clear()
    accounts.run(10)
    assert set(accounts.through) == {("own", "default"), ("c1", "news")}


def test_rows_with_an_unknown_outcome_stay_where_they_are(server: Redis, clock: Clock) -> None:
    harness = failing_over(server)
    harness.start("c1", rows=30, tpm=600, account="news")
    accounts = Accounts(harness, clock, news=("unknown", "no answer"))
    accounts.run(3)
    lost = harness.report("c1").unknown
    assert lost >= 20
    accounts.run(60)
    report = harness.report("c1")
    assert report.unknown >= lost
    assert report.unknown + len(accounts.taken["c1"]) == 30
    assert report.status is Status.COMPLETED


def test_accounts_flap_at_random_and_each_row_is_accepted_once(server: Redis, clock: Clock) -> None:
    """Given two campaigns on two accounts that back one another up in a chain and that fail at random, with three
    workers, then each row is accepted exactly once.
    """
    chance = random.Random(7)
    rules = (DEFAULT, NEWS._replace(fallback="default"), AccountRule("bills", "@bills", fallback="news"))
    harness = harness_of(server, *rules, warm=False)
    for number, account in enumerate(("news", "bills", "default")):
        harness.start(f"c{number}", rows=300, tpm=1200, account=account)
    accounts = Accounts(harness, clock)
    kinds = [("throttled", "429"), ("unreachable", "down"), ("unavailable", "503"), ("accepted", "")]
    for _ in range(60):
        accounts.answers = {rule.name: chance.choice(kinds) for rule in rules}
        accounts.run(chance.uniform(0.2, 6), f"w{chance.randrange(3)}")
        for number in range(3):
            if harness.report(f"c{number}").status is Status.PAUSED:
                harness.controls.resume(f"c{number}")
    accounts.answers = {}
    accounts.run(120)
    for number in range(3):
        taken = accounts.taken[f"c{number}"]
        assert len(taken) == len(set(taken))
        report = harness.report(f"c{number}")
        # What the provider failed while it worked for others waits for Dramatiq's retry, which nobody plays here
        assert report.done == len(taken)
        assert report.pending + report.done == 300


# -- the workers' slots


def test_an_account_takes_at_most_three_quarters_of_the_slots_while_another_one_has_something(
    server: Redis, clock: Clock
) -> None:
    """Given an account whose batches never end, then a quarter of the slots is left to the other one."""
    harness = harness_of(server, DEFAULT, NEWS, slots=8)
    harness.start("sick", rows=1000, account="news")
    harness.start("well", rows=500, tpm=600)
    kept = []
    for _ in range(30):
        harness.dispatch()
        for batch in harness.take():
            grant = harness.admit(batch)
            if grant.account == "news":
                kept.append(batch)
            else:
                harness.settle(batch, sorted(grant.granted), "accepted")
                harness.ledger.close_batch(batch.campaign_id, batch.batch_id)
        clock.advance(STEP_MS)
    assert len(kept) == 6
    assert harness.report("well").done >= 28
    # And each batch that ends makes room for one more
    harness.settle(kept[0], kept[0].rows, "accepted", account="news")
    harness.ledger.close_batch("sick", kept[0].batch_id)
    assert sum(batch.campaign_id == "sick" for batch in harness.batches()) == 1


def test_an_account_that_is_alone_takes_all_slots(server: Redis, clock: Clock) -> None:
    harness = harness_of(server, DEFAULT, NEWS, slots=8)
    harness.start("c1", rows=1000, account="news")
    assert len(harness.batches()) == 8
    assert clock.now_ms
