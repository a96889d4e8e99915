"""The interface of a provider. Each provider has a file beside this one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from mail.attachment import Attachment
from mail.mail_merge import Share
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


class MergedRequest(Protocol):
    """Requests of one campaign that carry several recipients each: what they share is encoded once."""

    def encode(self, share: Share) -> bytes | None:
        """A recipient's share as `send` takes it; None: it is too large for a merge, and the recipient goes alone."""

    async def send(self, shares: Sequence[bytes], attachments: Sequence[Attachment]) -> Sequence[Outcome | None]:
        """Send one request to these recipients, each address at most once.

        Returns:
            The outcome of each. None: the provider took none of them, and did not say who of these is at fault: fewer
            may pass. At least one of several recipients gets an outcome, or all get None.
        """


@runtime_checkable
class Merging(Protocol):
    """A provider that can send one request to many recipients. `most`: the most of one request; 1: it does not."""

    most: int

    def merged(self, message: Message) -> MergedRequest:
        """The requests of a campaign.

        Args:
            message: what its recipients share, see `mail.mail_merge.MailMerge`.
        """
