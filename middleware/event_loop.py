"""Dramatiq's event loop thread for async actors, on uvloop."""

from __future__ import annotations

import dramatiq
from dramatiq.asyncio import set_event_loop_thread
from dramatiq.middleware import AsyncIO

from broker.dramatiq_private import UvloopThread


class EventLoop(AsyncIO):
    """As Dramatiq's `AsyncIO`, with uvloop's loop (measured in `docs/benchmarks.md`)."""

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        thread = UvloopThread(self.logger)
        thread.start(timeout=5.0)
        set_event_loop_thread(thread)
