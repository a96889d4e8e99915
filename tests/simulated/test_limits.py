"""All limits at once, in any order of events: admission decides as plain lists of timestamps would, and a pause is a
barrier.

Several workers ask for batches in any order, while the clock jumps, forward and back.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st
from redis import Redis

from campaigns import keys
from campaigns.account_table import AccountTable
from campaigns.ledger import Grant
from campaigns.models import Status
from lists.recipient import Recipient
from tests.support.ledger_harness import PROVIDER, Batch, Clock, LedgerHarness, ServerClock

#: The longest span that the window counts, and its bucket (see `lib/window.lua`): the span may be one bucket longer.
WINDOW_MS, BUCKET_MS = 60_200, 100
CAMPAIGNS: Final = ("a", "b")
WORKERS: Final = ("w1", "w2", "w3")
DOMAINS: Final = ("slow.test", "other.test", "free.test")
ACCOUNT_TPM: Final = 9
DOMAIN_TPM: Final = {"slow.test": 3, "other.test": 5}

STEPS: Final = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 7), st.sampled_from(WORKERS)),
        st.tuples(
            st.just("wait"),
            st.one_of(st.integers(1, 400), st.integers(1_000, 30_000), st.integers(59_900, 60_400)),
            st.just(""),
        ),
        st.tuples(st.just("back"), st.integers(1, 90_000), st.just("")),
        st.tuples(st.just("limit"), st.integers(1, 8), st.sampled_from(CAMPAIGNS)),
        st.tuples(st.just("pause"), st.just(0), st.sampled_from(CAMPAIGNS)),
        st.tuples(st.just("resume"), st.just(0), st.sampled_from(CAMPAIGNS)),
    ),
    min_size=10,
    max_size=40,
)
Steps = list[tuple[str, int, str]]


class Reference:
    """Every admission as a timestamp, by limiter. For a limiter, an admission is never earlier than its latest one,
    whatever the clock says.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._admitted: defaultdict[str, list[int]] = defaultdict(list)

    def admit(self, limiter: str) -> None:
        self._admitted[limiter].append(self._now(limiter))

    def within(self, limiter: str, span_ms: int) -> int:
        now = self._now(limiter)
        return sum(at >= now - span_ms for at in self._admitted[limiter])

    def free(self, limiter: str, limit: int, span_ms: int) -> int:
        return max(0, limit - self.within(limiter, span_ms))

    def _now(self, limiter: str) -> int:
        return max([self._clock.now_ms, *self._admitted[limiter][-1:]])


class Play:
    """Two campaigns to three domains on one Redis; every step is compared with the reference."""

    def __init__(self, server: Redis, clock: Clock) -> None:
        self.clock = clock
        self.harness = LedgerHarness(
            server, slots=1000, accounts=AccountTable.single(PROVIDER, ACCOUNT_TPM, DOMAIN_TPM)
        )
        self.reference = Reference(clock)
        self.tpm = dict.fromkeys(CAMPAIGNS, 6)
        self.paused: set[str] = set()
        self.dispatched: list[Batch] = []
        self.granted: set[tuple[str, int]] = set()
        for campaign_id in CAMPAIGNS:
            self._start(campaign_id)

    def _start(self, campaign_id: str) -> None:
        """A running campaign with four batches of six recipients each on their way, as if nothing limited them."""
        self.harness.make(campaign_id, rows=24, tpm=10_000_000)
        self.harness.controls.start(campaign_id)
        self.harness.controls.set_rate(campaign_id, self.tpm[campaign_id])
        list_version = self.harness.catalog.get(campaign_id).list_version
        for number in range(4):
            rows = range(number * 6 + 1, number * 6 + 7)
            people = [Recipient(row, f"r{row}@{DOMAINS[row % 3]}", []) for row in rows]
            batch = Batch(f"{campaign_id}-{number}", campaign_id, list_version, people)
            self.harness.redis.hset(keys.of(campaign_id, "batches"), batch.batch_id, "q|0|")
            self.dispatched.append(batch)

    def step(self, kind: str, amount: int, name: str) -> None:
        if kind == "wait":
            self.clock.advance(amount)
        elif kind == "back":
            self.clock.advance(-amount)
        elif kind == "limit":
            self.tpm[name] = amount
            self.harness.controls.set_rate(name, amount)
        elif kind == "pause":
            self.paused.add(name)
            in_flight = self.harness.controls.pause(name)
            assert in_flight == sum(campaign_id == name for campaign_id, _ in self.granted)
        elif kind == "resume":
            self.paused.discard(name)
            self.harness.controls.resume(name)
        elif self.dispatched:
            self.ask(self.dispatched[amount % len(self.dispatched)], name)

    def ask(self, batch: Batch, worker_id: str) -> None:
        """One call; any worker may ask for the same batch again."""
        open_rows = [person for person in batch.recipients if (batch.campaign_id, person.row) not in self.granted]
        grant = self.harness.ledger.admit(
            batch.campaign_id,
            batch.list_version,
            batch.batch_id,
            worker_id,
            batch.recipients,
            claim_id=f"{len(self.granted)}x",
        )
        assert grant.granted <= {person.row for person in open_rows}
        if batch.campaign_id in self.paused:
            assert not grant.granted, "admitted after the pause had returned"
            return
        self._is_what_lists_allow(batch, open_rows, grant)

    def _is_what_lists_allow(self, batch: Batch, open_rows: list[Recipient], grant: Grant) -> None:
        """Never more than the longest window allows, never less than the shortest: between them lies one bucket."""
        limits = {batch.campaign_id: self.tpm[batch.campaign_id], "account": ACCOUNT_TPM, **DOMAIN_TPM}
        least = self._greedy(batch, open_rows, limits, WINDOW_MS + BUCKET_MS)
        assert len(grant.granted) >= len(least)
        for person in open_rows:
            if person.row in grant.granted:
                row, address = person.row, person.address
                assert isinstance(row, int)
                self.granted.add((batch.campaign_id, row))
                for limiter in (batch.campaign_id, "account", address.partition("@")[2]):
                    self.reference.admit(limiter)
        if grant.granted:
            for limiter, limit in limits.items():
                if limiter in DOMAIN_TPM and not self._touched(batch, grant, limiter):
                    continue
                assert self.reference.within(limiter, WINDOW_MS) <= limit, limiter

    @staticmethod
    def _touched(batch: Batch, grant: Grant, domain: str) -> bool:
        return any(person.row in grant.granted and person.address.endswith(domain) for person in batch.recipients)

    def _greedy(self, batch: Batch, rows: list[Recipient], limits: dict[str, int], span_ms: int) -> list[int]:
        """In the order of the batch: the recipients that a plain log of timestamps would let pass."""
        left = {limiter: self.reference.free(limiter, limit, span_ms) for limiter, limit in limits.items()}
        passed = []
        for person in rows:
            needs = [batch.campaign_id, "account", person.address.partition("@")[2]]
            if all(left.get(limiter, 1) > 0 for limiter in needs):
                for limiter in needs:
                    if limiter in left:
                        left[limiter] -= 1
                passed.append(person.row)
        return passed


@given(steps=STEPS)
@example(steps=[("ask", 0, "w1"), ("ask", 1, "w2"), ("wait", 60_150, ""), ("ask", 1, "w1"), ("ask", 2, "w3")])
@example(steps=[("ask", 0, "w1"), ("ask", 1, "w2"), ("wait", 60_301, ""), ("ask", 1, "w1"), ("ask", 2, "w3")])
@example(
    steps=[
        *(("ask", 0, "w1"), ("limit", 8, "a"), ("back", 50_000, ""), ("ask", 1, "w2")),
        *(("wait", 70_000, ""), ("ask", 1, "w1"), ("ask", 2, "w3")),
    ]
)
@example(steps=[("ask", 0, "w1"), ("pause", 0, "a"), ("ask", 1, "w2"), ("resume", 0, "a"), ("ask", 1, "w2")])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_all_limits_hold_for_all_workers_whatever_the_clock_says(server: Redis, steps: Steps) -> None:
    """Given any order of calls by several workers, changes of limits, pauses, and a clock that jumps.
    Then the grants never exceed a limit by a log of timestamps, nor fall short of it by more than a bucket; no row is
    granted twice; and nothing is granted between the return of a pause and the resume.
    """
    with pytest.MonkeyPatch.context() as patches:
        server.flushall()
        clock = ServerClock(server)
        clock.install(patches)
        play = Play(server, clock)
        for kind, amount, name in steps:
            play.step(kind, amount, name)


@given(order=st.permutations(range(8)), at=st.integers(0, 8), stop=st.sampled_from(["pause", "cancel"]))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_is_admitted_once_pause_or_cancel_has_returned(
    server: Redis, order: list[int], at: int, stop: str
) -> None:
    """Given eight batches that workers hold and ask for in any order, and a pause or cancel between two of these calls.
    Then the calls after it get nothing, and its in_flight is exactly what the calls before it got.
    """
    with pytest.MonkeyPatch.context() as patches:
        server.flushall()
        ServerClock(server).install(patches)
        harness = LedgerHarness(server, slots=8)
        harness.start(rows=8 * 64)
        batches = harness.batches()
        assert len(batches) == 8
        before = sum(len(harness.admit(batches[number], f"w{number}").granted) for number in order[:at])
        in_flight = getattr(harness.controls, stop)("c1")
        after = [len(harness.admit(batches[number], f"w{number}").granted) for number in order[at:]]
        assert (in_flight, sum(after)) == (before, 0)
        assert harness.report().status == (Status.PAUSED if stop == "pause" else Status.CANCELLED)
        assert harness.report().in_flight == before
