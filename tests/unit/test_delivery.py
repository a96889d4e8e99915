"""Delivery: every recipient of a run gets an outcome of its own, whatever happens to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from redis import ConnectionError as RedisConnectionError
from structlog.contextvars import bound_contextvars

from actors import delivery as module
from actors.delivery import Delivery, Run
from campaigns.ledger import Settlement
from campaigns.models import Campaign, Content, Status
from campaigns.settler import Tally
from mail.message import Message
from mail.outcome import Kind, Outcome

CONTENT = Content(from_="news@shop.test", subject="Hi {{ name }}", text="{{ 10 // (name | length) }}")


class Catalog:
    """One campaign, after as many failures to read it as it is told."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.reads = 0

    def get(self, campaign_id: str) -> Campaign:
        self.reads += 1
        if self.failures:
            self.failures -= 1
            raise RedisConnectionError
        return Campaign(campaign_id, Status.RUNNING, CONTENT, 1000, "", columns=("email", "name"))


class Provider:
    """Answers by a function of the message."""

    name = "stand-in"

    def __init__(self, answer: Callable[[Message], Outcome]) -> None:
        self.answer = answer
        self.messages: list[Message] = []

    async def send(self, message: Message) -> Outcome:
        self.messages.append(message)
        return self.answer(message)

    async def close(self) -> None:
        """Nothing to close."""


class Settler:
    """Keeps what it is given; transient outcomes cost an attempt."""

    def __init__(self) -> None:
        self.settled: dict[int, Settlement] = {}
        self.events: list[dict[str, Any]] = []

    def settle(self, tally: Tally, settlement: Settlement, event: dict[str, Any]) -> None:
        self.settled[settlement.row] = settlement
        self.events.append(event)
        tally.verdicts[settlement.row] = "retry" if settlement.kind == Kind.UNAVAILABLE else "done"
        tally.rows_left -= 1
        if not tally.rows_left:
            tally.ended.set_result(None)


def deliver(
    answer: Callable[[Message], Outcome], names: list[str], catalog: Catalog | None = None
) -> tuple[frozenset[int], Settler, Provider]:
    settler, provider = Settler(), Provider(answer)
    delivery = Delivery(catalog or Catalog(), provider, settler)  # type: ignore[arg-type]
    recipients = [[row, f"r{row}@shop.test", [name]] for row, name in enumerate(names, 1)]
    return asyncio.run(delivery.deliver(Run("c1", "g", 2, recipients, "n1"))), settler, provider


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


def test_each_recipient_is_logged_with_its_message_and_without_its_address() -> None:
    with bound_contextvars(message_id="m1", campaign_id="c1"):
        _, settler, _ = deliver(accepted, ["Ann"])
    (event,) = settler.events
    assert event.pop("duration_ms") >= 0
    assert event == {
        "event": "email_sent",
        "message_id": "m1",
        "campaign_id": "c1",
        "row": 1,
        "outcome": "accepted",
        "reason": None,
        "provider_message_id": "id",
    }


def test_a_row_that_cannot_be_rendered_is_rejected_and_the_others_go_out() -> None:
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
def test_what_may_be_tried_again_takes_its_recipient_and_its_retries_along(kind: Kind) -> None:
    again, settler, _ = deliver(lambda _: Outcome(kind, "why", retry_after_ms=5), ["Ann"])
    passing = kind not in {Kind.ACCEPTED, Kind.REJECTED, Kind.UNKNOWN}
    entry = b'2|[1,"r1@shop.test",["Ann"]]' if passing else b""
    assert settler.settled[1] == Settlement(1, kind.value, "why", 5, entry, "n1")
    assert again == (frozenset({1}) if kind is Kind.UNAVAILABLE else frozenset())


def test_templates_that_cannot_be_used_pause_the_campaign_and_send_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Catalog.get.__globals__, "CONTENT", Content(from_="a@b.test", subject="{{", text="x"))
    again, settler, provider = deliver(accepted, ["Ann", "Bob"])
    assert (again, provider.messages) == (frozenset(), [])
    assert {settled.kind for settled in settler.settled.values()} == {Kind.REFUSED}
    assert "the templates cannot be used: subject, line 1" in settler.settled[1].reason


def test_templates_are_compiled_once_also_where_redis_is_away_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_AGAIN_S", 0.001)
    catalog = Catalog(failures=2)
    _, settler, _ = deliver(accepted, ["Ann"] * 50, catalog)
    assert len(settler.settled) == 50
    assert catalog.reads == 3
