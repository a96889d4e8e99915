"""Dramatiq's event loop thread for async actors, on uvloop."""

from __future__ import annotations

import dramatiq
import uvloop
from dramatiq.asyncio import EventLoopThread, set_event_loop_thread
from dramatiq.middleware import AsyncIO


class _UvloopThread(EventLoopThread):
    def __init__(self, logger: object) -> None:
        super().__init__(logger)
        self.loop.close()
        self.loop = uvloop.new_event_loop()


class EventLoop(AsyncIO):
    """As Dramatiq's `AsyncIO`, with uvloop's loop (measured in `docs/benchmarks.md`)."""

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        thread = _UvloopThread(self.logger)
        thread.start(timeout=5.0)
        set_event_loop_thread(thread)
