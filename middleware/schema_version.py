"""SchemaVersion: ends a worker with one line if Redis holds another schema or is of a wrong kind.

Until then the connections themselves refuse all work (`campaigns.db.schema`).
"""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Final

import dramatiq
import structlog
from redis import Redis, RedisError

from campaigns.db import refusals, retrying
from campaigns.db.server import WrongRedis

log = structlog.get_logger(__name__)

#: Time between two log lines that say that Redis is unavailable, in s.
SAY_AGAIN_S: Final = 15.0


class SchemaVersion(dramatiq.Middleware):
    """Stands first in the list of middleware, so that nothing has started yet if the worker ends at its boot.

    Args:
        stopping: set when the worker shuts down.
    """

    def __init__(self, redis: Redis, stopping: threading.Event) -> None:
        self._redis = redis
        self._stopping = stopping
        self._refusal: WrongRedis | None = None

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        try:
            self._redis.ping()
        except WrongRedis as error:
            raise _ending(error) from None
        except RedisError as error:
            _say(error)
            threading.Thread(target=self._watch, name="schema-version", daemon=True).start()

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        if self._refusal is not None:
            raise _ending(self._refusal)

    def _watch(self) -> None:
        """Wait until Redis is available, and check it then."""
        said_at = time.monotonic()

        def away(error: RedisError) -> None:
            nonlocal said_at
            if isinstance(error, WrongRedis):
                raise error
            if time.monotonic() - said_at > SAY_AGAIN_S:
                said_at = time.monotonic()
                _say(error)

        try:
            retrying.until_answered(self._redis.ping, self._stopping, away)
        except WrongRedis as error:
            self._refusal = error
            os.kill(os.getpid(), signal.SIGTERM)  # Dramatiq's own way to stop a worker process
        except retrying.StoppedWithoutRedis:
            return
        else:
            log.info("redis_there")


def _ending(error: WrongRedis) -> SystemExit:
    return SystemExit(f"postrider: {error}")


def _say(error: RedisError) -> None:
    reason = refusals.words(error)
    log.warning("redis_away", error=type(error).__name__, reason=reason, retry_in_s=retrying.PAUSE_S)
