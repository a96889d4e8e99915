"""Delivery: renders, sends and settles the recipients of a batch, each one independently and all concurrently.

Admission has decided which rows may be sent. Dramatiq decides when a batch is retried.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Coroutine, Sequence
from typing import Any, Final, NamedTuple

import structlog
from redis import RedisError
from structlog.contextvars import get_contextvars

from campaigns.account_table import DEFAULT
from campaigns.attachments import StoredFile
from campaigns.catalog import Catalog
from campaigns.db import refusals, retrying
from campaigns.ledger import Settlement, requeued_entry
from campaigns.link_marks import list_name
from campaigns.settler import BatchProgress, Settler
from consent.recipient_links import RecipientLinks
from lists.recipient import Recipient
from mail.message import Message
from mail.outcome import Kind, Outcome, reason
from mail.providers.base import Provider
from mail.rendering import LinkOf, Renderer, RenderError, Templates
from worker.attached_files import AttachedFiles, FilesGone, NotNow
from worker.costly_rows import CostlyRows
from worker.merged_requests import MergedCampaign, Narrowing

log = structlog.get_logger(__name__)

#: The most campaigns whose compiled templates a process keeps.
RENDERERS: Final = 128

#: The kinds of outcome after which a row may be retried. Its settlement then carries its requeued entry.
_PASSING: Final = frozenset(
    {Kind.THROTTLED, Kind.UNAVAILABLE, Kind.UNREACHABLE, Kind.REFUSED, Kind.UNUSABLE, Kind.NOT_TRIED}
)


class Batch(NamedTuple):
    """The content of a SendEmail message: the recipients, the id of their claim, and the account that sends to them."""

    campaign_id: str
    list_version: str
    retries: int
    recipients: Sequence[Recipient]
    claim_id: str = ""
    account: str = DEFAULT


class _Compiled(NamedTuple):
    """A campaign's renderer, the files that its emails carry, and the HTML that may refer to them.

    `merged`: its requests to several recipients; None: it has none.
    """

    renderer: Renderer
    files: Sequence[StoredFile]
    html: str | None
    merged: MergedCampaign | None = None


class _Unusable(NamedTuple):
    """Replaces the renderer if the templates cannot be read or compiled, with the reason."""

    reason: str


class Delivery:
    """Sends batches through the provider of one account."""

    def __init__(
        self,
        catalog: Catalog,
        provider: Provider,
        settler: Settler,
        files: AttachedFiles | None = None,
        links: RecipientLinks | None = None,
    ) -> None:
        self._catalog = catalog
        self._provider = provider
        self.settler = settler
        self._files = files
        self._links = links
        self._renderers: OrderedDict[tuple[str, str], asyncio.Task[_Compiled]] = OrderedDict()
        self._costly = CostlyRows(self.is_sending)

    async def deliver(self, batch: Batch) -> frozenset[int]:
        """Send to a batch's recipients. Returns the rows that may be retried, which costs an attempt.

        Raises:
            NotSettled: the worker is stopping and Redis is unavailable.
        """
        compiled: _Compiled | _Unusable
        try:
            compiled = await self._compiled(batch.campaign_id, batch.list_version)
        except Exception as error:
            # No row of the batch can be sent, and no other batch could be: the campaign pauses with the reason.
            log.exception("templates_unusable")
            self._renderers.pop((batch.campaign_id, batch.list_version), None)
            compiled = _Unusable(reason(f"the templates cannot be used: {error}"))
        progress = BatchProgress(batch.campaign_id, batch.list_version, len(batch.recipients), batch.account)
        await _Sends(self, batch, progress, compiled).all()
        await progress.ended
        return frozenset(row for row, verdict in progress.verdicts.items() if verdict == "retry")

    async def outcome(self, batch: Batch, compiled: _Compiled | _Unusable, recipient: Recipient) -> Outcome:
        if isinstance(compiled, _Unusable):
            return Outcome(Kind.UNUSABLE, compiled.reason)
        key = batch.campaign_id, batch.list_version

        def render() -> Message:
            return compiled.renderer.message(recipient.row, recipient.address, recipient.values)

        message: Message | None
        try:
            if key in self._costly:
                message = await self._costly.render(key, render)
            else:
                message = self._costly.render_here(key, render)
        except RenderError as error:
            return Outcome(Kind.REJECTED, error.reason)
        if message is None:
            return Outcome(Kind.NOT_TRIED)
        return await self._sent_with(compiled, message)

    async def merged_outcomes(
        self, compiled: _Compiled, merged: MergedCampaign, shares: Sequence[bytes]
    ) -> Sequence[Outcome | None]:
        """Send one request to several recipients, see `mail.providers.base.MergedRequest`."""
        try:
            if self._files is None or not compiled.files:
                return await merged.request.send(shares, ())
            async with self._files.taken(compiled.files, compiled.html) as attachments:
                return await merged.request.send(shares, attachments)
        except FilesGone as error:
            outcome = Outcome(Kind.UNUSABLE, reason(str(error)))
        except NotNow:
            outcome = Outcome(Kind.NOT_TRIED)
        except Exception as error:
            log.exception("provider_failed", recipients=len(shares))
            outcome = Outcome(Kind.UNKNOWN, reason(f"{type(error).__name__} while sending"))
        return [outcome] * len(shares)

    async def _sent_with(self, compiled: _Compiled, message: Message) -> Outcome:
        """Send an email with the campaign's files."""
        if self._files is None or not compiled.files:
            return await self._sent(message)
        try:
            async with self._files.taken(compiled.files, compiled.html) as attachments:
                message.attachments = attachments
                return await self._sent(message)
        except FilesGone as error:
            return Outcome(Kind.UNUSABLE, reason(str(error)))
        except NotNow:
            return Outcome(Kind.NOT_TRIED)

    async def _sent(self, message: Message) -> Outcome:
        try:
            return await self._provider.send(message)
        except Exception as error:
            # A provider returns outcomes. After an unexpected exception it may or may not have sent the email.
            log.exception("provider_failed", row=message.row)
            return Outcome(Kind.UNKNOWN, reason(f"{type(error).__name__} while sending"))

    async def is_sending(self, campaign_id: str, list_version: str) -> bool:
        """Whether the campaign still sends this list. True while Redis is unavailable: the rows were admitted."""
        try:
            return await asyncio.to_thread(self._catalog.is_sending, campaign_id, list_version)
        except RedisError as error:
            log.error("campaign_unreadable", error=type(error).__name__)
            return True

    async def _compiled(self, campaign_id: str, list_version: str) -> _Compiled:
        """The list's renderer, compiled once per process. Content and files cannot change after the start."""
        key = campaign_id, list_version
        task = self._renderers.get(key)
        if task is None:
            task = self._renderers[key] = asyncio.create_task(self._compile(campaign_id))
            if len(self._renderers) > RENDERERS:
                self._renderers.popitem(last=False)
        return await task

    async def _compile(self, campaign_id: str) -> _Compiled:
        def failed(error: RedisError) -> None:
            if refusals.is_of_one_campaign(error):
                raise error  # a retry would fail too
            log.error("campaign_unreadable", error=type(error).__name__)

        campaign = await retrying.until_answered_async(
            lambda: asyncio.to_thread(self._catalog.get, campaign_id), failed
        )
        files: Sequence[StoredFile] = ()
        if (attached := self._files) is not None:
            files = await retrying.until_answered_async(lambda: asyncio.to_thread(attached.of, campaign_id), failed)
        link_of: LinkOf | None = None
        if campaign.content.has_links and (links := self._links) is not None:
            of_list = list_name(campaign_id, campaign.list_version)
            link_of = await retrying.until_answered_async(lambda: asyncio.to_thread(links.of, of_list), failed)
        # In a thread too, because large templates take 100 ms to compile.
        templates = await asyncio.to_thread(Templates, campaign.sent_content)
        renderer = templates.renderer(campaign_id, campaign.columns, link_of)
        return _Compiled(renderer, files, campaign.sent_content.html, MergedCampaign.of(self._provider, renderer))


class _Sends:
    """The sends of one batch, each settled on its own. See `worker.merged_requests.Sender`."""

    def __init__(
        self, delivery: Delivery, batch: Batch, progress: BatchProgress, compiled: _Compiled | _Unusable
    ) -> None:
        self._delivery = delivery
        self._batch = batch
        self._progress = progress
        self._compiled = compiled
        self._context = get_contextvars()

    async def all(self) -> None:
        """Send to all recipients of the batch."""
        alone: Sequence[Recipient] = self._batch.recipients
        sends: list[Coroutine[Any, Any, Any]] = []
        if isinstance(self._compiled, _Compiled) and (merged := self._compiled.merged):
            try:
                requests, alone = merged.split(alone)
            except Exception:  # then each recipient gets a request of its own
                log.exception("merge_failed")
                requests = []
            narrowing = Narrowing(merged, self)
            sends = [narrowing.send(request) for request in requests]
        await asyncio.gather(*sends, *map(self.send_alone, alone))

    async def send_alone(self, recipient: Recipient) -> None:
        """Render, send and settle one recipient."""
        started = time.perf_counter()
        self.settle([recipient], await self._delivery.outcome(self._batch, self._compiled, recipient), started)

    async def send_merged(self, shares: Sequence[bytes]) -> Sequence[Outcome | None]:
        """Send one request to several recipients."""
        compiled = self._compiled
        assert isinstance(compiled, _Compiled) and compiled.merged  # noqa: S101, PT018 - for the type checker
        return await self._delivery.merged_outcomes(compiled, compiled.merged, shares)

    async def is_sending(self) -> bool:
        """Whether the campaign still sends this list."""
        return await self._delivery.is_sending(self._batch.campaign_id, self._batch.list_version)

    def settle(self, recipients: Sequence[Recipient], outcome: Outcome, started: float) -> None:
        """Hand the outcome of a request's recipients to the settler, with its log event."""
        kind, claim_id = outcome.kind.value, self._batch.claim_id
        passes, retries = outcome.kind in _PASSING, self._batch.retries
        event = {
            "event": "email_sent" if outcome.kind is Kind.ACCEPTED else "email_not_sent",
            **self._context,
            "outcome": kind,
            "reason": outcome.reason or None,
            "provider_message_id": outcome.provider_message_id or None,
            "duration_ms": round((time.perf_counter() - started) * 1000, 1),
        }
        settlements = [
            Settlement(
                recipient.row,
                kind,
                outcome.reason,
                outcome.retry_after_ms,
                requeued_entry(retries, recipient) if passes else b"",
                claim_id,
            )
            for recipient in recipients
        ]
        self._delivery.settler.settle(self._progress, settlements, event)
