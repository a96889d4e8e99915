"""A Dramatiq worker on a real Redis inside the test, with middleware that records which hooks are called, in order."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Final

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Retries

from tests.support.waiting import until

QUEUE: Final = "stack"
#: Hooks that a worker calls about messages and about itself.
HOOKS: Final = (
    *("before_process_message", "after_process_message", "after_skip_message"),
    *("after_ack", "after_nack", "after_enqueue"),
    *("before_worker_shutdown", "before_worker_thread_shutdown"),
    *("before_consumer_thread_shutdown", "after_worker_shutdown"),
)


class Notes(dramatiq.Middleware):
    """Records each hook with this middleware's name in front: `name:hook`. `raises`: hook -> what it raises
    after that.
    """

    def __init__(self, name: str, notes: list[str], raises: dict[str, Exception] | None = None) -> None:
        for hook in HOOKS:
            setattr(self, hook, self._noting(f"{name}:{hook}", notes, (raises or {}).get(hook)))

    @staticmethod
    def _noting(note: str, notes: list[str], error: Exception | None) -> Any:
        def hook(*_: Any, **__: Any) -> None:
            notes.append(note)
            if error is not None:
                raise error

        return hook


class DramatiqStack:
    """A broker with one actor, `play`, which runs `act` and records that it did."""

    def __init__(self, client: redis.Redis, middleware: Sequence[dramatiq.Middleware] = ()) -> None:
        self.client: Any = client
        self.notes: list[str] = []
        self.played: list[tuple[Any, ...]] = []
        self.errors: list[Exception] = []
        retries = Retries(max_retries=1, min_backoff=1, max_backoff=2)
        every = [Notes("first", self.notes), retries, *middleware, Notes("last", self.notes)]
        self.broker: Any = RedisBroker(client=client, middleware=every)  # type: ignore[no-untyped-call]
        self.play = dramatiq.actor(actor_name="play", queue_name=QUEUE, broker=self.broker)(self._play)

    def _play(self, *args: Any) -> None:
        self.notes.append("play")
        self.played.append(args)
        if self.errors:
            raise self.errors.pop(0)

    @contextlib.contextmanager
    def working(self, threads: int = 1) -> Iterator[dramatiq.Worker]:
        """A worker that runs until the end of the block."""
        worker = dramatiq.Worker(self.broker, worker_timeout=10, worker_threads=threads)
        worker.start()
        try:
            yield worker
        finally:
            worker.stop(10_000)

    def perform(self) -> None:
        """Work until the queue is empty, then stop."""
        with self.working():
            until(lambda: self.broker.do_qsize(QUEUE) == 0, "an empty queue")

    def keys(self) -> dict[str, Any]:
        """What the queue has left behind in Redis, by key; without the heartbeats."""
        names = sorted(name.decode() for name in self.client.keys("dramatiq:*"))
        return {name: self.client.type(name).decode() for name in names if "__heartbeats__" not in name}


class ActorHold:
    """Holds an actor until the test lets it continue. `entered`: the actor has begun; `opened`: set it to let the actor
    continue.
    """

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def pass_through(self) -> None:
        self.entered.set()
        assert self.opened.wait(30)
