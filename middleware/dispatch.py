"""Dispatch: a thread in every worker process runs the dispatcher's rounds. The worker with the lease dispatches.

If a round requests work (prefetching, reconciling, parsing again), the thread sends it as messages to any free worker.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import dramatiq
import structlog
from redis import Redis, RedisError

from campaigns import keys, messages
from campaigns.db import refusals, retrying
from campaigns.db.typed_redis import typed
from campaigns.dispatcher import Dispatcher, DispatchResult
from campaigns.errors import CampaignError
from middleware.notifier import Notifier

log = structlog.get_logger(__name__)

#: The dispatcher's name for the notifier. Consumers use the name of their queue.
TOPIC: Final = "dispatch"


class Dispatch(dramatiq.Middleware):
    """Runs the dispatcher from the worker's boot to the end of its last message. Its rounds are also its heartbeat.

    Args:
        redis: receives the messages that a round requests.
        dispatcher: builds the dispatcher for a number of concurrent messages.
        worker_id: identifies this process.
        stopping: set here when the worker shuts down.
        notifier: notifies `TOPIC` when recipients become ready where none were.
    """

    def __init__(
        self,
        redis: Redis,
        dispatcher: Callable[[int], Dispatcher],
        worker_id: str,
        stopping: threading.Event,
        notifier: Notifier,
    ) -> None:
        self._redis = typed(redis)
        self._dispatcher = dispatcher
        self._worker_id = worker_id
        self._stopping = stopping
        self._notifier = notifier
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        dispatcher = self._dispatcher(worker.worker_threads)
        self._thread = threading.Thread(target=self._run, args=(dispatcher,), name="dispatcher", daemon=True)
        self._thread.start()
        log.info("worker_started", worker_id=self._worker_id, threads=worker.worker_threads)

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        self._stopping.set()

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        self._ended.set()
        self._notifier.notify(TOPIC)
        if self._thread is not None:
            self._thread.join(timeout=5)
        log.info("worker_stopped", worker_id=self._worker_id)

    def _run(self, dispatcher: Dispatcher) -> None:
        """Run rounds until the worker ends.

        It cannot use `retrying.until_answered`: the thread must survive errors of any kind, and each round requests
        what is due by then.
        """
        while not self._ended.is_set():
            self._notifier.clear(TOPIC)
            listens = False
            try:
                dispatcher.find_claims()
                result = dispatcher.dispatch()
                listens = result.leader or result.idle
                self._ask_for(result)
                self._renew_windows(dispatcher, result)
                wait_s = result.wait_ms / 1000
            except Exception as error:  # any error: without this thread the worker counts as dead
                with suppress(Exception):  # an error of logging must not end the thread either
                    log.error(
                        "dispatch_delayed",
                        error=type(error).__name__,
                        reason=refusals.words(error),
                        exc_info=not isinstance(error, RedisError),
                    )
                wait_s = retrying.PAUSE_S
            if not listens:
                self._ended.wait(wait_s)
            elif not self._ended.is_set():
                self._notifier.wait(TOPIC, wait_s)
        try:
            dispatcher.leave()
        except RedisError as error:
            log.warning("leaving_unnoticed", error=type(error).__name__)

    def _ask_for(self, result: DispatchResult) -> None:
        for campaign_id, rows in result.expired:
            log.warning("claims_expired", campaign_id=campaign_id, rows=rows)
        for campaign_id in result.prefetch:
            self._send(messages.PARSE_CSV, campaign_id, 0)
        for campaign_id in result.parse:
            log.warning("parser_lost", campaign_id=campaign_id)
            self._send(messages.PARSE_CSV, campaign_id)
        for campaign_id in result.refused:
            log.error("campaign_refused", campaign_id=campaign_id)
        for campaign_id in result.reconcile:
            messages.send(self._redis, messages.RECONCILE, campaign_id)

    @staticmethod
    def _renew_windows(dispatcher: Dispatcher, result: DispatchResult) -> None:
        for campaign_id in result.windows:
            try:
                dispatcher.renew_windows(campaign_id, result.now_ms)
            except CampaignError as error:
                log.error("windows_not_renewed", campaign_id=campaign_id, reason=error.detail)

    def _send(self, actor: str, campaign_id: str, *args: int) -> None:
        list_version = self._redis.hget(keys.campaign(campaign_id), "list_version")
        if list_version:
            messages.send(self._redis, actor, campaign_id, list_version.decode(), *args)
