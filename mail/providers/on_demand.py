"""A provider that is built when the first email is sent: the web process seldom sends any."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mail.message import Message
from mail.outcome import Outcome
from mail.providers.base import Provider


class OnDemand:
    """The provider that the settings name. Used in one event loop.

    Args:
        build: builds the provider.
    """

    def __init__(self, build: Callable[[], Provider]) -> None:
        self._build = build
        self._built: Provider | None = None

    async def send(self, message: Message) -> Outcome:
        """See `Provider`. Raises what building the provider raises."""
        if self._built is None:
            # Loading the certificates takes some 10 ms.
            made = await asyncio.to_thread(self._build)
            if self._built is None:
                self._built = made
            else:  # another email has been faster
                await made.close()
        return await self._built.send(message)

    async def close(self) -> None:
        """See `Provider`."""
        built, self._built = self._built, None
        if built is not None:
            await built.close()
