"""The limiter under any sequence of events: no 60 s hold more admissions than the limit in force at each of them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st
from redis import Redis

from campaigns import keys
from campaigns.db.scripts import with_includes
from tests.support.ledger_harness import Clock, LedgerHarness

#: What a test does to a campaign: wait this number of ms, ask for this number of rows, or change the limit.
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("wait"), st.one_of(st.integers(1, 300), st.integers(300, 30_000), st.integers(59_900, 60_500))
        ),
        st.tuples(st.just("ask"), st.integers(1, 12)),
        st.tuples(st.just("limit"), st.integers(1, 10)),
    ),
    min_size=8,
    max_size=60,
)
Steps = list[tuple[str, int]]
#: The promise; how much longer the window is, to allow for emails on their way to the provider; and its bucket.
PROMISE_MS, GUARD_MS, BUCKET_MS = 60_000, 200, 100
WINDOW_MS = PROMISE_MS + GUARD_MS


class Reference:
    """The promise in plain Python: a list of timestamps."""

    def __init__(self) -> None:
        self.admitted: list[int] = []

    def within(self, now: int, span_ms: int = WINDOW_MS) -> int:
        return sum(1 for at in self.admitted if at >= now - span_ms)


class Ask:
    """Calls the window as admit.lua does: asks for rows under a limit at a given time, and counts what it grants."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._script = self._redis.register_script(
            with_includes("--include window")
            + """
            local used, now = window_used(KEYS[1], tonumber(ARGV[1]))
            local count = math.max(0, math.min(tonumber(ARGV[2]), tonumber(ARGV[3]) - used))
            if count > 0 then window_add(KEYS[1], now, count) end
            return count
            """
        )

    def __call__(self, now: int, wanted: int, limit: int) -> int:
        return int(self._script(keys=["window"], args=[now, wanted, limit]))

    def forget(self) -> None:
        self._redis.delete("window")


@pytest.fixture
def ask(server: Redis) -> Ask:
    return Ask(server)


@given(steps=STEPS)
@example(steps=[("wait", 50), ("ask", 3), ("wait", 59_960), ("ask", 1)])
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_window_never_exceeds_the_limit_and_wastes_at_most_one_bucket(ask: Ask, steps: Steps) -> None:
    """Given any arrivals and any changes of the limit, then each admission keeps the last 60.2 s within the limit of
    its moment, and what 60.3 s would allow is never refused. The 200 ms are for emails that take longer to arrive.
    """
    ask.forget()
    reference, now, limit = Reference(), 1_800_000_000_000, 3
    for kind, amount in steps:
        if kind == "wait":
            now += amount
        elif kind == "limit":
            limit = amount
        else:
            granted = ask(now, amount, limit)
            free = max(0, limit - reference.within(now, WINDOW_MS + BUCKET_MS))
            reference.admitted += [now] * granted
            assert granted >= min(amount, free)
            if granted:
                assert reference.within(now, PROMISE_MS + GUARD_MS) <= limit


@given(back_ms=st.integers(1, 600_000))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_clock_that_steps_back_does_not_open_the_window(ask: Ask, back_ms: int) -> None:
    """Given a full window, when the clock steps back, then nothing more is granted until 60 s after the last
    admission.
    """
    ask.forget()
    now = 1_800_000_000_000
    assert ask(now, 10, 10) == 10
    assert ask(now - back_ms, 1, 10) == 0
    assert ask(now + WINDOW_MS - 1, 1, 10) == 0
    assert ask(now + WINDOW_MS + BUCKET_MS, 10, 10) == 10


def test_admission_counts_its_grants_in_the_window(harness: LedgerHarness, clock: Clock) -> None:
    """Given the whole admission script, then its decisions are the window's."""
    harness.slots = 100
    harness.start(rows=600, tpm=10_000_000)
    batches = harness.batches()
    harness.controls.set_rate("c1", 100)
    granted = [len(harness.admit(batch).granted) for batch in batches]
    assert sum(granted) == 100
    assert harness.redis.hget(keys.of("c1", "window"), "sum") == b"100"
    clock.advance(WINDOW_MS + BUCKET_MS)
    assert harness.report().sent_last_minute == 0
