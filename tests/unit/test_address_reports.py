"""Providers' reports change the suppression list: exact, in any order, repeated, and in few round trips."""

from __future__ import annotations

import itertools
import time

import pytest
from redis import Redis

from campaigns import keys
from campaigns.db.scripts import Scripts
from consent.address_reports import AddressReports
from consent.records import AddressReport, Change, Reason
from consent.suppressions import Suppressions
from tests.support.doubles.object_store import MemoryStore
from tests.support.ledger_harness import Exchanges
from tests.support.lua_settings import change_setting
from tests.support.suppressions import NAMES, suppressions

ANN = "ann@x.test"
T = 1_700_000_000_000


@pytest.fixture
def listed(fake_redis: Redis) -> Suppressions:
    return suppressions(fake_redis, MemoryStore())


@pytest.fixture
def reports(fake_redis: Redis, listed: Suppressions) -> AddressReports:
    return AddressReports(Scripts(fake_redis), NAMES, listed)


def kinds(found: Suppressions, address: str = ANN) -> list[str]:
    return [record.what for record in found.find(address)]


@pytest.mark.parametrize("reason", list(Reason))
def test_a_report_stops_the_address_as_its_reason_says(
    reports: AddressReports, listed: Suppressions, reason: Reason
) -> None:
    taken = reports.apply([AddressReport("Ann@X.test", reason, T)])
    assert (taken.added, taken.resubscribed) == (1, 0)
    assert listed.contains(ANN)
    assert listed.contains(ANN, marketing=False) == (reason in {Reason.BOUNCED, Reason.COMPLAINED})
    [record] = listed.find(ANN)
    assert (record.what, record.at_ms, record.address) == (reason, T, ANN)


def test_a_repeated_report_changes_nothing(reports: AddressReports, listed: Suppressions) -> None:
    for added in (4, 0, 0):
        assert reports.apply([AddressReport(ANN, reason, T) for reason in Reason] * 2).added == min(added, 3)
    assert kinds(listed) == ["unsubscribed", "complained", "manual"]


def test_who_subscribes_again_gets_marketing_again_and_bounces_and_entries_by_hand_stay(
    reports: AddressReports, listed: Suppressions
) -> None:
    for address, reason in (("a@x.test", Reason.BOUNCED), ("b@x.test", Reason.MANUAL), ("c@x.test", None)):
        if reason:
            listed.add([address], reason)
        reports.apply([AddressReport(address, Reason.UNSUBSCRIBED, T)])
    again = [AddressReport(f"{name}@x.test", Change.RESUBSCRIBED, T + 1000) for name in "abcd"]
    assert reports.apply(again).resubscribed == 3
    assert listed.contains_many(["a@x.test", "b@x.test", "c@x.test", "d@x.test"]) == [True, True, False, False]
    assert [kinds(listed, f"{name}@x.test") for name in "abcd"] == [
        ["bounced", "resubscribed"], ["manual", "resubscribed"], ["resubscribed"], [],
    ]  # fmt: skip
    listed.flush()
    assert {record.address: record.what for record in listed.stream()} == {"a@x.test": "bounced", "b@x.test": "manual"}


def test_a_report_that_comes_late_does_not_undo_a_later_decision(reports: AddressReports, listed: Suppressions) -> None:
    """Given unsubscribed at 1 s, subscribed again at 2 s, and unsubscribed by a link now, when the reports of the first
    two come once more, in any order, then the last one counts.
    """
    first = AddressReport(ANN, Reason.UNSUBSCRIBED, T + 1000)
    second = AddressReport(ANN, Change.RESUBSCRIBED, T + 2000)
    for order in itertools.permutations([first, second, first, second]):
        for one in order:
            reports.apply([one])
        assert not listed.contains(ANN)
    number = listed.hash_of(ANN)
    assert number is not None
    listed.add_hash(number, Reason.UNSUBSCRIBED)
    for one in (second, first, second):
        reports.apply([one])
    assert listed.contains(ANN)


def test_at_the_same_time_unsubscribed_counts(reports: AddressReports, listed: Suppressions) -> None:
    both = [AddressReport(ANN, Change.RESUBSCRIBED, T), AddressReport(ANN, Reason.UNSUBSCRIBED, T)]
    for one in [*both, *reversed(both)]:
        reports.apply([one])
    assert listed.contains(ANN)


def test_a_clock_that_is_ahead_does_not_decide_the_future(reports: AddressReports, listed: Suppressions) -> None:
    ahead = int(time.time() * 1000) + 3_600_000
    reports.apply([AddressReport(ANN, Change.RESUBSCRIBED, ahead)])
    number = listed.hash_of(ANN)
    assert number is not None
    listed.add_hash(number, Reason.UNSUBSCRIBED)
    assert listed.contains(ANN)


def test_the_decisions_that_redis_keeps_are_bounded_and_what_is_forgotten_stays_unsubscribed(
    fake_redis: Redis, reports: AddressReports, listed: Suppressions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given more decisions than Redis keeps, when a report from before those that it keeps says "subscribed again",
    then the address stays unsubscribed.
    """
    kept = 50
    change_setting(monkeypatch, "SUPPRESSION_DECISIONS", kept)
    people = [f"r{number}@x.test" for number in range(kept + 10)]
    reports.apply([AddressReport(one, Reason.UNSUBSCRIBED, T + number) for number, one in enumerate(people)])
    assert fake_redis.zcard(f"{keys.SUPPRESSIONS}:decisions") == kept
    assert reports.apply([AddressReport(people[0], Change.RESUBSCRIBED, T + 5)]).resubscribed == 0
    assert reports.apply([AddressReport(people[0], Change.RESUBSCRIBED, T + 15)]).resubscribed == 1
    assert listed.contains_many(people[:2]) == [False, True]


def test_what_is_no_address_is_left_out(reports: AddressReports, fake_redis: Redis) -> None:
    odd = ["", "x", "\ud83d@x.test", "a@b", "a@b c.test", "x" * 100_000 + "@x.test", "\x00@x.test"]
    assert reports.apply([AddressReport(one, Reason.BOUNCED) for one in odd]).added == 0
    assert fake_redis.keys(f"{keys.SUPPRESSIONS}*") == []


def test_a_thousand_reports_take_few_round_trips(fake_redis: Redis, reports: AddressReports) -> None:
    reports.apply([AddressReport(ANN, Reason.BOUNCED), AddressReport(ANN, Change.RESUBSCRIBED)])
    some = [AddressReport(f"r{number}@x.test", Reason.BOUNCED) for number in range(999)]
    with Exchanges(fake_redis) as exchanges:
        assert reports.apply([*some, AddressReport(ANN, Change.RESUBSCRIBED)]).added == 999
    assert exchanges.count <= 2
