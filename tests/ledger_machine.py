"""A model of the ledger and Reconcile: messages get lost, doubled and late, workers die at every step.

It runs on fakeredis (`tests/property`) and on a real server (`tests/integration`).

What must hold, whatever happens: no recipient is accepted by the provider twice unless somebody decided to resend it;
`done + failed + pending = total`; and when the faults end, every recipient gets an end.
"""

from __future__ import annotations

import json
import random
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from campaigns import keys
from campaigns.events import Event, EventKind, ProviderEvents
from campaigns.models import Status, UnknownDecision
from tests.world import Clock, Run, World

ROWS = 40
MAX_RETRIES = 2
PICK = st.integers(0, 7)
WORKERS = st.sampled_from(["w1", "w2"])
REPORTS = [EventKind.ACCEPTED, EventKind.DELIVERED, EventKind.BOUNCED]
KINDS = (
    "accepted",
    "accepted",
    "accepted",
    "rejected",
    "throttled",
    "unreachable",
    "unavailable",
    "unknown",
    "refused",
)


@dataclass
class Sent:
    """A run in the hands of a worker: rows granted to it that it has not settled."""

    run: Run
    worker_id: str
    rows: list[int]
    again: list[int] = field(default_factory=list)


class LedgerMachine(RuleBasedStateMachine):
    """Steps of feeders, releasers, workers, operators and faults, in any order."""

    @staticmethod
    @abstractmethod
    def parts() -> tuple[Any, Clock]:
        """What it runs on: an empty Redis, and the clock that this Redis tells."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        redis, self.clock = self.parts()
        self.clock.install(self.patch)
        self.world = World(redis)
        self.queue: list[Run] = []
        self.sending: list[Sent] = []
        #: How often the provider took each row, and how often somebody decided that it may take it once more.
        self.taken: dict[int, int] = dict.fromkeys(range(1, ROWS + 1), 0)
        self.allowed: dict[int, int] = dict.fromkeys(range(1, ROWS + 1), 1)
        #: The rows of which the provider has told, by what it told.
        self.reported: dict[EventKind, set[int]] = {kind: set() for kind in REPORTS}

    def teardown(self) -> None:
        try:
            self.settle_down()
        finally:
            self.patch.undo()

    @initialize()
    def start(self) -> None:
        self.world.start(rows=ROWS)

    # -- what workers do

    @rule(worker_id=WORKERS, slots=st.integers(1, 3), span_ms=st.sampled_from([20, 600]))
    def release(self, worker_id: str, slots: int, span_ms: int) -> None:
        if self.world.report().status in {Status.RUNNING, Status.PAUSED}:
            self.world.feed(self.world.catalog.get("c1"))
        self.clock.advance(span_ms)
        self.world.slots = slots
        self.world.tick(worker_id)
        self.queue += self.world.take()

    @precondition(lambda self: self.queue)
    @rule(pick=PICK, worker_id=WORKERS, defers=st.booleans())
    def admit(self, pick: int, worker_id: str, defers: bool) -> None:
        """A worker takes a message; it may die after the answer, before it has put back what was denied."""
        run = self.queue.pop(pick % len(self.queue))
        if defers:
            grant = self.world.admit(run, worker_id)
        else:
            grant = self.world.ledger.admit(
                run.campaign_id, run.generation, run.run_id, worker_id, run.recipients, nonce=uuid4().hex[:8]
            )
        if grant.granted:
            self.sending.append(Sent(run, worker_id, sorted(grant.granted)))

    @precondition(lambda self: self.sending)
    @rule(pick=PICK, kind=st.sampled_from(KINDS), count=st.integers(1, 8), lost=st.booleans(), closes=st.booleans())
    def send_and_settle(self, pick: int, kind: str, count: int, lost: bool, closes: bool) -> None:
        """Rows of a run get an outcome; Dramatiq may lose the retry, and may end before the run is closed."""
        sent = self.sending[pick % len(self.sending)]
        rows, sent.rows = sent.rows[:count], sent.rows[count:]
        if not sent.rows:
            self.sending.remove(sent)
        if kind == "accepted":
            self.take(rows)
        verdicts = self.world.settle(sent.run, rows, kind, sent.worker_id)
        sent.again += [row for row, verdict in zip(rows, verdicts, strict=True) if verdict == "retry"]
        if sent.rows:
            return
        if sent.again:
            self.retry(sent.run, sent.again, lost=lost)
        elif closes:
            self.world.ledger.close_run("c1", sent.run.run_id)

    @rule(worker_id=WORKERS, kinds=st.lists(st.sampled_from(KINDS), min_size=4, max_size=8), lost=st.booleans())
    def work(self, worker_id: str, kinds: list[str], lost: bool) -> None:
        """The whole way, several times: without it most examples would be over before anything is sent."""
        for number, kind in enumerate(kinds):
            self.release(worker_id, 2, 600)
            if self.queue:
                self.admit(number, worker_id, defers=True)
            if self.sending:
                self.send_and_settle(number, kind, 6, lost, closes=True)

    def retry(self, run: Run, rows: list[int], *, lost: bool) -> None:
        """What Dramatiq does with a run of which rows may be tried again."""
        people = [person for person in run.recipients if person[0] in rows]
        next_run = Run(run.run_id, run.campaign_id, run.generation, people, run.retries + 1)
        if run.retries >= MAX_RETRIES:
            dead = keys.dramatiq_dead("send_email")
            message = {"args": [run.campaign_id, run.generation, run.recipients]}
            self.world.redis.zadd(dead, {run.run_id: self.clock.now_ms})
            self.world.redis.hset(f"{dead}.msgs", run.run_id, json.dumps(message))
            if not lost:
                self.world.ledger.bury("c1", run.generation, run.run_id, "exhausted", rows)
        elif not lost:
            self.world.ledger.touch_run("c1", run.run_id, 1000, rows)
            self.queue.append(next_run)

    def take(self, rows: list[int]) -> None:
        for row in rows:
            self.taken[row] += 1

    @rule(pick=st.integers(0, ROWS), kind=st.sampled_from(REPORTS))
    def provider_reports(self, pick: int, kind: EventKind) -> None:
        """It tells twice of an email that it took, however its row stands."""
        taken = [row for row, count in self.taken.items() if count]
        if taken:
            row = taken[pick % len(taken)]
            ProviderEvents(self.world.redis).apply([Event("c1", row, kind)] * 2)
            assert row not in {int(unknown) for unknown in self.world.redis.zrange(keys.of("c1", "unknown"), 0, -1)}
            self.reported[kind].add(row)

    # -- faults

    @precondition(lambda self: self.sending)
    @rule(pick=PICK, took=st.booleans())
    def worker_dies_while_sending(self, pick: int, took: bool) -> None:
        """It is killed before it settled; the provider may have taken the mails. Its message comes again."""
        sent = self.sending.pop(pick % len(self.sending))
        if took:
            self.take(sent.rows)
        self.queue.append(sent.run)

    @precondition(lambda self: self.queue)
    @rule(pick=PICK)
    def message_is_lost(self, pick: int) -> None:
        self.queue.pop(pick % len(self.queue))

    @precondition(lambda self: self.queue)
    @rule(pick=PICK)
    def message_is_doubled(self, pick: int) -> None:
        self.queue.append(self.queue[pick % len(self.queue)])

    @rule(milliseconds=st.sampled_from([1, 500, 5_000, 15_000, 70_000]))
    def time_passes(self, milliseconds: int) -> None:
        self.clock.advance(milliseconds)

    # -- operators, and Reconcile

    @rule()
    def reconcile(self) -> None:
        self.world.reconciler.reconcile(self.world.catalog.get("c1"))

    @rule()
    def pause(self) -> None:
        if self.world.report().status == Status.RUNNING:
            assert self.world.controls.pause("c1") == self.world.report().in_flight

    @rule()
    def resume(self) -> None:
        if self.world.report().status == Status.PAUSED:
            self.world.controls.resume("c1")

    @rule(tpm=st.sampled_from([5, 60, 10_000_000]))
    def change_rate(self, tpm: int) -> None:
        self.world.controls.set_rate("c1", tpm)

    @rule()
    def retry_failed(self) -> None:
        """Nothing was taken of what is failed, so nobody is sent twice by this."""
        self.world.reconciler.retry_failed(self.world.catalog.get("c1"))

    @rule(decision=st.sampled_from(list(UnknownDecision)))
    def decide_unknown(self, decision: UnknownDecision) -> None:
        if decision is not UnknownDecision.DONE:
            for row in self.world.redis.zrange(keys.of("c1", "unknown"), 0, -1):
                self.allowed[int(row)] += 1
        self.world.reconciler.decide(self.world.catalog.get("c1"), decision)

    # -- what must hold

    @invariant()
    def nobody_is_sent_twice(self) -> None:
        for row, count in self.taken.items():
            assert count <= self.allowed[row], row

    @invariant()
    def the_counts_add_up(self) -> None:
        if self.world.redis.exists(keys.campaign("c1")):
            report = self.world.report()
            assert 0 <= report.done <= ROWS
            assert 0 <= report.failed <= ROWS
            assert report.total == ROWS
            assert report.delivered == len(self.reported[EventKind.DELIVERED])
            assert report.bounced == len(self.reported[EventKind.BOUNCED])

    def settle_down(self) -> None:
        """The faults end: the provider takes everything, time passes, Reconcile runs. Every row must get an end."""
        if not self.world.redis.exists(keys.campaign("c1")):
            return
        self.world.controls.set_rate("c1", 10_000_000)
        for sent in self.sending:
            self.take(sent.rows)
            self.world.settle(sent.run, sent.rows, "accepted", sent.worker_id)
        for _ in range(30):
            if self.world.report().status == Status.PAUSED:
                self.world.controls.resume("c1")
            if self.world.report().status == Status.COMPLETED:
                break
            self.clock.advance(61_000)
            self.world.tick("w1")
            self.world.reconciler.reconcile(self.world.catalog.get("c1"))
            self.world.feed(self.world.catalog.get("c1"))
            self.queue += self.world.take() + self.world.runs()
            for run in self.queue:
                granted = sorted(self.world.admit(run).granted)
                self.take(granted)
                self.world.settle(run, granted, "accepted")
            self.queue = []
        report = self.world.report()
        assert report.status == Status.COMPLETED
        assert report.in_flight == 0
        assert report.done + report.failed + report.unknown == ROWS
        self.nobody_is_sent_twice()


class Walk:
    """A long random walk over the same steps: Hypothesis shrinks well, but its walks are too short for some faults."""

    def __init__(self, machine: type[LedgerMachine], seed: int) -> None:
        self.random = random.Random(seed)
        self.machine = machine()

    def run(self, steps: int) -> None:
        """Take so many steps, and let the faults end."""
        machine = self.machine
        try:
            machine.start()
            for _ in range(steps):
                self.step()
                machine.nobody_is_sent_twice()
                machine.the_counts_add_up()
        except BaseException:
            machine.patch.undo()
            raise
        machine.teardown()

    def step(self) -> None:
        pick, chance, machine = self.random.randrange(8), self.random.random, self.machine
        worker_id = self.random.choice(["w1", "w2"])
        ways: dict[str, tuple[float, Callable[[], None]]] = {
            "release": (
                8,
                lambda: machine.release(worker_id, self.random.randint(1, 3), self.random.choice([20, 600])),
            ),
            "admit": (8 if machine.queue else 0, lambda: machine.admit(pick, worker_id, chance() < 0.9)),
            "send": (
                8 if machine.sending else 0,
                lambda: machine.send_and_settle(
                    pick, self.random.choice(KINDS), self.random.randint(1, 8), chance() < 0.3, chance() < 0.8
                ),
            ),
            "die": (2 if machine.sending else 0, lambda: machine.worker_dies_while_sending(pick, chance() < 0.5)),
            "lose": (1 if machine.queue else 0, lambda: machine.message_is_lost(pick)),
            "double": (1 if machine.queue else 0, lambda: machine.message_is_doubled(pick)),
            "report": (2, lambda: machine.provider_reports(self.random.randrange(ROWS), self.random.choice(REPORTS))),
            "wait": (3, lambda: machine.time_passes(self.random.choice([1, 500, 5_000, 15_000, 70_000]))),
            "reconcile": (4, machine.reconcile),
            "pause": (0.5, machine.pause),
            "resume": (2, machine.resume),
            "rate": (0.5, lambda: machine.change_rate(self.random.choice([5, 60, 10_000_000]))),
            "retry": (0.5, machine.retry_failed),
            "decide": (0.3, lambda: machine.decide_unknown(self.random.choice(list(UnknownDecision)))),
        }
        weights = [weight for weight, _ in ways.values()]
        step: Callable[[], None] = self.random.choices([way for _, way in ways.values()], weights)[0]
        step()
