"""Sends test emails of a campaign to addresses that an operator names. They change no count of the campaign."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from http import HTTPStatus
from math import ceil
from typing import Annotated, Final

import msgspec
import structlog
from msgspec import Meta
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api import components, sample_email
from api.components import Components
from api.http import inputs
from api.http.errors import Problem, invalid
from api.http.mistakes import Mistake
from api.http.problem_types import ProblemType
from api.http.responses import json_response
from api.sample_email import SampleRequest
from campaigns.attachments import StoredFile
from campaigns.errors import BreakerOpen, TooManyTestEmails
from lists.addresses import address
from mail.attachment import Attachment, is_inline
from mail.message import NO_ROW, Message
from mail.outcome import Kind, Outcome, reason
from mail.providers import Provider
from mail.rendering import LONGEST_SUBJECT

log = structlog.get_logger(__name__)

#: What the subject of a test email starts with.
MARK: Final = "[Test] "
#: The most addresses of one request.
MAX_ADDRESSES: Final = 10


class TestSendRequest(SampleRequest, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which email, as for a preview, and the addresses that get it."""

    to: Annotated[list[str], Meta(min_length=1, max_length=MAX_ADDRESSES)]


class TestSendResult(msgspec.Struct, frozen=True):
    """What became of one test email. `reason`: the provider's words, or null."""

    to: str
    outcome: Kind
    reason: str | None


class TestSendResponse(msgspec.Struct, frozen=True):
    """The results, in the order of the addresses."""

    results: list[TestSendResult]


async def test_send(request: Request) -> Response:
    """Render one email, and send it to each address."""
    wanted = await inputs.json_body(request, TestSendRequest)
    parts, campaign_id = components.of(request), inputs.campaign_id(request)
    addresses = _addresses(wanted.to)
    message, account = await sample_email.in_thread(_message, parts, campaign_id, wanted)
    await run_in_threadpool(_admit, parts, campaign_id, len(addresses), account)
    provider = parts.providers[account]
    outcomes = await asyncio.gather(*(_send(provider, message, to) for to in addresses))
    kinds = Counter(outcome.kind.value for outcome in outcomes)
    log.info("test_emails_sent", campaign_id=campaign_id, outcomes=dict(kinds))
    results = [TestSendResult(to, one.kind, one.reason or None) for to, one in zip(addresses, outcomes, strict=True)]
    return json_response(TestSendResponse(results))


def _addresses(written: list[str]) -> list[str]:
    """The addresses in the form to send to, each once."""
    found: dict[str, str] = {}
    wrong = []
    for number, text in enumerate(written):
        to = address(text)
        if to is None:
            wrong.append(Mistake("wrong_value", f"{text[:100]!r} is not an email address.", f"to[{number}]"))
        else:
            found.setdefault(to.lower(), to)
    if wrong:
        raise invalid(f"to: {wrong[0].message}", kind=ProblemType.INVALID_BODY, errors=wrong)
    return list(found.values())


def _message(parts: Components, campaign_id: str, wanted: TestSendRequest) -> tuple[Message, str]:
    """The email, and the account that sends it."""
    campaign = parts.catalog.get(campaign_id)
    message = sample_email.message(parts, campaign, wanted.row, wanted.columns)
    account = campaign.content.account_name
    if account not in parts.providers:
        raise invalid(f"This server does not know the account {account!r} of the campaign: add it to ACCOUNTS.")
    test = dataclasses.replace(
        message,
        row=NO_ROW,
        subject=f"{MARK}{message.subject}"[:LONGEST_SUBJECT],
        attachments=[_read(parts, file, campaign.sent_content.html) for file in parts.attachments.all(campaign_id)],
    )
    return test, account


def _read(parts: Components, file: StoredFile, html: str | None) -> Attachment:
    data = parts.store.read(file.object_key, 0, file.size)
    return Attachment(file.filename, file.content_type, is_inline(file.filename, html), data)


def _admit(parts: Components, campaign_id: str, count: int, account: str) -> None:
    try:
        parts.trial_limit.admit(campaign_id, count, account)
    except TooManyTestEmails as error:
        raise Problem(HTTPStatus.TOO_MANY_REQUESTS, str(error), _after(error.wait_ms)) from None
    except BreakerOpen as error:
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE, str(error), _after(error.wait_ms), kind=ProblemType.PROVIDER_UNAVAILABLE
        ) from None


def _after(wait_ms: int) -> dict[str, str]:
    return {"Retry-After": str(max(1, ceil(wait_ms / 1000)))}


async def _send(provider: Provider, message: Message, to: str) -> Outcome:
    try:
        return await provider.send(dataclasses.replace(message, to=to))
    except Exception as error:
        log.exception("provider_failed")
        return Outcome(Kind.UNKNOWN, reason(f"{type(error).__name__} while sending"))
