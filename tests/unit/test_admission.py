"""The admission middleware when an answer is lost on its way."""

from __future__ import annotations

import threading
from typing import Any

import dramatiq
import pytest
import redis

from campaigns import keys
from middleware.admission import NONCE, Admission, Deferred
from tests.support.ledger_harness import LedgerHarness, Run


class LosesAnswers:
    """The ledger behind a Redis that carries a question out and loses the answer, so many times."""

    def __init__(self, harness: LedgerHarness, times: int) -> None:
        self._harness = harness
        self.left = times

    def admit(self, *question: Any, nonce: str) -> Any:
        grant = self._harness.ledger.admit(*question, nonce=nonce)
        if self.left:
            self.left -= 1
            raise redis.ConnectionError("gone before it answered")
        return grant

    def __getattr__(self, name: str) -> Any:
        return getattr(self._harness.ledger, name)


class CannotDefer:
    """The ledger behind a Redis that goes away after it has admitted, for so many questions."""

    def __init__(self, harness: LedgerHarness, times: int) -> None:
        self._harness = harness
        self.left = times

    def defer(self, *args: Any, **more: Any) -> Any:
        if self.left:
            self.left -= 1
            raise redis.ConnectionError("gone")
        return self._harness.ledger.defer(*args, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._harness.ledger, name)


def as_message(run: Run) -> dramatiq.MessageProxy:
    message: dramatiq.Message[Any] = dramatiq.Message(
        "send_email", "SendEmail", (run.campaign_id, run.generation, run.recipients), {}, {}, message_id=run.run_id
    )
    return dramatiq.MessageProxy(message)


def test_an_answer_that_was_lost_is_given_again(harness: LedgerHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a Redis that claims rows and dies before it says so, when it is asked again, then they are granted."""
    monkeypatch.setattr("campaigns.retrying.PAUSE_S", 0)
    harness.start(rows=10)
    (run,) = harness.runs()
    ledger: Any = LosesAnswers(harness, times=2)
    message = as_message(run)
    Admission(ledger, "w1", threading.Event()).before_process_message(None, message)  # type: ignore[arg-type]
    assert ledger.left == 0
    assert [recipient[0] for recipient in message.args[2]] == run.rows
    assert harness.report().in_flight == 10
    claims = harness.redis.hvals(keys.of("c1", "flight"))
    assert {claim.decode().rpartition("|")[2] for claim in claims} == {message.options[NONCE]}


def test_a_question_asked_again_after_a_pause_is_denied(harness: LedgerHarness) -> None:
    """Given an answer that was lost, when the campaign has been paused since, then the rows go back."""
    harness.start(rows=10)
    (run,) = harness.runs()
    harness.ledger.admit("c1", run.generation, run.run_id, "w1", run.recipients, nonce="n1")
    harness.controls.pause("c1")
    again = harness.ledger.admit("c1", run.generation, run.run_id, "w1", run.recipients, nonce="n1")
    assert (again.verdict, again.granted, len(again.denied)) == ("paused", frozenset(), 10)
    assert harness.report().in_flight == 0


def test_granted_rows_are_sent_where_the_others_cannot_be_put_back(harness: LedgerHarness) -> None:
    """Given a Redis that goes away between the two, then what was granted goes out, and Reconcile finds the rest."""
    harness.start(rows=10)
    (run,) = harness.runs()
    harness.controls.set_rate("c1", 4)
    message = as_message(run)
    Admission(CannotDefer(harness, 1), "w1", threading.Event()).before_process_message(None, message)  # type: ignore[arg-type]
    assert len(message.args[2]) == 4
    assert harness.reconciler.reconcile(harness.catalog.get("c1")).repaired == {"lost": 6}


def test_denied_rows_are_put_back_once_redis_is_there_again(
    harness: LedgerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("campaigns.retrying.PAUSE_S", 0)
    harness.start(rows=10)
    (run,) = harness.runs()
    harness.controls.pause("c1")
    with pytest.raises(Deferred):
        Admission(CannotDefer(harness, 3), "w1", threading.Event()).before_process_message(None, as_message(run))  # type: ignore[arg-type]
    assert harness.reconciler.reconcile(harness.catalog.get("c1")).found == {}
