"""The screening of a whole list on a real Valkey: exact whatever it costs, and seldom a question to Redis."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from redis import Redis

from campaigns import keys
from consent import intset
from consent.hash_filter import HashFilter
from consent.records import Reason
from consent.suppressions import Suppressions
from tests.support.doubles.object_store import MemoryStore
from tests.support.suppressions import suppressions

MANY = 10**9
NUMBERS = st.integers(-(2**63), 2**63 - 1)
PEOPLE = [f"r{number}@x.test" for number in range(3_000)]
OTHERS = [f"s{number}@x.test" for number in range(3_000)]


@pytest.fixture
def listed(server: Redis) -> Suppressions:
    found = suppressions(server, MemoryStore())
    found.add(PEOPLE[:1_000], Reason.UNSUBSCRIBED)
    found.add(PEOPLE[1_000:], Reason.BOUNCED)
    return found


@pytest.mark.parametrize("expected", [0, MANY])
def test_a_screening_is_exact(listed: Suppressions, expected: int) -> None:
    """Given a list asked address by address, or read into the bitmap, then marketing and other email get what is so."""
    marketing = listed.screening(marketing=True, expected=expected)
    other = listed.screening(marketing=False, expected=expected)
    for start in range(0, 3_000, 500):
        people, others = PEOPLE[start : start + 500], OTHERS[start : start + 500]
        assert marketing.suppressed([*people, *others]) == [True] * 500 + [False] * 500
        assert other.suppressed([*people, *others]) == [start >= 1_000] * 500 + [False] * 500


def test_one_address_at_a_time_is_exact_too(listed: Suppressions) -> None:
    screening = listed.screening(expected=MANY)
    assert [screening.suppressed([one])[0] for one in (PEOPLE[0], OTHERS[0], PEOPLE[-1])] == [True, False, True]
    assert screening.suppressed([]) == []


def test_a_long_list_seldom_asks_redis(listed: Suppressions, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given 100,000 addresses, then Redis is asked about fewer than 1 in 100, and about no more for a short list."""
    asked: list[int] = []
    which = listed.which

    def counted(hashes: Any, *, marketing: bool) -> list[bool]:
        asked.append(len(hashes))
        return which(hashes, marketing=marketing)

    monkeypatch.setattr(listed, "which", counted)
    screening = listed.screening(expected=100_000)
    for start in range(0, 100_000, 1_000):
        screening.suppressed([f"t{number}@x.test" for number in range(start, start + 1_000)])
    assert sum(asked) < 1_000
    short = listed.screening(expected=100)
    asked.clear()
    short.suppressed(OTHERS[:100])
    assert asked == [100]


def test_entries_that_move_while_they_are_read_are_found(
    server: Redis, listed: Suppressions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given buckets that are split after they were counted and before they are read, then no entry is missed."""
    monkeypatch.setattr("consent.screening.BUCKETS", 2)
    members, more = listed.members, iter(range(10**6))

    def growing(*place: Any) -> Iterator[array[int]]:
        number = next(more)
        if number < 12:
            suppressions(server, MemoryStore()).add(
                [f"new{number}-{one}@x.test" for one in range(300)], (Reason.MANUAL, Reason.BOUNCED)[number % 2]
            )
        return members(*place)

    monkeypatch.setattr(listed, "members", growing)
    screening = listed.screening(expected=MANY)
    assert all(screening.suppressed(PEOPLE))
    assert not any(screening.suppressed(OTHERS))


def test_a_server_whose_dumps_cannot_be_read_gives_texts(listed: Suppressions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intset, "integers", lambda _dump: None)
    assert all(listed.screening(expected=MANY).suppressed(PEOPLE))


@pytest.mark.usefixtures("listed")
def test_this_server_dumps_sets_that_can_be_read(server: Redis) -> None:
    """Given buckets of the list, then a dump tells what SMEMBERS tells: it is the fast way, and it is taken."""
    buckets = list(server.scan_iter(f"{keys.SUPPRESSIONS}:*:*", count=10_000))
    assert len(buckets) > 10
    for bucket in buckets:
        found = intset.integers(server.dump(bucket) or b"")
        assert found is not None
        assert sorted(found) == sorted(map(int, server.smembers(bucket)))


@settings(max_examples=50, deadline=None)
@given(numbers=st.sets(NUMBERS, min_size=1, max_size=300))
def test_a_dump_is_read_right_or_not_at_all(server_url: str, numbers: set[int]) -> None:
    """Given any set of integers, small or packed ones among them."""
    with Redis.from_url(server_url) as client:
        client.delete("numbers")
        client.sadd("numbers", *numbers)
        found = intset.integers(client.dump("numbers") or b"")
    assert found is None or set(found) == numbers


@pytest.mark.parametrize("dump", [b"", b"\x0b", b"\x0b\xc3\x10\x10abc", b"\x00\x05hello" + bytes(10), b"\x0b\x02\x08"])
def test_other_dumps_are_not_read(dump: bytes) -> None:
    assert intset.integers(dump) is None


@given(
    members=st.lists(NUMBERS, max_size=200),
    others=st.lists(NUMBERS, max_size=200),
    entries=st.sampled_from([0, 200, 100_000, 10**7]),
)
@settings(max_examples=20, deadline=None)
def test_the_bitmap_never_rules_out_a_member(members: list[int], others: list[int], entries: int) -> None:
    found = HashFilter(entries)
    found.add(array("q", members))
    mixed = array("q", [*members, *others])
    assert set(range(len(members))) <= set(found.candidates(mixed))


@pytest.mark.parametrize(
    ("entries", "size", "most"), [(100_000, 2**19, 0.04), (300_000, 2**21, 0.04), (9, 2**16, 0.01)]
)
def test_the_bitmap_rules_out_nearly_all_others(entries: int, size: int, most: float) -> None:
    found = HashFilter(entries)
    found.add(_spread(entries, 0x9E3779B97F4A7C15))
    assert len(found) == size
    assert len(found.candidates(_spread(20_000, 0xD1B54A32D192ED03))) <= most * 20_000


@pytest.mark.parametrize(("entries", "size"), [(10**6, 2**22), (10**7, 2**24), (10**9, 2**24)])
def test_the_bitmap_is_bounded(entries: int, size: int) -> None:
    assert len(HashFilter(entries)) == size


def _spread(count: int, factor: int) -> array[int]:
    return array("q", (number * factor % 2**63 for number in range(1, count + 1)))
