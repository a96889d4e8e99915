"""What operators do in the model of the ledger (`machine`): over the API, at any time, in any state."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from campaigns.errors import CampaignError
from campaigns.models import Campaign, Status, UnknownDecision
from campaigns.reconciliation import check_decision
from consent.records import Reason
from tests.support.app_harness import AppHarness
from tests.support.ledger_harness import Batch, Clock
from tests.support.ledger_model.audit import NAMES, OPEN, Checks, ListRecord, SlowStore

ROWS: Final = {"c1": 40, "c2": 20}
NAME: Final = st.sampled_from(NAMES)


@dataclass
class Sent:
    """A batch that a worker holds: rows granted to it that it has not settled."""

    batch: Batch
    worker_id: str
    rows: list[int]
    again: list[int] = field(default_factory=list)


@dataclass
class Refused:
    """Outcomes that Redis has refused to record, and that a worker's settler holds."""

    batch: Batch
    worker_id: str
    rows: list[int]
    kind: str


class LedgerOperators(RuleBasedStateMachine):
    """Steps of operators, in any state."""

    @staticmethod
    @abstractmethod
    def components() -> tuple[Any, Clock]:
        """What the model runs on: an empty Redis, and the clock that this Redis tells."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.redis, self.clock = self.components()
        self.clock.install(self.patch)
        self.store = SlowStore()
        self.app = AppHarness(self.redis, {"OUTBOX_DIR": "/nonexistent/outbox"}, store=self.store)
        self.harness = self.app.harness
        self.records: dict[str, ListRecord] = {}
        #: Whether the templates of each campaign name the column `city`.
        self.cities: dict[str, bool] = {}
        self.content: dict[str, dict[str, Any]] = {}
        self.checks = Checks(self.harness, self.records, self.cities)
        self.queue: list[Batch] = []
        self.sending: list[Sent] = []
        self.refused: list[Refused] = []
        #: What workers have been asked for: which actor, of which campaign, of which list of it.
        self.asked: list[tuple[str, str, str]] = []
        self.workers = ["w1", "w2"]
        self.dead: set[str] = set()
        #: The addresses on the suppression list, with their reasons.
        self.stopped: dict[str, set[Reason]] = {}

    @abstractmethod
    def collect(self) -> None:
        """Take off the queue the messages that operators have put there for workers."""

    @abstractmethod
    def work_as_asked(self, pick: int, lost: bool) -> None:
        """A worker does what it was asked to do."""

    # -- what operators do, over the API

    def call(self, name: str, method: str, path: str, body: object = b"", *, right: bool) -> bool:
        """Send a request that may be refused, and check that the other campaign does not change; return whether it
        succeeded.
        """
        headers = {"Content-Type": "text/csv"} if isinstance(body, bytes) else {}
        with self.checks.only(name):
            answer = self.app.web.request(method, f"/campaigns/{name}{path}", body, headers)
        assert (answer.status < 300) == right, (method, path, answer.status, answer.body)
        assert right or answer.status in {404, 409}, answer.body
        self.collect()
        return right

    @rule(name=NAME, city=st.booleans(), resend=st.booleans())
    def put(self, name: str, city: bool = False, resend: bool = False) -> None:
        status = self.checks.status(name)
        subject = "Hello {{ city }}" if city else "Hello"
        content = {"from": "news@shop.test", "subject": subject, "text": "Hi", "tpm": 10_000_000}
        content["on_unknown"] = "resend" if resend else "hold"
        same = status is not None and content == self.content[name]
        if self.call(name, "PUT", "", content, right=status is None or status in OPEN or same):
            self.content[name], self.cities[name] = content, city

    @rule(name=NAME, city=st.booleans())
    def upload(self, name: str, city: bool = False) -> None:
        header, cell = (b"email,city\n", b",Ulm") if city else (b"email\n", b"")
        csv = header + b"".join(b"r%d@shop.test%s\n" % (row, cell) for row in range(1, ROWS[name] + 1))
        if self.call(name, "POST", "/upload", csv, right=self.checks.status(name) in OPEN):
            self.records[self.harness.catalog.get(name).list_version] = ListRecord(name, ROWS[name], city)

    @rule(name=NAME)
    def start(self, name: str) -> None:
        status, record = self.checks.status(name), self.checks.record(name)
        lacks = record is not None and self.cities[name] and not record.city
        right = status in {Status.PARSING, Status.RUNNING, Status.COMPLETED} or (status is Status.READY and not lacks)
        self.call(name, "POST", "/start", right=right)

    @rule(name=NAME)
    def pause(self, name: str) -> None:
        right = self.checks.status(name) in {Status.RUNNING, Status.PAUSED}
        self.call(name, "POST", "/pause", right=right)

    @rule(name=NAME)
    def resume(self, name: str) -> None:
        right = self.checks.status(name) in {Status.RUNNING, Status.PAUSED}
        self.call(name, "POST", "/resume", right=right)

    @rule(name=NAME)
    def cancel(self, name: str) -> None:
        self.call(name, "POST", "/cancel", right=self.checks.status(name) not in {None, Status.COMPLETED})

    @rule(name=NAME)
    def delete(self, name: str) -> None:
        rests = self.checks.status(name) not in {None, Status.RUNNING} and not self.checks.holders(name)
        if self.call(name, "DELETE", "", right=rests):
            assert self.checks.status(name) is None
            del self.content[name], self.cities[name]

    @rule(name=NAME, tpm=st.sampled_from([5, 60, 10_000_000]))
    def change_rate(self, name: str, tpm: int) -> None:
        if self.checks.status(name):
            with self.checks.only(name):
                self.harness.controls.set_rate(name, tpm)

    @rule(name=NAME)
    def launch(self, name: str) -> None:
        """Take the campaign the whole way to running, from any state from which that is possible."""
        status = self.checks.status(name)
        if status not in {None, Status.RUNNING} and not self.checks.holders(name):
            self.delete(name)
        if self.checks.status(name) is None:
            self.put(name)
            self.upload(name)
            while self.asked:
                self.work_as_asked(0, lost=False)
            self.start(name)

    def decision(self, name: str, *, resends: bool) -> Campaign | None:
        """The campaign, if it has rows and an operator may decide about them now."""
        if self.checks.record(name):
            with contextlib.suppress(CampaignError):
                return check_decision(self.harness.catalog, name, resends=resends)
        return None

    @rule(row=st.integers(1, 40))
    def erase(self, row: int) -> None:
        """An address is erased. Whether or not all of it is gone at once, it gets no email any more."""
        answer = self.app.web.request("DELETE", f"/recipients?email=r{row}@shop.test")
        assert answer.status in {200, 503}, answer.body
        self.stopped.setdefault(f"r{row}@shop.test", set()).add(Reason.MANUAL)

    @rule(row=st.integers(1, 40))
    def unsuppress(self, row: int) -> None:
        assert self.app.web.request("DELETE", f"/suppressions/r{row}@shop.test").status == 200
        self.stopped.pop(f"r{row}@shop.test", None)

    @rule(name=NAME)
    def retry_failed(self, name: str) -> None:
        """The provider accepted none of the failed rows, so no recipient is sent to twice by this."""
        if campaign := self.decision(name, resends=True):
            with self.checks.only(name):
                self.harness.reconciler.retry_failed(campaign)

    @rule(name=NAME, decision=st.sampled_from(list(UnknownDecision)))
    def decide_unknown(self, name: str, decision: UnknownDecision) -> None:
        if campaign := self.decision(name, resends=decision is UnknownDecision.RESEND):
            if decision is not UnknownDecision.DONE:
                self.records[campaign.list_version].again.update(self.checks.unknown(name))
            with self.checks.only(name):
                self.harness.reconciler.decide(campaign, decision)
