"""The suppression list on a real Valkey against a model: any steps in any order, and buckets that grow."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from redis import Redis

from campaigns import keys
from campaigns.db.scripts import Scripts, with_includes
from campaigns.db.signatures import Signature
from consent import suppressions as module
from consent.records import Reason
from tests.support.doubles.object_store import MemoryStore
from tests.support.suppressions import suppressions

PEOPLE = [f"r{number}@x.test" for number in range(40)]
ADDRESSES = st.lists(st.sampled_from(PEOPLE), max_size=12)
STOP_ALL = {Reason.BOUNCED, Reason.COMPLAINED}


class SuppressionModel(RuleBasedStateMachine):
    """The list beside a dictionary of the reasons of each address."""

    server: Redis

    @initialize()
    def begin(self) -> None:
        self.server.flushall()
        self.store = MemoryStore()
        self.list = suppressions(self.server, self.store)
        self.expected: dict[str, set[Reason]] = {}

    def reasons(self, address: str) -> set[Reason]:
        return self.expected.get(address, set())

    @rule(addresses=ADDRESSES, reason=st.sampled_from(Reason))
    def add(self, addresses: list[str], reason: Reason) -> None:
        new = 0
        for address in addresses:
            if not self.reasons(address) & (STOP_ALL if reason in STOP_ALL else {reason}):
                self.expected.setdefault(address, set()).add(reason)
                new += 1
        assert self.list.add(addresses, reason)[:2] == (new, len(addresses) - new)

    @rule(address=st.sampled_from(PEOPLE))
    def remove(self, address: str) -> None:
        assert self.list.remove(address, "test") == bool(self.expected.pop(address, None))

    @rule()
    def flush(self) -> None:
        self.list.flush()

    @rule()
    def lose_redis(self) -> None:
        self.list.flush()
        self.server.flushall()
        self.list = suppressions(self.server, self.store)
        self.list.restore()

    @rule()
    def restart(self) -> None:
        self.list = suppressions(self.server, self.store)

    @invariant()
    def membership_is_exact(self) -> None:
        for marketing in (True, False):
            stopped = [bool(self.reasons(one) if marketing else self.reasons(one) & STOP_ALL) for one in PEOPLE]
            assert self.list.contains_many(PEOPLE, marketing=marketing) == stopped

    @invariant()
    def records_are_exact(self) -> None:
        streamed = [(record.address, record.what) for record in self.list.stream()]
        assert sorted(streamed) == sorted((one, reason) for one in self.expected for reason in self.expected[one])


def test_the_list_is_what_the_model_says(server: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 5)
    SuppressionModel.server = server
    run_state_machine_as_test(SuppressionModel, settings=settings(max_examples=25, stateful_step_count=20))


def entries(server: Redis) -> dict[str, int]:
    raw: Any = server.hgetall(keys.SUPPRESSIONS)
    return {name.decode(): int(value) for name, value in raw.items() if name != b"hash_key"}


def test_buckets_grow_with_the_list_stay_intsets_and_stay_exact(server: Redis) -> None:
    """Given 30,000 entries, then no bucket outgrows an intset, each counter is right, and no entry is lost."""
    found = suppressions(server, MemoryStore())
    people = [f"r{number}@x.test" for number in range(30_000)]
    found.add(people, Reason.MANUAL)
    counted = entries(server)
    buckets = list(server.scan_iter(f"{keys.SUPPRESSIONS}:manual:*", count=10_000))
    sizes = [server.scard(bucket) for bucket in buckets]
    assert counted["manual_entries"] == sum(sizes) == len(people)
    assert counted["manual_buckets"] == len(buckets) == -(-len(people) // 192)
    assert {server.object("encoding", bucket) for bucket in buckets} == {b"intset"}
    assert all(found.contains_many(people))
    assert not any(found.contains_many([f"s{number}@x.test" for number in range(30_000)]))
    assert not any(found.contains_many(people, marketing=False))
    for address in people[:300]:
        assert found.remove(address)
    assert found.contains_many(people) == [False] * 300 + [True] * 29_700


@pytest.mark.parametrize("number", [0, 1, -1, 123456789, -123456789, 1234567890, -(2**63), 2**63 - 1])
def test_every_hash_finds_its_bucket(server: Redis, number: int) -> None:
    """Hashes at the edges of 64 bits and of the nine digits that choose a bucket."""
    run, named = Scripts(server), {"suppressions": keys.SUPPRESSIONS}
    journal = {"suppressions_journal": keys.SUPPRESSIONS_JOURNAL}
    suppressions(server, MemoryStore()).add([f"r{one}@x.test" for one in range(2_000)], Reason.BOUNCED)
    run("suppress", named | journal, entries=[(number, "bounced", "", "", None)])
    suppressions(server, MemoryStore()).add([f"s{one}@x.test" for one in range(2_000)], Reason.BOUNCED)
    asked = [number, number ^ 1]
    assert run.read("which_suppressed", named, marketing=False, hashes=asked) == b"10"


def test_admission_asks_the_list_in_its_own_script(server: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a script that takes the include in as admission will, and rows whose hash is not known."""
    found = suppressions(server, MemoryStore())
    found.add(["ann@x.test"], Reason.UNSUBSCRIBED)
    found.add(["bob@x.test"], Reason.BOUNCED)
    text = (
        "-- KEYS  suppressions\n-- ARGV  marketing:flag  hashes...\n--include suppressed\n"
        "local stopped, out = suppression_test(marketing), {}\n"
        "for i, hash in ipairs(hashes) do out[i] = stopped(hash) and 1 or 0 end\nreturn out"
    )
    scripts_module = "campaigns.db.scripts"
    monkeypatch.setattr(f"{scripts_module}.source", lambda _name: _source(text))
    monkeypatch.setattr(f"{scripts_module}.signature", lambda _name: _signature(text))
    hashes = ["", *found.hashes(["ann@x.test", "bob@x.test", "eve@x.test"])]
    run = Scripts(server)
    named = {"suppressions": keys.SUPPRESSIONS}
    assert run("any", named, marketing=True, hashes=hashes) == [0, 1, 1, 0]
    assert run("any", named, marketing=False, hashes=hashes) == [0, 0, 1, 0]


def _signature(text: str) -> Signature:
    return Signature.parse(text)


def _source(text: str) -> str:
    return _signature(text).locals() + with_includes(text)
