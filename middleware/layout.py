"""Layout: a worker that finds another layout in Redis ends with one line. That it does no work until then is seen to by
the connections themselves (`campaigns.layout`).
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Final

import dramatiq
import structlog
from redis import Redis, RedisError

from campaigns.layout import WrongLayout

log = structlog.get_logger(__name__)

#: How long to wait before asking a Redis again that is away, in s.
ASK_AGAIN_S: Final = 0.5


class Layout(dramatiq.Middleware):
    """Stands first in the list, so that nothing has been started where the worker ends at its boot.

    Args:
        stopping: set when the worker shuts down.
    """

    def __init__(self, redis: Redis, stopping: threading.Event) -> None:
        self._redis = redis
        self._stopping = stopping
        self._refusal: WrongLayout | None = None

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        try:
            self._redis.ping()
        except WrongLayout as error:
            raise _ending(error) from None
        except RedisError as error:
            log.warning("redis_away", error=type(error).__name__)
            threading.Thread(target=self._watch, name="layout", daemon=True).start()

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        if self._refusal is not None:
            raise _ending(self._refusal)

    def _watch(self) -> None:
        """Redis comes later than the worker: what it holds is known only then."""
        while not self._stopping.wait(ASK_AGAIN_S):
            try:
                self._redis.ping()
            except WrongLayout as error:
                self._refusal = error
                os.kill(os.getpid(), signal.SIGTERM)  # Dramatiq's own way to stop a worker process
                return
            except RedisError:
                continue
            log.info("redis_there")
            return


def _ending(error: WrongLayout) -> SystemExit:
    return SystemExit(f"postrider: {error}")
