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

from campaigns import connection, keys

log = structlog.get_logger(__name__)

#: The time between two tries to get a connection, in seconds.
RETRY_S: Final = 0.5
#: How long Redis may take to let this process listen, in seconds.
ANSWER_S: Final = 5.0


class Lifeline:
    """Listens as long as it runs."""

    def __init__(self, redis_url: str) -> None:
        self._redis_url = redis_url
        #: Whether the connection stands. False as well where Redis does not allow to listen.
        self.holds = False

    async def run(self, changed: Callable[[str | None], None]) -> None:
        """Listen, again and again, until it is cancelled.

        Args:
            changed: called with a campaign's id when an operator has changed it, with None where it may be any.
        """
        while True:
            try:
                await self._listen(changed)
            except (RedisError, OSError) as error:
                log.debug("lifeline_lost", error=type(error).__name__)
            await asyncio.sleep(RETRY_S)

    async def _listen(self, changed: Callable[[str | None], None]) -> None:
        # Its PubSub would get a new connection, and say nothing of the loss until it has failed to. Silence is no loss:
        # a connection that has nobody at its other end is found by keepalive (`campaigns.connection`).
        pool: Any = ConnectionPool.from_url(  # has few types
            self._redis_url,
            protocol=2,
            socket_connect_timeout=2.0,
            socket_timeout=None,
            **connection.watched(self._redis_url),
        )
        async with aclosing(pool):
            line = await pool.get_connection()
            try:
                async with asyncio.timeout(ANSWER_S):
                    await line.send_command("SUBSCRIBE", keys.CHANGED)
                    await line.read_response()
                changed(None)  # whatever it has not heard of
                self.holds = True
                while True:
                    _kind, _channel, campaign_id = await line.read_response()
                    changed(campaign_id.decode())
            finally:
                self.holds = False
