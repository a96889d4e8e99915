"""A connection to Redis on which this process only listens: it ends at the moment when Redis does, and brings word of
what operators change through other web processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Any, Final

import structlog
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from campaigns import keys

log = structlog.get_logger(__name__)

#: The time between two tries to get a connection, in seconds: longer than any status is kept.
RETRY_S: Final = 0.5


class Lifeline:
    """Listens as long as it runs."""

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url
        #: Whether the connection stands. False as well where Redis does not allow to listen.
        self.holds = False

    async def run(self, changed: Callable[[str], None]) -> None:
        """Listen, again and again, until it is cancelled.

        Args:
            changed: called with a campaign's id when an operator has changed it.
        """
        while True:
            try:
                await self._listen(changed)
            except (RedisError, OSError) as error:
                log.debug("lifeline_lost", error=type(error).__name__)
            finally:
                self.holds = False
            await asyncio.sleep(RETRY_S)

    async def _listen(self, changed: Callable[[str], None]) -> None:
        # Its PubSub would get a new connection, and say nothing of the loss until it has failed to.
        pool: Any = ConnectionPool.from_url(self._redis_url, protocol=2, socket_connect_timeout=2.0)  # has few types
        async with aclosing(pool):
            line = await pool.get_connection()
            await line.send_command("SUBSCRIBE", keys.CHANGED)
            await line.read_response()
            self.holds = True
            while True:
                _kind, _channel, campaign_id = await line.read_response(timeout=None)
                changed(campaign_id.decode())
