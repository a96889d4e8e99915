"""What Dramatiq's workers do with middleware hooks. The design relies on it, so no upgrade may change it unnoticed."""

from __future__ import annotations

import threading
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq.middleware import MiddlewareError, SkipMessage
from dramatiq.rate_limits import RateLimitExceeded

from middleware.admission import NotAdmitted, carry_only
from tests.support.dramatiq_stack import QUEUE, ActorHold, DramatiqStack, Notes

BEFORE = "before_process_message"


def stack_that_raises(client: redis.Redis, hook: str, error: Exception) -> DramatiqStack:
    """A stack with a middleware that raises."""
    return DramatiqStack(client, [Notes("bad", [], {hook: error})])


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a bug"),
        RateLimitExceeded("no"),  # type: ignore[no-untyped-call]
        redis.ConnectionError("away"),
        redis.TimeoutError("slow"),
    ],
)
def test_the_actor_runs_after_any_exception_of_a_before_hook(redis_client: redis.Redis, error: Exception) -> None:
    stack = stack_that_raises(redis_client, BEFORE, error)
    stack.play.send("x")
    stack.perform()
    assert stack.played == [("x",)]


@pytest.mark.parametrize("error", [MiddlewareError("no"), NotAdmitted("no")])
def test_only_a_middleware_error_keeps_the_actor_from_running_and_costs_a_retry(
    redis_client: redis.Redis, error: Exception
) -> None:
    stack = stack_that_raises(redis_client, BEFORE, error)
    stack.play.send("x")
    stack.perform()
    assert stack.played == []
    assert stack.notes.count("first:after_process_message") == 2  # the message and its one retry
    assert stack.notes.count("first:after_nack") == 1


def test_a_skipped_message_costs_no_retry_and_calls_only_after_skip_message(redis_client: redis.Redis) -> None:
    # Given a middleware that skips the message once, as a requeue does
    stack = stack_that_raises(redis_client, BEFORE, SkipMessage())
    stack.play.send("x")
    # When a worker processes it
    stack.perform()
    # Then it is acknowledged, not retried, and no `after_process_message` is called
    assert stack.played == []
    assert [note for note in stack.notes if note.startswith("first:") and "shutdown" not in note] == [
        "first:after_enqueue",
        "first:before_process_message",
        "first:after_skip_message",
        "first:after_ack",
    ]
    assert stack.keys() == {}


def test_after_hooks_run_in_reverse_order(redis_client: redis.Redis) -> None:
    stack = DramatiqStack(redis_client)
    stack.play.send("x")
    stack.perform()
    notes = [note for note in stack.notes if "process_message" in note or note == "play"]
    assert notes == [
        "first:before_process_message",
        "last:before_process_message",
        "play",
        "last:after_process_message",
        "first:after_process_message",
    ]


def test_retries_enqueues_the_retry_before_the_original_is_acknowledged(
    redis_client: redis.Redis,
) -> None:
    stack = DramatiqStack(redis_client)
    stack.errors = [ValueError("once")]
    stack.play.send("x")
    stack.perform()
    assert stack.played == [("x",), ("x",)]
    start = stack.notes.index("play")
    # "last" comes after Retries, so its hook has run before; "first" comes before Retries, so its hook runs after.
    assert [note for note in stack.notes[start:] if note != "last:after_enqueue"][:4] == [
        "play",
        "last:after_process_message",
        "first:after_enqueue",
        "first:after_process_message",
    ]
    assert stack.notes.index("first:after_ack") > stack.notes.index("first:after_enqueue", start)


def test_a_retry_that_cannot_be_enqueued_is_lost_without_a_trace(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Therefore the ledger, not the queue, keeps the promise that nothing is lost."""
    # Given an actor that fails, and a Redis that is away at the moment of the enqueue
    stack = DramatiqStack(redis_client)
    stack.errors = [ValueError("once")]
    stack.play.send("x")

    def away(*_: Any, **__: Any) -> None:
        stack.notes.append("away")
        raise redis.ConnectionError("away")

    monkeypatch.setattr(stack.broker, "enqueue", away)
    # When a worker processes the message
    stack.perform()
    # Then Dramatiq swallows the exception and acknowledges the original, and nothing is left
    assert stack.notes.count("away") == 1
    assert stack.notes.count("first:after_ack") == 1
    assert stack.keys() == {}


class CarryOnlyTheSecond(dramatiq.Middleware):
    """Keeps the part of a batch that is to be retried, as `middleware.batches` does."""

    def after_process_message(
        self,
        _: Any,
        message: dramatiq.MessageProxy,
        *,
        result: Any = None,  # noqa: ARG002 - Dramatiq's signature
        exception: BaseException | None = None,
    ) -> None:
        if exception is not None:
            carry_only(message, message.args[2][1:2])


def test_a_retry_carries_what_an_after_hook_behind_retries_leaves_in_the_message(
    redis_client: redis.Redis,
) -> None:
    stack = DramatiqStack(redis_client, [CarryOnlyTheSecond()])
    stack.errors = [ValueError("once")]
    stack.play.send("c1", "g1", [[1], [2], [3]])
    stack.perform()
    assert stack.played == [("c1", "g1", [[1], [2], [3]]), ("c1", "g1", [[2]])]


class Ids(dramatiq.Middleware):
    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def before_process_message(self, _: Any, message: dramatiq.MessageProxy) -> None:
        self.seen.append((message.message_id, message.options["redis_message_id"]))


def test_a_retry_keeps_the_message_id_and_gets_another_redis_id(redis_client: redis.Redis) -> None:
    ids = Ids()
    stack = DramatiqStack(redis_client, [ids])
    stack.errors = [ValueError("once")]
    stack.play.send("x")
    stack.perform()
    (message_id, place), (message_id_again, place_again) = ids.seen
    assert message_id == message_id_again
    assert place != place_again


def test_a_final_failure_calls_after_nack(redis_client: redis.Redis) -> None:
    stack = DramatiqStack(redis_client)
    stack.errors = [ValueError("once"), ValueError("twice")]
    stack.play.send("x")
    stack.perform()
    # Acknowledged: the first attempt and the delayed copy, the latter perhaps while the second attempt runs.
    assert stack.notes.count("first:after_ack") == 2
    assert [note for note in stack.notes if note in {"play", "first:after_nack"}] == [
        "play",
        "play",
        "first:after_nack",
    ]
    assert stack.keys() == {f"dramatiq:{QUEUE}.XQ": "zset", f"dramatiq:{QUEUE}.XQ.msgs": "hash"}


def test_workers_stop_before_consumers_and_after_worker_shutdown_comes_last(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a worker that is processing a message and has prefetched others
    stack, hold = DramatiqStack(redis_client), ActorHold()
    monkeypatch.setattr(stack.play, "fn", lambda *_: hold.pass_through())
    for number in range(3):
        stack.play.send(number)
    with stack.working() as worker:
        assert hold.entered.wait(30)
        # When it is told to stop
        stopping = threading.Thread(target=worker.stop)
        stopping.start()
        # Then its consumers live on, and its heartbeat with them, until the message is finished
        worker.consumers[QUEUE].join(0.1)
        assert worker.consumers[QUEUE].is_alive()
        assert "last:before_worker_shutdown" in stack.notes
        assert "last:before_consumer_thread_shutdown" not in stack.notes
        hold.opened.set()
        stopping.join(30)
        order = [note for note in stack.notes if note.startswith("last:") and "enqueue" not in note]
        assert order[:2] == ["last:before_process_message", "last:before_worker_shutdown"]
        assert order[2:5] == [
            "last:after_process_message",
            "last:after_ack",
            "last:before_worker_thread_shutdown",
        ]
        assert set(order[5:-1]) == {"last:before_consumer_thread_shutdown"}
        assert order[-1] == "last:after_worker_shutdown"
        # And the prefetched messages are on the queue again
        assert redis_client.llen(f"dramatiq:{QUEUE}") == 2
        monkeypatch.setattr(worker, "stop", lambda *_: None)  # the worker has stopped already
