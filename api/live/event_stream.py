"""Live status as Server-Sent Events (WHATWG HTML, 9.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from api.live.feeds import Feeds

MEDIA_TYPE: Final = "text/event-stream"
#: After this much silence a comment goes out, in seconds, so that no proxy takes the connection for dead.
HEARTBEAT_S: Final = 15.0
#: How long a browser waits before it reconnects, in ms.
RETRY_MS: Final = 2000


async def stream(feeds: Feeds, campaign_id: str) -> AsyncIterator[bytes]:
    """The status now and after each change, until the feed ends."""
    yield b"retry: %d\n\n" % RETRY_MS
    async with feeds.watch(campaign_id) as listener:
        while not listener.ended:
            if heard := await listener.next(HEARTBEAT_S):
                yield b"id: %d\ndata: %s\n\n" % heard
            elif not listener.ended:
                yield b": still here\n\n"
