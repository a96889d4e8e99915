"""What a provider must be able to do. One file a provider beside this one."""

from __future__ import annotations

from typing import Protocol

from mail.message import Message
from mail.outcome import Outcome


class Provider(Protocol):
    """Hands messages over, one at a time, any number at once. Made before, and used in one event loop."""

    async def send(self, message: Message) -> Outcome:
        """Hand over one message. Never raises for what the provider or the network does: that is an outcome.

        A cancelled send may have been taken: its row is unknown.
        """

    async def close(self) -> None:
        """Give back connections and the like; nothing can be sent afterwards."""
