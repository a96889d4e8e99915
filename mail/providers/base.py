"""The interface of a provider. Each provider has a file beside this one."""

from __future__ import annotations

from typing import Protocol

from mail.message import Message
from mail.outcome import Outcome


class Provider(Protocol):
    """Sends messages: one per call, any number of calls at once. Made outside of the event loop, used in one loop."""

    async def send(self, message: Message) -> Outcome:
        """Send one message. Errors of the provider or the network are outcomes, never exceptions.

        The provider may have accepted a message whose send was cancelled: its row is unknown.
        """

    async def close(self) -> None:
        """Release connections and other resources; no message can be sent afterwards."""
