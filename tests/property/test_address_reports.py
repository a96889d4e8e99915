"""The suppression list does not depend on the order of the providers' reports, nor on how often they come."""

from __future__ import annotations

from random import Random

import fakeredis
from hypothesis import given, strategies as st

from campaigns.db.scripts import Scripts
from consent.address_reports import AddressReports
from consent.records import AddressReport, Change, Reason
from tests.support.doubles.object_store import MemoryStore
from tests.support.suppressions import NAMES, suppressions

PEOPLE = ("ann@x.test", "bob@x.test")
_DECISIONS = {Reason.UNSUBSCRIBED, Change.RESUBSCRIBED}
T = 1_700_000_000_000
REPORTS = st.builds(
    AddressReport,
    st.sampled_from(PEOPLE),
    st.sampled_from([*Reason, Change.RESUBSCRIBED, Change.RESUBSCRIBED, Reason.UNSUBSCRIBED]),
    st.integers(0, 5).map(lambda step: T + 1000 * step),
)


def expected(reports: list[AddressReport], address: str) -> set[str]:
    """The reasons for which the address is on the list, by the times of the reports alone."""
    own = [report for report in reports if report.address == address]
    decisions = [(report.at_ms, report.what is Reason.UNSUBSCRIBED) for report in own if report.what in _DECISIONS]
    found = {report.what for report in own} - _DECISIONS
    if decisions and max(decisions)[1]:
        found.add(Reason.UNSUBSCRIBED)
    return {*map(str, found)}


def simplified(reasons: set[str]) -> set[str]:
    """Of `bounced` and `complained`, which stop the same email, the list keeps the one that came first."""
    return {"all" if reason in {"bounced", "complained"} else reason for reason in reasons}


@given(st.lists(REPORTS, max_size=12), st.randoms(use_true_random=False), st.integers(1, 5), st.booleans())
def test_any_order_and_any_repetition_give_the_same_list(
    reports: list[AddressReport], random: Random, size: int, flushes: bool
) -> None:
    redis = fakeredis.FakeRedis()
    listed = suppressions(redis, MemoryStore())
    subject = AddressReports(Scripts(redis), NAMES, listed)
    told = [*reports, *reports[::2]]
    random.shuffle(told)
    for at in range(0, len(told), size):
        subject.apply(told[at : at + size])
        if flushes:
            listed.flush()
    found: dict[str, set[str]] = {address: set() for address in PEOPLE}
    for record in listed.stream():
        found[record.address].add(record.what)
    for address in PEOPLE:
        reasons = simplified(expected(reports, address))
        assert simplified(found[address]) == reasons
        assert listed.contains(address) == bool(reasons)
        assert listed.contains(address, marketing=False) == ("all" in reasons)
