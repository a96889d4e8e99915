"""Merged requests: sends the recipients of a batch in requests to several recipients each.

If the provider refuses such a request without saying who is at fault, smaller ones narrow that down, to requests to one
recipient in the end. Such a request is that of an unmerged campaign, so only recipients who would be refused alone are.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence
from typing import Final, NamedTuple, Protocol

import structlog

from lists.recipient import Recipient
from mail.mail_merge import MailMerge
from mail.outcome import Kind, Outcome
from mail.providers.base import MergedRequest, Merging, Provider
from mail.rendering import Renderer

log = structlog.get_logger(__name__)

#: The longest time after which a further request narrows down, in s. The rest is requeued then, well before the age at
#: which a claim expires.
PATIENCE_S: Final = 10.0

#: A recipient and its encoded share.
Encoded = tuple[Recipient, bytes]


class Split(NamedTuple):
    """A batch as requests: those to several recipients, and the recipients who go alone."""

    requests: Sequence[Sequence[Encoded]]
    alone: Sequence[Recipient]


class MergedCampaign:
    """The merged requests of one campaign. `most`: the most recipients of one request; it falls as requests fail."""

    def __init__(self, merge: MailMerge, request: MergedRequest, most: int) -> None:
        self.most = most
        self.request = request
        self._merge = merge

    @classmethod
    def of(cls, provider: Provider, renderer: Renderer) -> MergedCampaign | None:
        """The requests of a campaign through a provider; None: each recipient goes alone."""
        if not isinstance(provider, Merging) or provider.most == 1 or not (merge := MailMerge.of(renderer)):
            return None
        return cls(merge, provider.merged(merge.message), provider.most)

    def split(self, recipients: Sequence[Recipient]) -> Split:
        """The requests to these recipients. No request has an address twice."""
        if min(self.most, len(recipients)) == 1:
            return Split([], recipients)
        requests: list[list[Encoded]] = [[]]
        alone: list[Recipient] = []
        addresses: set[str] = set()
        for recipient in recipients:
            address = recipient.address.lower()
            share = self._merge.share(recipient.row, recipient.address, recipient.values)
            encoded = self.request.encode(share) if share and address not in addresses else None
            if encoded is None:
                alone.append(recipient)
                continue
            if len(requests[-1]) == self.most:
                requests.append([])
                addresses.clear()
            addresses.add(address)
            requests[-1].append((recipient, encoded))
        return Split([request for request in requests if request], alone)


class Sender(Protocol):
    """What a batch's delivery does with its recipients."""

    async def send_alone(self, recipient: Recipient) -> None:
        """Send to one recipient in a request of its own, and settle it."""

    async def send_merged(self, shares: Sequence[bytes]) -> Sequence[Outcome | None]:
        """Send one request, see `MergedRequest`; never raises."""

    def settle(self, recipients: Sequence[Recipient], outcome: Outcome, started: float) -> None:
        """Settle recipients of one request with one outcome. `started`: its begin, by `time.perf_counter`."""

    async def is_sending(self) -> bool:
        """Whether the campaign still sends this list."""


class Narrowing:
    """The requests of one batch, until each recipient is settled."""

    def __init__(self, campaign: MergedCampaign, sender: Sender) -> None:
        self._campaign = campaign
        self._sender = sender
        self._deadline = time.monotonic() + PATIENCE_S

    async def send(self, request: Sequence[Encoded]) -> bool:
        """Send to these recipients. Returns whether the provider decided about all of them at once."""
        if len(request) == 1:
            await self._sender.send_alone(request[0][0])
            return True
        started = time.perf_counter()
        outcomes = await self._sender.send_merged([share for _recipient, share in request])
        first = outcomes[0]
        if first is not None and all(outcome is first for outcome in outcomes):
            self._sender.settle([recipient for recipient, _share in request], first, started)
            return True
        undecided = []
        for encoded, outcome in zip(request, outcomes, strict=True):
            if outcome is None:
                undecided.append(encoded)
            else:
                self._sender.settle([encoded[0]], outcome, started)
        if undecided:
            await self._go_on(request, undecided)
        return not undecided

    async def _go_on(self, request: Sequence[Encoded], undecided: Sequence[Encoded]) -> None:
        """Send smaller requests to those about whom the provider has not decided, or requeue them."""
        is_late = time.monotonic() > self._deadline
        if is_late or not await self._sender.is_sending():
            if is_late:
                # Otherwise the same recipients would come back, and take as long.
                self._limit(len(request) // 2)
            left = [recipient for recipient, _share in undecided]
            self._sender.settle(left, Outcome(Kind.NOT_TRIED), time.perf_counter())
            return
        log.info("merged_request_narrowed", recipients=len(request), undecided=len(undecided))
        if len(undecided) < len(request):
            await self.send(undecided)
            return
        middle = len(undecided) // 2
        halves: list[Awaitable[bool]] = [self.send(undecided[:middle]), self.send(undecided[middle:])]
        if all(await asyncio.gather(*halves)) and len(undecided) > 2:
            # Nobody was at fault: the request was too large for the provider, or for a proxy before it.
            self._limit(len(undecided) - middle)

    def _limit(self, most: int) -> None:
        if most < self._campaign.most:
            self._campaign.most = max(1, most)
            log.warning("merged_requests_limited", most=self._campaign.most)
