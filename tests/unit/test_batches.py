"""The middleware that keeps batches in step with Dramatiq: ended, due again, dead-lettered."""

from __future__ import annotations

from typing import Any

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker

from lists.recipient import Recipient
from middleware.batches import EXHAUSTED, Batches, MayBeTriedAgain

PEOPLE = [Recipient(row, f"r{row}@shop.test", []) for row in (1, 2, 3)]


class Ledger:
    """Records the calls that it gets."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def close_batch(self, *args: Any) -> None:
        self.told.append(("close", *args))

    def touch_batch(self, *args: Any) -> None:
        self.told.append(("touch", *args))

    def record_dead_letter(self, *args: Any) -> int:
        self.told.append(("record_dead_letter", *args))
        return 3


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def batches(ledger: Ledger) -> Batches:
    return Batches(ledger)  # type: ignore[arg-type]


def message(actor: str = "SendEmail") -> dramatiq.MessageProxy:
    return dramatiq.MessageProxy(dramatiq.Message("send_email", actor, ("c1", "g", PEOPLE), {}, {}, "m1"))


def test_a_batch_that_ended_is_closed(batches: Batches, ledger: Ledger) -> None:
    batches.after_process_message(StubBroker(), message())
    assert ledger.told == [("close", "c1", "m1")]


def test_a_retry_carries_only_the_failing_rows_and_the_batch_stays_open(batches: Batches, ledger: Ledger) -> None:
    again = message()
    batches.after_process_message(StubBroker(), again, exception=MayBeTriedAgain(frozenset({2})))
    assert again.args == ("c1", "g", [PEOPLE[1]])
    assert ledger.told == []


def test_any_other_exception_leaves_message_and_batch_unchanged(batches: Batches, ledger: Ledger) -> None:
    failed = message()
    batches.after_process_message(StubBroker(), failed, exception=ValueError())
    assert failed.args == ("c1", "g", PEOPLE)
    assert ledger.told == []


def test_a_retry_on_the_queue_is_recorded_with_its_delay(batches: Batches, ledger: Ledger) -> None:
    batches.after_enqueue(StubBroker(), message()._message, 1500)
    batches.after_enqueue(StubBroker(), message()._message, None)
    assert ledger.told == [("touch", "c1", "m1", 1500, [1, 2, 3])]


def test_the_rows_of_a_dead_letter_are_recorded(batches: Batches, ledger: Ledger) -> None:
    batches.after_nack(StubBroker(), message())
    assert ledger.told == [("record_dead_letter", "c1", "g", "m1", EXHAUSTED, [1, 2, 3])]


def test_messages_of_other_actors_are_ignored(batches: Batches, ledger: Ledger) -> None:
    other = message("ParseCsv")
    batches.after_process_message(StubBroker(), other)
    batches.after_enqueue(StubBroker(), other._message, 1)
    batches.after_nack(StubBroker(), other)
    assert ledger.told == []
