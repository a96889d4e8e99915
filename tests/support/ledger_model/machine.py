"""A model of two campaigns from PUT to DELETE: messages get lost, doubled and late, workers, parsers and settlers fail,
and operators do anything at any time.

No step reconciles, prefetches or parses by hand: a worker does so when an upload or the dispatching worker asks for it,
as in production.

`audit` states what must hold. When the faults end, every row in flight reaches an end in every state of its campaign,
and a running campaign completes.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Final, Literal
from uuid import uuid4

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from redis import RedisError

from campaigns import keys
from campaigns.db.scripts import Scripts
from campaigns.dispatcher import DispatchResult
from campaigns.errors import Superseded, WrongState
from campaigns.event_kinds import Event, EventKind
from campaigns.events import ProviderEvents
from campaigns.ledger import Group, Settlement, requeued_entry
from campaigns.models import Campaign, OnUnknown, Status
from consent.address_reports import AddressReports
from consent.records import AddressReport, Change, Reason
from tests.support.ledger_harness import Batch
from tests.support.ledger_model.audit import NAMES, OTHER, REPORTS, ListRecord
from tests.support.ledger_model.operators import NAME, LedgerOperators, Refused, Sent
from tests.support.suppressions import NAMES as SUPPRESSION_NAMES
from worker.list_scan import ListScan
from worker.prefetcher import Prefetcher

MAX_RETRIES: Final = 2
#: Within these times everything has an end that a dead worker held, and that a live worker holds and has given up.
DEAD_MS: Final = 60_000
GIVEN_UP_MS: Final = 180_000
PICK = st.integers(0, 7)
WORKER = st.integers(0, 1)
STEPS: Final = ("put", "upload", "start", "pause", "resume", "cancel", "delete", "dispatch")
KINDS: Final = (
    *("accepted", "accepted", "accepted", "rejected", "throttled"),
    *("unreachable", "unavailable", "unknown", "refused", "not_tried"),
)


class Died(Exception):
    """The process of a parser ends in the middle of its work."""


class LedgerMachine(LedgerOperators):
    """Steps of prefetchers, parsers, dispatchers, workers, operators and faults, in any order."""

    def teardown(self) -> None:
        try:
            self.settle_down()
        finally:
            self.patch.undo()

    @initialize()
    def begin(self) -> None:
        self.launch("c1")

    # -- what workers do

    @rule(worker=WORKER, slots=st.integers(1, 3), span_ms=st.sampled_from([20, 600]))
    def run_rounds(self, worker: int = 0, slots: int = 2, span_ms: int = 600) -> None:
        self.clock.advance(span_ms)
        self.harness.slots = slots
        self.dispatch(self.workers[worker])

    def dispatch(self, worker_id: str) -> None:
        """Run one round; what it dispatches and asks for goes onto the queues."""
        round_: DispatchResult = self.harness.dispatch(worker_id)
        self.queue += self.harness.take()
        for actor, names in (("prefetch", round_.prefetch), ("parse", round_.parse), ("reconcile", round_.reconcile)):
            for name in names:
                list_version = self.redis.hget(keys.campaign(name), "list_version") or b""
                self.asked.append((actor, name, list_version.decode()))
        self.collect()

    def collect(self) -> None:
        """Take off the queue the messages that scripts have put there for parsers and prefetchers."""
        queue, stored = keys.dramatiq_queue("parse_csv"), keys.dramatiq_messages("parse_csv")
        while (message_id := self.redis.lpop(queue)) is not None:
            name, list_version, *slice_ = json.loads(self.redis.hget(stored, message_id))["args"]
            self.redis.hdel(stored, message_id)
            self.asked.append(("prefetch" if slice_ else "parse", name, list_version))

    @precondition(lambda self: self.asked)
    @rule(pick=PICK, lost=st.booleans())
    def work_as_asked(self, pick: int, lost: bool) -> None:
        """A worker does what it was asked for, or dies before it."""
        asked = self.asked.pop(pick % len(self.asked))
        if not lost:
            self.do(*asked)

    @rule(
        name=NAME,
        steps=st.lists(st.tuples(st.sampled_from(STEPS), st.booleans(), st.booleans()), min_size=1, max_size=4),
        early=st.integers(0, 4),
        dies=st.booleans(),
    )
    def parse_while_much_happens(self, name: str, steps: list[tuple[str, bool, bool]], early: int, dies: bool) -> None:
        """A list is uploaded if it can be; some steps are taken while it is read, the others while its report is
        written, to this campaign or the other one; the parser may die there.
        """

        def take(part: list[tuple[str, bool, bool]], *, then_dies: bool) -> None:
            for step, here, city in part:
                if step == "dispatch":
                    self.run_rounds()
                else:
                    more = {"city": city} if step in {"put", "upload"} else {}
                    getattr(self, step)(name if here else OTHER[name], **more)
                self.what_must_hold()
            if then_dies:
                raise Died

        if self.checks.status(name) is None:
            self.put(name)
        self.upload(name)
        asked = next((asked for asked in self.asked if asked[:2] == ("parse", name)), None)
        if asked is None:
            return
        self.asked.remove(asked)
        self.store.meanwhile = [
            lambda: take(steps[:early], then_dies=False),
            lambda: take(steps[early:], then_dies=dies),
        ]
        with contextlib.suppress(Died):
            self.do(*asked)
        self.store.meanwhile = []

    def do(self, actor: str, name: str, list_version: str) -> None:
        """Do what an actor does with its message."""
        if self.checks.status(name) is None:
            return
        campaign = self.harness.catalog.get(name)
        if actor == "reconcile":
            self.reconcile(campaign)
        elif campaign.list_version == list_version and actor == "prefetch":
            with self.checks.only(name):
                Prefetcher(self.harness.ledger, self.store, threading.Event()).prefetch(campaign)
        elif campaign.list_version == list_version:
            with contextlib.suppress(Superseded):
                ListScan(self.redis, self.store, threading.Event(), threading.BoundedSemaphore(1)).run(campaign)

    def reconcile(self, campaign: Campaign) -> None:
        before = self.checks.unknown(campaign.id)
        with self.checks.only(campaign.id), contextlib.suppress(WrongState):  # as the actor does
            self.harness.reconciler.reconcile(campaign)
        if campaign.content.on_unknown is OnUnknown.RESEND:
            self.records[campaign.list_version].again.update(before - self.checks.unknown(campaign.id))

    @precondition(lambda self: self.queue)
    @rule(pick=PICK, worker=WORKER, requeues=st.booleans())
    def admit(self, pick: int, worker: int, requeues: bool) -> None:
        """A worker takes a message; it may die after the reply, before it has requeued what was denied."""
        batch, worker_id = self.queue.pop(pick % len(self.queue)), self.workers[worker]
        status, record = self.checks.status(batch.campaign_id), self.checks.record(batch.campaign_id)
        with self.checks.only(batch.campaign_id):
            if requeues:
                grant = self.harness.admit(batch, worker_id)
            else:
                grant = self.harness.ledger.admit(
                    batch.campaign_id,
                    batch.list_version,
                    batch.batch_id,
                    worker_id,
                    batch.recipients,
                    claim_id=uuid4().hex[:8],
                )
        if grant.granted:
            assert status is Status.RUNNING, f"admitted while {batch.campaign_id} is {status}"
            assert record is self.records[batch.list_version], "admitted from a list that was replaced"
            people = {person.row: person.address for person in batch.recipients}
            stopped = {people[row] for row in grant.granted} & self.stopped.keys()
            assert not stopped, f"admitted although they are suppressed: {stopped}"
            self.sending.append(Sent(batch, worker_id, sorted(grant.granted)))

    @precondition(lambda self: self.sending)
    @rule(pick=PICK, kind=st.sampled_from(KINDS), count=st.integers(1, 8), lost=st.booleans(), closes=st.booleans())
    def send_and_settle(self, pick: int, kind: str, count: int, lost: bool, closes: bool) -> None:
        """Rows of a batch get an outcome; Dramatiq may lose the retry, and may end before the batch is closed."""
        sent, rows = self.send(pick, kind, count)
        with self.checks.only(sent.batch.campaign_id):
            verdicts = self.harness.settle(sent.batch, rows, kind, sent.worker_id)
        sent.again += [row for row, verdict in zip(rows, verdicts, strict=True) if verdict == "retry"]
        if sent.rows:
            return
        if sent.again:
            self.retry(sent.batch, sent.again, lost=lost)
        elif closes:
            self.harness.ledger.close_batch(sent.batch.campaign_id, sent.batch.batch_id)

    def send(self, pick: int, kind: str, count: int) -> tuple[Sent, list[int]]:
        """A worker sends some rows of a batch, and has their outcome."""
        sent = self.sending[pick % len(self.sending)]
        rows, sent.rows = sent.rows[:count], sent.rows[count:]
        if not sent.rows:
            self.sending.remove(sent)
        if kind == "accepted":
            self.take(sent.batch, rows)
        return sent, rows

    def take(self, batch: Batch, rows: list[int]) -> None:
        self.records[batch.list_version].accepted.update(rows)

    def retry(self, batch: Batch, rows: list[int], *, lost: bool) -> None:
        """Do what Dramatiq does with a batch of which rows may be retried."""
        people = [person for person in batch.recipients if person.row in rows]
        next_batch = Batch(batch.batch_id, batch.campaign_id, batch.list_version, people, batch.retries + 1)
        if batch.retries >= MAX_RETRIES:
            dead = keys.dramatiq_dead("send_email")
            message = {"args": [batch.campaign_id, batch.list_version, batch.recipients]}
            self.redis.zadd(dead, {batch.batch_id: self.clock.now_ms})
            self.redis.hset(f"{dead}.msgs", batch.batch_id, msgspec.json.encode(message))
            if not lost:
                self.harness.ledger.record_dead_letter(
                    batch.campaign_id, batch.list_version, batch.batch_id, "exhausted", rows
                )
        elif not lost:
            self.harness.ledger.touch_batch(batch.campaign_id, batch.batch_id, 1000, rows)
            self.queue.append(next_batch)

    @rule(worker=WORKER, kinds=st.lists(st.sampled_from(KINDS), min_size=4, max_size=8), lost=st.booleans())
    def work(self, worker: int, kinds: list[str], lost: bool) -> None:
        """The whole way, several times: without it most examples would be over before anything is sent."""
        for number, kind in enumerate(kinds):
            self.run_rounds(worker)
            if self.asked:
                self.work_as_asked(number, lost=False)
            if self.queue:
                self.admit(number, worker, requeues=True)
            if self.sending:
                self.send_and_settle(number, kind, 6, lost, closes=True)

    @rule(name=NAME, pick=st.integers(0, 40), kind=st.sampled_from(REPORTS))
    def provider_reports(self, name: str, pick: int, kind: EventKind) -> None:
        """The provider reports twice on an email that it accepted, whatever the row's state, also if the campaign is
        deleted.
        """
        record = self.checks.record(name)
        deleted = [old for old in self.records.values() if old.name == name] if self.checks.status(name) is None else []
        accepted = sorted((record or (deleted or [ListRecord(name, 0, city=False)])[-1]).accepted)
        if accepted:
            row = accepted[pick % len(accepted)]
            with self.checks.only(name):
                ProviderEvents(self.redis).apply([Event(name, row, kind)] * 2)
            assert row not in self.checks.unknown(name)
            if record:
                record.reported[kind].add(row)

    @rule(pick=st.integers(1, 40), what=st.sampled_from([*Reason, Change.RESUBSCRIBED]))
    def address_is_reported(self, pick: int, what: Reason | Literal[Change.RESUBSCRIBED]) -> None:
        """The provider reports twice what became of an address, without its row; from then on no row of it is
        admitted. Or its owner subscribes again, which takes back an unsubscription alone.
        """
        address = f"r{pick}@shop.test"
        self.clock.advance(1)
        with self.checks.only(NAMES[0]), self.checks.only(NAMES[1]):
            AddressReports(Scripts(self.redis), SUPPRESSION_NAMES, self.harness.suppressions).apply(
                [AddressReport(address, what, self.clock.now_ms)] * 2
            )
        reasons = self.stopped.pop(address, set())
        reasons = reasons | {what} if isinstance(what, Reason) else reasons - {Reason.UNSUBSCRIBED}
        if reasons:
            self.stopped[address] = reasons

    # -- faults

    @contextlib.contextmanager
    def refusing(self, name: str) -> Iterator[None]:
        """In the block, Redis refuses to settle any row of a campaign, since one of its keys is of the wrong type."""
        flight = keys.of(name, "in_flight")
        aside = f"aside:{flight}"
        if held := self.redis.exists(flight):
            self.redis.rename(flight, aside)
        self.redis.set(flight, "no hash")
        yield
        self.redis.delete(flight)
        if held:
            self.redis.rename(aside, flight)

    @precondition(lambda self: self.sending)
    @rule(pick=PICK, kind=st.sampled_from(KINDS), count=st.integers(1, 8))
    def one_group_is_refused(self, pick: int, kind: str, count: int) -> None:
        """A settler has outcomes of both campaigns, and Redis refuses those of one: the others are recorded."""
        sent, rows = self.send(pick, kind, count)
        name = sent.batch.campaign_id
        groups = [self.group(sent.batch, rows, kind)]
        beside = [
            other
            for other in self.sending
            if other.batch.campaign_id == OTHER[name] and other.worker_id == sent.worker_id
        ]
        for other in beside:
            self.take(other.batch, other.rows)
            groups.append(self.group(other.batch, other.rows, "accepted"))
            self.sending.remove(other)
        with self.refusing(name):
            refused, *recorded = self.harness.ledger.settle(sent.worker_id, groups)
        assert not any(isinstance(answer, RedisError) for answer in recorded)
        if self.checks.record(name) is self.records[sent.batch.list_version]:
            assert isinstance(refused, RedisError)
            self.refused.append(Refused(sent.batch, sent.worker_id, rows, kind))

    @staticmethod
    def group(batch: Batch, rows: list[int], kind: str) -> Group:
        people = {person.row: person for person in batch.recipients}
        outcomes = [Settlement(row, kind, "", None, requeued_entry(batch.retries, people[row])) for row in rows]
        return Group(batch.campaign_id, batch.list_version, outcomes)

    @precondition(lambda self: self.refused)
    @rule(pick=PICK, gives_up=st.booleans())
    def the_settler_asks_again(self, pick: int, gives_up: bool) -> None:
        """However late it is, Redis records the outcomes now, or the settler gives them up and has the campaign
        paused.
        """
        refused = self.refused.pop(pick % len(self.refused))
        batch = refused.batch
        with self.checks.only(batch.campaign_id):
            if gives_up:
                group = self.group(batch, refused.rows, refused.kind)
                self.harness.ledger.give_up(refused.worker_id, group, "Redis refuses to record it")
                self.harness.ledger.halt(batch.campaign_id, batch.list_version, "Redis refuses to record outcomes")
            else:
                self.harness.settle(batch, refused.rows, refused.kind, refused.worker_id)

    @rule(worker=WORKER, took=st.booleans())
    def worker_dies(self, worker: int, took: bool) -> None:
        """The provider may have accepted the emails that the worker held. Its messages come again, and another worker
        takes its place.
        """
        worker_id = self.workers[worker]
        for sent in [sent for sent in self.sending if sent.worker_id == worker_id]:
            if took:
                self.take(sent.batch, sent.rows)
            self.queue.append(sent.batch)
        self.sending = [sent for sent in self.sending if sent.worker_id != worker_id]
        self.refused = [refused for refused in self.refused if refused.worker_id != worker_id]
        self.dead.add(worker_id)
        self.workers[worker] = f"w{len(self.dead) + 2}"

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

    # -- what must hold

    @invariant()
    def what_must_hold(self) -> None:
        self.checks.all()

    def settle_down(self) -> None:
        """The faults end. Everything in flight reaches an end, and then every running campaign completes."""
        self.refused.clear()
        for sent in self.sending:
            self.take(sent.batch, sent.rows)
            self.harness.settle(sent.batch, sent.rows, "accepted", sent.worker_id)
        for name in filter(self.checks.status, NAMES):
            self.harness.controls.set_rate(name, 10_000_000)
        self.go_on(DEAD_MS, 5_000)
        for name in NAMES:
            held = self.checks.holders(name) & self.dead
            assert not held, f"{name} is {self.checks.status(name)}, and dead workers hold rows: {held}"
        self.go_on(GIVEN_UP_MS - DEAD_MS, 5_000)
        for name in NAMES:
            assert not self.checks.holders(name), f"rows of {name}, {self.checks.status(name)}, are in flight for ever"
            if self.checks.status(name) is Status.PAUSED:
                self.resume(name)
        for _ in range(40):
            if not {self.checks.status(name) for name in NAMES} & {Status.RUNNING, Status.PAUSED, Status.PARSING}:
                break
            self.go_on(61_000, 61_000)
        for name in filter(self.checks.status, NAMES):
            assert self.checks.status(name) not in {Status.RUNNING, Status.PARSING}, self.harness.report(name)
            self.delete(name)
        self.what_must_hold()

    def go_on(self, milliseconds: int, step_ms: int) -> None:
        """Let time pass in which one worker lives and does all that it is asked for, and the provider accepts
        everything.
        """
        for _ in range(milliseconds // step_ms):
            self.clock.advance(step_ms)
            self.dispatch(self.workers[0])
            while self.asked:
                self.work_as_asked(0, lost=False)
            self.dispatch(self.workers[0])
            for batch in self.queue:
                granted = sorted(self.harness.admit(batch, self.workers[0]).granted)
                self.take(batch, granted)
                self.harness.settle(batch, granted, "accepted", self.workers[0])
            self.queue = []
            self.what_must_hold()
