"""A campaign in a Redis, driven step by step as the workers do it, without worker processes.

Works on fakeredis and on a real server. `Clock` sets the time that fakeredis tells its scripts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self
from uuid import uuid4

import msgspec
import pytest
from redis import RedisError

from campaigns import keys
from campaigns.account_table import AccountTable
from campaigns.catalog import Catalog
from campaigns.controls import Controls
from campaigns.db import scripts
from campaigns.dispatcher import Dispatcher, DispatchResult
from campaigns.ledger import Grant, Group, Ledger, Settlement, requeued_entry
from campaigns.models import Campaign, Content, OnUnknown, Status, StatusReport
from campaigns.parsing import Parsing
from campaigns.progress import Progress
from campaigns.reconciliation import Reconciler
from lists.recipient import Recipient
from lists.scan import ScanResult, scan
from tests.support.doubles.object_store import MemoryStore
from tests.support.suppressions import suppressions

PROVIDER = "double"
#: How long a row stays unknown before `on_unknown: resend` sends it again, in seconds.
RESEND_QUIET_S = 600


class Clock:
    """The time that fakeredis tells, in ms since the epoch; it stands still unless a test moves it."""

    def __init__(self) -> None:
        self.now_ms = 1_800_000_000_000

    def advance(self, milliseconds: int) -> None:
        self.now_ms += milliseconds

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have fakeredis tell this clock's time, also for what expires."""
        shim = SimpleNamespace(**{name: getattr(time, name) for name in dir(time) if not name.startswith("_")})
        shim.time = lambda: self.now_ms / 1000
        for module in ("_socket._base", "_helpers", "commands_mixins.server_mixin"):
            monkeypatch.setattr(f"fakeredis.{module}.time", shim)


class ServerClock(Clock):
    """The time that scripts on a real server read: from a key that the test sets, instead of the server's clock.

    Keys still expire by the server's clock. Of these only the dispatcher's lease matters, and this class ages it.
    """

    KEY = "test:now"

    def __init__(self, redis: Any) -> None:
        super().__init__()
        self._redis = redis
        redis.set(self.KEY, self.now_ms)

    def advance(self, milliseconds: int) -> None:
        super().advance(milliseconds)
        _, left = (
            self._redis.pipeline(transaction=False).set(self.KEY, self.now_ms).pttl(keys.DISPATCHER_LEASE).execute()
        )
        if 0 < left <= milliseconds:
            self._redis.delete(keys.DISPATCHER_LEASE)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have the scripts read the key."""
        real = scripts.source
        clock = (Path(keys.__file__).parent / "lua" / "lib" / "clock.lua").read_text(encoding="utf-8")
        told = f"local function now_ms()\n  return tonumber(redis.call('GET', '{self.KEY}'))\nend\n"
        monkeypatch.setattr(scripts, "source", lambda name: real(name).replace(clock, told))


class Exchanges:
    """Counts what a client exchanges with Redis while the block lasts.

    `count`: round trips, where a pipeline is one; `answered_bytes`, `answered_items`: strings and numbers in the
    replies.
    """

    def __init__(self, redis: Any) -> None:
        self._pool = redis.connection_pool
        self.count = self.answered_bytes = self.answered_items = 0

    def __enter__(self) -> Self:
        self._pool.get_connection = self._get_connection
        return self

    def __exit__(self, *_: object) -> None:
        del self._pool.get_connection

    def _get_connection(self, *args: Any, **more: Any) -> Any:
        self.count += 1
        connection = type(self._pool).get_connection(self._pool, *args, **more)
        if "read_response" not in vars(connection):
            connection.read_response = partial(self._read, connection)
        return connection

    def _read(self, connection: Any, *args: Any, **more: Any) -> Any:
        answer = type(connection).read_response(connection, *args, **more)
        self._weigh(answer)
        return answer

    def _weigh(self, answer: Any) -> None:
        if isinstance(answer, dict):
            self._weigh([*answer, *answer.values()])
        elif isinstance(answer, list):
            for part in answer:
                self._weigh(part)
        else:
            self.answered_items += 1
            self.answered_bytes += len(answer) if isinstance(answer, bytes) else 8


@dataclass
class Batch:
    """A SendEmail message as it came off the queue."""

    batch_id: str
    campaign_id: str
    list_version: str
    recipients: list[Recipient]
    retries: int = 0

    @property
    def rows(self) -> list[int]:
        return [recipient.row for recipient in self.recipients]


@dataclass
class LedgerHarness:
    """The whole ledger on one Redis, with one worker called `w1`."""

    redis: Any  # fakeredis or a real client; replies are bytes
    slots: int = 10
    accounts: AccountTable = field(default_factory=lambda: AccountTable.single(PROVIDER))
    warm: bool = True  # accounts and started campaigns count as having just accepted an email
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.catalog = Catalog(self.redis, default_tpm=1000)
        self.controls = ProvenControls(self) if self.warm else Controls(self.redis)
        self.suppressions = suppressions(self.redis, MemoryStore())
        self.ledger = Ledger(self.redis, self.accounts, send_timeout_s=15, hashes=self.suppressions.hashes)
        self.progress = Progress(self.redis, self.accounts)
        self.reconciler = Reconciler(self.redis, send_timeout_s=15, resend_quiet_s=RESEND_QUIET_S)

    def dispatcher(self, worker_id: str = "w1") -> Dispatcher:
        return Dispatcher(
            self.redis,
            self.accounts,
            worker_id,
            self.slots,
            reconcile_every_s=60,
            send_timeout_s=15,
        )

    def make(
        self,
        campaign_id: str = "c1",
        rows: int = 10,
        tpm: int = 10_000_000,
        on_unknown: OnUnknown = OnUnknown.HOLD,
        **more: Any,
    ) -> Campaign:
        """Create a campaign with a parsed list of `rows` recipients, ready to start. `more`: fields of its content."""
        content = Content(from_="news@shop.test", subject="Hello", text="Hi", tpm=tpm, on_unknown=on_unknown, **more)
        self.catalog.put(campaign_id, content)
        csv = b"email\n" + b"".join(b"r%d@shop.test\n" % row for row in range(1, rows + 1))
        list_version, _ = self.catalog.accept_list(
            campaign_id, object_key="list.csv", size=len(csv), filename="list.csv", email_column="email"
        )
        parsing = Parsing(self.redis, campaign_id, list_version)
        assert parsing.finish(scanned(csv)) == Status.READY
        return self.catalog.get(campaign_id)

    def start(self, campaign_id: str = "c1", rows: int = 10, **options: Any) -> Campaign:
        """Create a running campaign whose first slice is prefetched."""
        self.make(campaign_id, rows, **options)
        self.controls.start(campaign_id)
        campaign = self.catalog.get(campaign_id)
        self.prefetch(campaign)
        return campaign

    def prove(self, *campaign_ids: str) -> None:
        """Make accounts and campaigns count as having accepted an email, for good: none is tried with one row first."""
        for campaign_id in campaign_ids:
            self.redis.hset(keys.campaign(campaign_id), "proven", "1")
        for rule in self.accounts.rules.values():
            self.redis.hset(rule.breaker, f"accepted:{rule.fingerprint}", 10**14)

    def prefetch(self, campaign: Campaign) -> None:
        """Prefetch the next slice, or the rows that are to be refed."""
        cursor, refeed, _, _ = self.ledger.cursor(campaign.id)
        index = self.ledger.index(campaign)
        if refeed:
            row = self.ledger.first_to_refeed(campaign.id)
            assert row is not None
            part = index[index.slice_of_row(row)]
            wanted = sorted(self.ledger.bits(campaign.id, "refeed", part.first_row, part.rows))
            self.ledger.refeed(campaign.id, campaign.list_version, [recipient(row) for row in wanted])
        elif cursor < len(index):
            part = index[cursor]
            rows = range(part.first_row, part.first_row + part.rows)
            found = self.ledger.prefetch(
                campaign.id, campaign.list_version, cursor, rows[-1], [recipient(row) for row in rows]
            )
            assert found is not None

    def dispatch(self, worker_id: str = "w1") -> DispatchResult:
        return self.dispatcher(worker_id).dispatch()

    def outlive(self, clock: Clock, milliseconds: int, worker_id: str) -> None:
        """Let time pass in which only this worker gives signs of life."""
        end = clock.now_ms + milliseconds
        while clock.now_ms < end:
            clock.advance(min(1_000, end - clock.now_ms))
            self.dispatch(worker_id)

    def take(self) -> list[Batch]:
        """Take all SendEmail messages off the queue, as consumers do."""
        return list(self._taken())

    def _taken(self) -> Iterator[Batch]:
        while True:
            message_id = self.redis.lpop(keys.dramatiq_queue("send_email"))
            if message_id is None:
                return
            raw = self.redis.hget(keys.dramatiq_messages("send_email"), message_id)
            self.redis.hdel(keys.dramatiq_messages("send_email"), message_id)
            message = json.loads(raw)
            assert message["options"]["redis_message_id"] == message_id.decode()
            campaign_id, list_version, people = msgspec.convert(message["args"], tuple[str, str, list[Recipient]])
            yield Batch(message["message_id"], campaign_id, list_version, people, message["options"].get("retries", 0))

    def batches(self) -> list[Batch]:
        """Run one round and return the batches that it dispatched."""
        self.dispatch()
        return self.take()

    def admit(self, batch: Batch, worker_id: str = "w1") -> Grant:
        """Ask for a batch and requeue what is denied, as the admission middleware does."""
        grant = self.ledger.admit(
            batch.campaign_id, batch.list_version, batch.batch_id, worker_id, batch.recipients, claim_id=uuid4().hex[:8]
        )
        if grant.denied or grant.held:
            denied = [person for person in batch.recipients if person.row in grant.denied]
            held = [person for person in batch.recipients if person.row in grant.held]
            self.ledger.requeue(
                batch.campaign_id,
                batch.list_version,
                batch.batch_id,
                [requeued_entry(batch.retries, person) for person in denied],
                [(person.domain, requeued_entry(batch.retries, person)) for person in held],
                partly_admitted=bool(grant.granted),
            )
        return grant

    def settle(self, batch: Batch, rows: Sequence[int], kind: str, worker_id: str = "w1", **more: Any) -> list[str]:
        """Settle rows of a batch with the same outcome; return the verdicts."""
        people = {person.row: person for person in batch.recipients}
        settlements = [
            Settlement(row, kind, more.get("reason", ""), more.get("wait"), requeued_entry(batch.retries, people[row]))
            for row in rows
        ]
        [answer] = self.ledger.settle(
            worker_id, [Group(batch.campaign_id, batch.list_version, settlements, more.get("account", "default"))]
        )
        assert not isinstance(answer, RedisError), answer
        return answer[0]

    def report(self, campaign_id: str = "c1") -> StatusReport:
        """The status, after a check that it adds up."""
        report = self.progress.report(campaign_id)
        assert report.done + report.failed + report.pending == report.total
        assert report.pending >= report.unknown + report.in_flight >= 0
        return report

    def drain(self, campaign_id: str = "c1", rounds: int = 100) -> list[int]:
        """Send all that can be sent, each email accepted; return the rows in the order in which they were sent."""
        sent: list[int] = []
        campaign = self.catalog.get(campaign_id)
        for _ in range(rounds):
            self.prefetch(campaign)
            for batch in self.batches():
                granted = sorted(self.admit(batch).granted)
                self.settle(batch, granted, "accepted")
                self.ledger.close_batch(batch.campaign_id, batch.batch_id)
                sent += granted
            if self.report(campaign_id).status != Status.RUNNING:
                break
        return sent


class ProvenControls(Controls):
    """Controls whose campaigns count as having accepted an email from the start on."""

    def __init__(self, harness: LedgerHarness) -> None:
        super().__init__(harness.redis)
        self._harness = harness

    def start(self, campaign_id: str, *, accept_warnings: bool = False) -> Status:
        """See `Controls`."""
        status = super().start(campaign_id, accept_warnings=accept_warnings)
        self._harness.prove(campaign_id)
        return status

    def resume(self, campaign_id: str, *, accept_brake: bool = False) -> Status:
        """See `Controls`."""
        status = super().resume(campaign_id, accept_brake=accept_brake)
        self._harness.prove(campaign_id)
        return status


def scanned(csv: bytes) -> ScanResult:
    """The scan of a list, without its report."""
    result = scan([csv])
    result.report.close()
    return result


def recipient(row: int) -> Recipient:
    return Recipient(row, f"r{row}@shop.test", [])
