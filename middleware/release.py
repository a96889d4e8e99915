"""Release: a thread in every worker process that ticks the pacer; the one that holds the lease releases for all.

What a tick asks for (feeding, reconciling, parsing anew) goes out as messages to whichever worker is free.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import dramatiq
import structlog
from redis import Redis, RedisError

from campaigns import keys, messages, refusals, retrying
from campaigns.pacer import Pacer, Tick
from middleware.doorbell import Doorbell

log = structlog.get_logger(__name__)

#: What the doorbell calls the pacer, as it calls consumers by their queue.
BELL: Final = "release"


class Release(dramatiq.Middleware):
    """Runs the pacer from the worker's boot to the end of its last message: its ticks are the worker's heartbeat too.

    Args:
        redis: where the messages that a tick asks for are sent.
        pacer: makes the pacer for so many messages at once.
        worker_id: names this process.
        stopping: set here when the worker shuts down.
        doorbell: rings for `BELL` when recipients wait where none did.
    """

    def __init__(
        self,
        redis: Redis,
        pacer: Callable[[int], Pacer],
        worker_id: str,
        stopping: threading.Event,
        doorbell: Doorbell,
    ) -> None:
        self._redis: Any = redis  # its stubs do not know that answers are bytes here
        self._pacer = pacer
        self._worker_id = worker_id
        self._stopping = stopping
        self._doorbell = doorbell
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        pacer = self._pacer(worker.worker_threads)
        self._thread = threading.Thread(target=self._run, args=(pacer,), name="release", daemon=True)
        self._thread.start()
        log.info("worker_started", worker_id=self._worker_id, threads=worker.worker_threads)

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        self._stopping.set()

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        self._ended.set()
        self._doorbell.ring(BELL)
        if self._thread is not None:
            self._thread.join(timeout=5)
        log.info("worker_stopped", worker_id=self._worker_id)

    def _run(self, pacer: Pacer) -> None:
        """Tick until the end. Not `retrying.until_answered`: the thread outlives errors of any kind, and each tick asks
        for what is due by then.
        """
        while not self._ended.is_set():
            self._doorbell.clear(BELL)
            listens = False
            try:
                pacer.find_claims()
                tick = pacer.tick()
                listens = tick.leader or tick.idle
                self._ask_for(tick)
                wait_s = tick.wait_ms / 1000
            except Exception as error:  # of any kind: without this thread the worker is dead to the others
                with suppress(Exception):  # not even of a line that cannot be written
                    log.error(
                        "release_delayed",
                        error=type(error).__name__,
                        reason=refusals.words(error),
                        exc_info=not isinstance(error, RedisError),
                    )
                wait_s = retrying.PAUSE_S
            if not listens:
                self._ended.wait(wait_s)
            elif not self._ended.is_set():
                self._doorbell.wait(BELL, wait_s)
        try:
            pacer.leave()
        except RedisError as error:
            log.warning("leaving_unnoticed", error=type(error).__name__)

    def _ask_for(self, tick: Tick) -> None:
        for campaign_id, rows in tick.expired:
            log.warning("claims_expired", campaign_id=campaign_id, rows=rows)
        for campaign_id in tick.feed:
            self._send(messages.PARSE_CSV, campaign_id, 0)
        for campaign_id in tick.parse:
            log.warning("parser_lost", campaign_id=campaign_id)
            self._send(messages.PARSE_CSV, campaign_id)
        for campaign_id in tick.refused:
            log.error("campaign_refused", campaign_id=campaign_id)
        for campaign_id in tick.reconcile:
            messages.send(self._redis, messages.RECONCILE, campaign_id)

    def _send(self, actor: str, campaign_id: str, *args: int) -> None:
        generation = self._redis.hget(keys.campaign(campaign_id), "generation")
        if generation:
            messages.send(self._redis, actor, campaign_id, generation.decode(), *args)
