"""Delivery: every recipient of a batch gets an outcome, whatever happens to the others."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis import ConnectionError as RedisConnectionError
from structlog.contextvars import bound_contextvars

from campaigns.attachments import StoredFile
from campaigns.ledger import Settlement
from campaigns.models import Campaign, Content, Status
from campaigns.settler import BatchProgress
from lists.recipient import Recipient
from mail.attachment import Attachment
from mail.mail_merge import Share
from mail.message import Message
from mail.outcome import Kind, Outcome
from mail.rendering import Templates
from worker import costly_rows, delivery as module
from worker.attached_files import FilesGone, NotNow
from worker.delivery import Batch, Delivery

#: Takes about 10 ms per row.
COSTLY = Content(
    from_="news@shop.test",
    subject="Hi",
    text="{{ name }}{% for i in range(1400) %}{{ [{'a': i}]|sort(attribute='a') }}{% endfor %}",
)
CONTENT = Content(from_="news@shop.test", subject="Hi {{ name }}", text="{{ 10 // (name | length) }}")


class Catalog:
    """One campaign. The first `failures` reads of it fail."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.reads = 0
        self.paused: set[str] = set()

    def is_sending(self, campaign_id: str, list_version: str) -> bool:
        del list_version
        return campaign_id not in self.paused

    def get(self, campaign_id: str) -> Campaign:
        self.reads += 1
        if self.failures:
            self.failures -= 1
            raise RedisConnectionError
        content = COSTLY if campaign_id.startswith("costly") else CONTENT
        return Campaign(campaign_id, Status.RUNNING, content, 1000, "", columns=("email", "name"))


class Provider:
    """Responds by a function of the message."""

    def __init__(self, answer: Callable[[Message], Outcome]) -> None:
        self.answer = answer
        self.messages: list[Message] = []

    async def send(self, message: Message) -> Outcome:
        self.messages.append(message)
        return self.answer(message)

    async def close(self) -> None:
        """Nothing to close."""


class Settler:
    """Keeps the outcomes that it gets; transient outcomes cost an attempt."""

    def __init__(self) -> None:
        self.settled: dict[int, Settlement] = {}
        self.events: list[dict[str, Any]] = []

    def settle(self, progress: BatchProgress, settlements: Sequence[Settlement], event: dict[str, Any]) -> None:
        for settlement in settlements:
            self.settled[settlement.row] = settlement
            progress.verdicts[settlement.row] = "retry" if settlement.kind == Kind.UNAVAILABLE else "done"
        self.events.append(event)
        progress.rows_left -= len(settlements)
        if not progress.rows_left:
            progress.ended.set_result(None)


def deliver(
    answer: Callable[[Message], Outcome], names: list[str], catalog: Catalog | None = None
) -> tuple[frozenset[int], Settler, Provider]:
    settler, provider = Settler(), Provider(answer)
    delivery = Delivery(catalog or Catalog(), provider, settler)  # type: ignore[arg-type]
    recipients = [Recipient(row, f"r{row}@shop.test", [name]) for row, name in enumerate(names, 1)]
    return asyncio.run(delivery.deliver(Batch("c1", "g", 2, recipients, "n1"))), settler, provider


def accepted(_message: Message) -> Outcome:
    return Outcome(Kind.ACCEPTED, provider_message_id="id")


def test_each_recipient_is_rendered_sent_and_settled() -> None:
    again, settler, provider = deliver(accepted, ["Ann", "Bob"])
    assert again == frozenset()
    assert [(message.row, message.to, message.subject) for message in provider.messages] == [
        (1, "r1@shop.test", "Hi Ann"),
        (2, "r2@shop.test", "Hi Bob"),
    ]
    assert settler.settled == {row: Settlement(row, "accepted", "", None, b"", "n1") for row in (1, 2)}


def test_each_request_is_logged_with_its_message_and_without_an_address() -> None:
    with bound_contextvars(message_id="m1", campaign_id="c1"):
        _, settler, _ = deliver(accepted, ["Ann"])
    (event,) = settler.events
    assert event.pop("duration_ms") >= 0
    assert event == {
        "event": "email_sent",
        "message_id": "m1",
        "campaign_id": "c1",
        "outcome": "accepted",
        "reason": None,
        "provider_message_id": "id",
    }


def test_a_row_that_cannot_be_rendered_is_rejected_and_the_others_are_sent() -> None:
    _, settler, provider = deliver(accepted, ["", "Bob"])
    assert settler.settled[1].kind == Kind.REJECTED
    assert "division" in settler.settled[1].reason or "modulo" in settler.settled[1].reason
    assert [message.row for message in provider.messages] == [2]


def test_a_provider_that_raises_leaves_the_row_unknown() -> None:
    def fails(_message: Message) -> Outcome:
        raise KeyError("r1@shop.test")

    _, settler, _ = deliver(fails, ["Ann"])
    assert (settler.settled[1].kind, settler.settled[1].reason) == (Kind.UNKNOWN, "KeyError while sending")


@pytest.mark.parametrize("kind", list(Kind))
def test_a_transient_outcome_carries_its_recipient_and_its_retries(kind: Kind) -> None:
    again, settler, _ = deliver(lambda _: Outcome(kind, "why", retry_after_ms=5), ["Ann"])
    passing = kind not in {Kind.ACCEPTED, Kind.REJECTED, Kind.UNKNOWN}
    entry = b'2|[1,"r1@shop.test",["Ann"]]' if passing else b""
    assert settler.settled[1] == Settlement(1, kind.value, "why", 5, entry, "n1")
    assert again == (frozenset({1}) if kind is Kind.UNAVAILABLE else frozenset())


def test_templates_that_cannot_be_used_pause_the_campaign_and_send_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Catalog.get.__globals__, "CONTENT", Content(from_="a@b.test", subject="{{", text="x"))
    again, settler, provider = deliver(accepted, ["Ann", "Bob"])
    assert (again, provider.messages) == (frozenset(), [])
    assert {settled.kind for settled in settler.settled.values()} == {Kind.UNUSABLE}
    assert "the templates cannot be used: subject, line 1" in settler.settled[1].reason


def test_templates_are_compiled_once_even_if_redis_is_away_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.db.retrying.PAUSE_S", 0.001)
    catalog = Catalog(failures=2)
    _, settler, _ = deliver(accepted, ["Ann"] * 50, catalog)
    assert len(settler.settled) == 50
    assert catalog.reads == 3


class Race:
    """A costly campaign beside an ordinary one, in one event loop."""

    def __init__(self) -> None:
        self.begun: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.catalog, self.settler, self.provider = Catalog(), Settler(), Provider(self.answer)
        self.delivery = Delivery(self.catalog, self.provider, self.settler)  # type: ignore[arg-type]

    def answer(self, message: Message) -> Outcome:
        self.begun[message.campaign_id].set()
        return accepted(message)

    async def deliver(self, campaign_id: str, rows: int) -> None:
        recipients = [Recipient(row, f"r{row}@shop.test", ["Ann"]) for row in range(1, rows + 1)]
        await self.delivery.deliver(Batch(campaign_id, "g", 0, recipients, "n1"))

    def sent(self, campaign_id: str) -> int:
        return sum(message.campaign_id == campaign_id for message in self.provider.messages)


def test_a_costly_campaign_does_not_slow_the_others_down() -> None:
    """Given 40 costly rows under way, when 20 batches of an ordinary campaign follow each other, then these are sent
    before the costly ones.
    """
    race = Race()

    async def run() -> None:
        costly = asyncio.create_task(race.deliver("costly", 40))
        await race.begun["costly"].wait()
        for _ in range(20):
            await race.deliver("plain", 10)
        assert not costly.done()
        assert race.sent("plain") == 200
        assert race.sent("costly") < 40
        race.catalog.paused.add("costly")
        await costly

    asyncio.run(run())


@pytest.mark.parametrize("others", [0, 1])
def test_a_pause_hands_back_costly_rows_that_are_not_rendered_yet(others: int) -> None:
    race = Race()

    async def run() -> None:
        costly = [asyncio.create_task(race.deliver(f"costly{number}", 30)) for number in range(others + 1)]
        for number in range(others + 1):
            await race.begun[f"costly{number}"].wait()
        race.catalog.paused.add("costly0")
        await costly[0]
        assert race.sent("costly0") < 30
        assert all(task.done() is False for task in costly[1:])
        race.catalog.paused.add("costly1")
        await asyncio.gather(*costly)

    asyncio.run(run())
    kinds = [settled.kind for settled in race.settler.settled.values()]
    assert Kind.NOT_TRIED in kinds
    assert all(
        settled.entry.startswith(b"0|[") for settled in race.settler.settled.values() if settled.kind == Kind.NOT_TRIED
    )


def test_costly_rows_that_would_wait_too_long_are_handed_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costly_rows, "PATIENCE_S", -1.0)
    race = Race()
    asyncio.run(race.deliver("costly", 5))
    assert [race.settler.settled[row].kind for row in range(1, 6)] == [*[Kind.ACCEPTED] * 2, *[Kind.NOT_TRIED] * 3]


def test_costly_rows_are_sent_even_if_redis_does_not_respond(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: str) -> bool:
        raise RedisConnectionError

    race = Race()
    monkeypatch.setattr(race.catalog, "is_sending", away)
    asyncio.run(race.deliver("costly", 3))
    assert race.sent("costly") == 3


def test_a_campaign_whose_rows_are_ordinary_again_needs_no_turn() -> None:
    race = Race()
    key = "plain", "g"
    race.delivery._costly._costly.add(key)
    asyncio.run(race.deliver("plain", 1))
    assert key not in race.delivery._costly


def test_a_row_that_waits_for_a_processor_is_not_costly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a machine so busy that every row takes a second by the clock, then no row waits for its turn."""
    race = Race()
    seconds = iter(range(1000))
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(seconds)))
    monkeypatch.setattr(race.delivery._costly, "_is_sending", None)  # called before each turn
    asyncio.run(race.deliver("plain", 30))
    assert race.sent("plain") == 30
    assert ("plain", "g") not in race.delivery._costly


def test_templates_are_compiled_off_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def compiles(content: Content) -> Templates:
        threads.append(threading.get_ident())
        return Templates(content)

    monkeypatch.setattr(module, "Templates", compiles)
    deliver(accepted, ["Ann"])
    assert threads
    assert threading.get_ident() not in threads


class Files:
    """The files of a campaign, or the error with which they cannot be had."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def of(self, campaign_id: str) -> list[StoredFile]:
        del campaign_id
        return [StoredFile("a.pdf", 1, "application/pdf", "key")]

    @asynccontextmanager
    async def taken(self, files: list[StoredFile], html: str | None) -> AsyncIterator[list[Attachment]]:
        del html
        if self.error is not None:
            raise self.error
        yield [Attachment(file.filename, file.content_type, inline=False, data=b"x") for file in files]


def deliver_with(files: Files) -> tuple[Settlement, list[Message]]:
    settler, provider = Settler(), Provider(accepted)
    made = Delivery(Catalog(), provider, settler, files)  # type: ignore[arg-type]
    asyncio.run(made.deliver(Batch("c1", "g", 0, [Recipient(1, "a@shop.test", ["Ann"])], "n1")))
    return settler.settled[1], provider.messages


def test_every_email_carries_the_campaigns_files() -> None:
    settled, [sent] = deliver_with(Files())
    assert settled.kind == "accepted"
    assert [file.filename for file in sent.attachments] == ["a.pdf"]


def test_a_file_that_is_gone_pauses_the_campaign_and_sends_nothing() -> None:
    settled, sent = deliver_with(Files(FilesGone("the attachment a.pdf is no longer in the object store")))
    assert (settled.kind, settled.reason) == ("unusable", "the attachment a.pdf is no longer in the object store")
    assert sent == []


def test_a_file_that_cannot_be_read_now_hands_the_row_back() -> None:
    settled, sent = deliver_with(Files(NotNow()))
    assert (settled.kind, bool(settled.entry), sent) == ("not_tried", True, [])


class MergingProvider(Provider):
    """Merges requests, and decides about their rows by a function."""

    most = 10

    def __init__(self, decide: Callable[[list[int]], list[Outcome | None]]) -> None:
        super().__init__(accepted)
        self.decide = decide
        self.requests: list[tuple[list[int], list[str]]] = []

    def merged(self, message: Message) -> MergingProvider:
        del message
        return self

    def encode(self, share: Share) -> bytes:
        return b"%d" % share.row

    async def send(self, message: Any, attachments: Any = ()) -> Any:
        if isinstance(message, Message):
            return await super().send(message)
        rows = [int(share) for share in message]
        self.requests.append((rows, [file.filename for file in attachments]))
        return self.decide(rows)


PLAIN = Content(from_="news@shop.test", subject="Hi", text="Dear {{ name }}")


def deliver_merged(
    provider: MergingProvider, monkeypatch: pytest.MonkeyPatch, files: Files | None = None
) -> tuple[frozenset[int], Settler]:
    monkeypatch.setitem(Catalog.get.__globals__, "CONTENT", PLAIN)
    settler = Settler()
    delivery = Delivery(Catalog(), provider, settler, files)  # type: ignore[arg-type]
    people = [Recipient(row, f"r{row}@shop.test", [name]) for row, name in enumerate(["Ann", "Bob", "Zoë"], 1)]
    return asyncio.run(delivery.deliver(Batch("c1", "g", 2, people, "n1"))), settler


def test_a_merged_request_settles_all_of_its_recipients_with_one_event(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = Outcome(Kind.ACCEPTED, provider_message_id="id")
    provider = MergingProvider(lambda rows: [outcome] * len(rows))
    again, settler = deliver_merged(provider, monkeypatch)
    assert (again, provider.requests, provider.messages) == (frozenset(), [([1, 2, 3], [])], [])
    assert settler.settled == {row: Settlement(row, "accepted", "", None, b"", "n1") for row in (1, 2, 3)}
    assert len(settler.events) == 1


def test_trouble_of_a_merged_request_returns_each_row_with_its_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = Outcome(Kind.UNAVAILABLE, "503", retry_after_ms=5)
    again, settler = deliver_merged(MergingProvider(lambda rows: [outcome] * len(rows)), monkeypatch)
    assert again == {1, 2, 3}
    assert settler.settled[2] == Settlement(2, "unavailable", "503", 5, b'2|[2,"r2@shop.test",["Bob"]]', "n1")


def test_a_recipient_at_fault_is_found_by_requests_to_one_recipient(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = MergingProvider(lambda rows: [None] * len(rows) if 2 in rows else [Outcome(Kind.ACCEPTED)] * len(rows))
    provider.answer = lambda message: Outcome(Kind.REJECTED, "400") if message.row == 2 else accepted(message)
    _, settler = deliver_merged(provider, monkeypatch)
    assert {row: found.kind for row, found in settler.settled.items()} == {1: "accepted", 2: "rejected", 3: "accepted"}


def test_a_merging_provider_that_raises_leaves_the_rows_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_rows: list[int]) -> list[Outcome | None]:
        raise KeyError("r1@shop.test")

    _, settler = deliver_merged(MergingProvider(fails), monkeypatch)
    assert {(found.kind, found.reason) for found in settler.settled.values()} == {("unknown", "KeyError while sending")}


def test_a_merge_that_fails_sends_each_recipient_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = MergingProvider(lambda rows: [None] * len(rows))
    monkeypatch.setattr(provider, "encode", None)
    _, settler = deliver_merged(provider, monkeypatch)
    assert (provider.requests, sorted(message.row for message in provider.messages)) == ([], [1, 2, 3])
    assert {found.kind for found in settler.settled.values()} == {"accepted"}


@pytest.mark.parametrize(
    ("error", "kind"), [(None, "accepted"), (FilesGone("gone"), "unusable"), (NotNow(), "not_tried")], ids=str
)
def test_a_merged_request_carries_the_campaigns_files_once(
    error: Exception | None, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = MergingProvider(lambda rows: [Outcome(Kind.ACCEPTED)] * len(rows))
    _, settler = deliver_merged(provider, monkeypatch, Files(error))
    assert [files for _rows, files in provider.requests] == ([] if error else [["a.pdf"]])
    assert {found.kind for found in settler.settled.values()} == {kind}
