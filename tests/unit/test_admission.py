"""The admission middleware when an answer is lost on its way."""

from __future__ import annotations

import threading
from typing import Any

import dramatiq
import pytest
import redis

from middleware.admission import Admission
from tests.world import Run, World


class LosesAnswers:
    """The ledger behind a Redis that carries a question out and loses the answer, so many times."""

    def __init__(self, world: World, times: int) -> None:
        self._world = world
        self.left = times

    def admit(self, *question: Any, nonce: str) -> Any:
        grant = self._world.ledger.admit(*question, nonce=nonce)
        if self.left:
            self.left -= 1
            raise redis.ConnectionError("gone before it answered")
        return grant

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.ledger, name)


def as_message(run: Run) -> dramatiq.MessageProxy:
    message: dramatiq.Message[Any] = dramatiq.Message(
        "send_email", "SendEmail", (run.campaign_id, run.generation, run.recipients), {}, {}, message_id=run.run_id
    )
    return dramatiq.MessageProxy(message)


def test_an_answer_that_was_lost_is_given_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a Redis that claims rows and dies before it says so, when it is asked again, then they are granted."""
    monkeypatch.setattr("middleware.admission.ASK_AGAIN_S", 0)
    world.start(rows=10)
    (run,) = world.runs()
    ledger: Any = LosesAnswers(world, times=2)
    message = as_message(run)
    Admission(ledger, "w1", threading.Event()).before_process_message(None, message)  # type: ignore[arg-type]
    assert ledger.left == 0
    assert [recipient[0] for recipient in message.args[2]] == run.rows
    assert world.report().in_flight == 10
