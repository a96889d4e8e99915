"""The admission middleware when Redis loses a reply or goes away."""

from __future__ import annotations

import threading
from typing import Any

import dramatiq
import pytest
import redis

from campaigns import keys
from middleware.admission import CLAIM_ID, Admission, Requeued
from tests.support.ledger_harness import Batch, LedgerHarness


class LosesReplies:
    """A ledger whose Redis carries out a call and then loses the reply, `times` times."""

    def __init__(self, harness: LedgerHarness, times: int) -> None:
        self._harness = harness
        self.left = times

    def admit(self, *args: Any, claim_id: str) -> Any:
        grant = self._harness.ledger.admit(*args, claim_id=claim_id)
        if self.left:
            self.left -= 1
            raise redis.ConnectionError("gone before it answered")
        return grant

    def __getattr__(self, name: str) -> Any:
        return getattr(self._harness.ledger, name)


class CannotRequeue:
    """A ledger whose Redis goes away after it has admitted, for `times` calls."""

    def __init__(self, harness: LedgerHarness, times: int) -> None:
        self._harness = harness
        self.left = times

    def requeue(self, *args: Any, **more: Any) -> Any:
        if self.left:
            self.left -= 1
            raise redis.ConnectionError("gone")
        return self._harness.ledger.requeue(*args, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._harness.ledger, name)


def as_message(batch: Batch) -> dramatiq.MessageProxy:
    message: dramatiq.Message[Any] = dramatiq.Message(
        "send_email",
        "SendEmail",
        (batch.campaign_id, batch.list_version, batch.recipients),
        {},
        {},
        message_id=batch.batch_id,
    )
    return dramatiq.MessageProxy(message)


def test_a_call_whose_reply_was_lost_gets_the_same_grant_again(
    harness: LedgerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a Redis that claims rows and dies before it replies, when the middleware asks again, then the rows are
    granted.
    """
    monkeypatch.setattr("campaigns.db.retrying.PAUSE_S", 0)
    harness.start(rows=10)
    (batch,) = harness.batches()
    ledger: Any = LosesReplies(harness, times=2)
    message = as_message(batch)
    Admission(ledger, "w1", threading.Event()).before_process_message(None, message)  # type: ignore[arg-type]
    assert ledger.left == 0
    assert [recipient.row for recipient in message.args[2]] == batch.rows
    assert harness.report().in_flight == 10
    claims = harness.redis.hvals(keys.of("c1", "in_flight"))
    assert {claim.decode().rpartition("|")[2] for claim in claims} == {message.options[CLAIM_ID]}


def test_a_call_repeated_after_a_pause_is_denied(harness: LedgerHarness) -> None:
    """Given a lost reply, when the campaign was paused before the call is repeated, then the rows go back."""
    harness.start(rows=10)
    (batch,) = harness.batches()
    harness.ledger.admit("c1", batch.list_version, batch.batch_id, "w1", batch.recipients, claim_id="n1")
    harness.controls.pause("c1")
    again = harness.ledger.admit("c1", batch.list_version, batch.batch_id, "w1", batch.recipients, claim_id="n1")
    assert (again.verdict, again.granted, len(again.denied)) == ("paused", frozenset(), 10)
    assert harness.report().in_flight == 0


def test_granted_rows_are_sent_even_if_the_denied_ones_cannot_be_requeued(harness: LedgerHarness) -> None:
    """Given a Redis that goes away before the requeue, then the granted rows are sent, and Reconcile finds the
    others.
    """
    harness.start(rows=10)
    (batch,) = harness.batches()
    harness.controls.set_rate("c1", 4)
    message = as_message(batch)
    Admission(CannotRequeue(harness, 1), "w1", threading.Event()).before_process_message(None, message)  # type: ignore[arg-type]
    assert len(message.args[2]) == 4
    assert harness.reconciler.reconcile(harness.catalog.get("c1")).repaired == {"lost": 6}


def test_denied_rows_are_requeued_once_redis_is_back(harness: LedgerHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.db.retrying.PAUSE_S", 0)
    harness.start(rows=10)
    (batch,) = harness.batches()
    harness.controls.pause("c1")
    with pytest.raises(Requeued):
        Admission(CannotRequeue(harness, 3), "w1", threading.Event()).before_process_message(None, as_message(batch))  # type: ignore[arg-type]
    assert harness.reconciler.reconcile(harness.catalog.get("c1")).found == {}


def test_a_row_that_a_batch_carries_twice_is_sent_once(harness: LedgerHarness) -> None:
    """Given two copies of a message, each of them denied in part and requeued, whose rows one batch then carries."""
    harness.start(rows=10)
    (batch,) = harness.batches()
    batch.recipients *= 2
    message = as_message(batch)
    Admission(harness.ledger, "w1", threading.Event()).before_process_message(None, message)  # type: ignore[arg-type]
    assert [recipient.row for recipient in message.args[2]] == list(range(1, 11))
    assert harness.report().sent_last_minute == 10
