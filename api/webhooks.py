"""Events that providers report: SendGrid's signed Event Webhook, and those of Amazon SES, signed by Amazon SNS.

Each endpoint is off unless its setting names whose signatures count. The signature is the credential, so a request
needs no API token. `mail.providers.sendgrid_events`, `sns` and `ses_events` parse them. The suppression list comes
first (`consent.address_reports`), then the rows (`campaigns.events`); a request is answered once both are written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final

import msgspec
import structlog
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api import components, suppression_flush, webhook_health
from api.components import Components
from api.event_effects import log_effects
from api.http import inputs
from api.http.errors import TRY_AGAIN, Problem, invalid
from api.http.responses import JSON, json_response
from campaigns.event_kinds import Report
from mail.providers import ses_events, sns
from mail.providers.sendgrid_events import BadSignature, report_of, signature_of
from mail.providers.sns_fetch import FetchFailed

log = structlog.get_logger(__name__)

#: The largest batch, in bytes. SendGrid sends one once it has 768 kB of events, or every 30 s.
MAX_BATCH_BYTES: Final = 8 * inputs.MIB
#: How much of a batch memory holds before its signature is verified, in bytes; the rest waits on disk.
MEMORY_BYTES: Final = 64 * 1024
#: The largest message of SNS, in bytes: one of 256 KiB, as text in JSON.
MAX_SNS_BYTES: Final = 1 * inputs.MIB
#: A message of SNS, as OpenAPI's request body object. SNS sends JSON as text.
SNS_BODY: Final = {"required": True, "content": {"text/plain": {"schema": {"type": "string"}}}}
#: A batch, as OpenAPI's request body object.
BODY: Final = {"required": True, "content": {JSON: {"schema": {"type": "array", "items": {"type": "object"}}}}}


class EventsResponse(msgspec.Struct, frozen=True):
    """Counts: `applied` events named a row that was sent, `ignored` ones did not; `settled` rows got an end by them."""

    applied: int
    ignored: int
    settled: int


async def sendgrid(request: Request) -> Response:
    """Take a batch of events. Events that are not ours or not understood are counted and dropped, without an error."""
    parts = components.of(request)
    key = parts.settings.sendgrid_webhook_public_key
    if key is None:
        detail = "SendGrid's events are not enabled; set SENDGRID_WEBHOOK_PUBLIC_KEY on the server to receive them."
        raise Problem(HTTPStatus.NOT_FOUND, detail)
    try:
        signature = signature_of(request.headers, parts.settings.webhook_max_age_s)
    except BadSignature as error:
        raise webhook_health.refused(parts, "sendgrid", error.why, str(error)) from None
    with SpooledTemporaryFile(MEMORY_BYTES) as file:
        digest = hashlib.sha256(signature.timestamp)
        async for chunk in inputs.pieces(request, MAX_BATCH_BYTES, inputs.too_large(MAX_BATCH_BYTES)):
            digest.update(chunk)
            await run_in_threadpool(file.write, chunk)
        return await run_in_threadpool(_take, parts, partial(signature.verify, key, digest.digest()), file)


def _take(parts: Components, verify: Callable[[], None], file: IO[bytes]) -> Response:
    try:
        verify()
    except BadSignature as error:
        raise webhook_health.refused(parts, "sendgrid", error.why, str(error)) from None
    file.seek(0)
    raw = file.read()
    batch = _batch(raw)
    return _applied(parts, "sendgrid", list(map(report_of, batch)))


def _applied(parts: Components, provider: str, reports: Sequence[Report]) -> Response:
    """Apply reports. If a step fails, the response is 503, and the provider sends all of them again."""
    listed = parts.address_reports.apply(report.about_address for report in reports if report.about_address)
    if listed.added or listed.resubscribed:
        log.info("suppressions_reported", added=listed.added, resubscribed=listed.resubscribed)
    applied = parts.events.apply(report.event for report in reports)
    taken = EventsResponse(applied.events, len(reports) - applied.events, applied.settled)
    log.info("events_taken", applied=taken.applied, ignored=taken.ignored, settled=taken.settled)
    log_effects(applied)
    parts.webhook_figures.took(provider)
    response = json_response(taken)
    if listed.flush_due:
        response.background = BackgroundTask(suppression_flush.flush, parts.suppressions)
    return response


async def ses(request: Request) -> Response:
    """Take a message of SNS: an event of SES, or the confirmation of a subscription, which the server confirms."""
    parts = components.of(request)
    if not parts.sns.is_enabled:
        detail = "The events of Amazon SES are not enabled; set SES_TOPIC_ARN on the server to receive them."
        raise Problem(HTTPStatus.NOT_FOUND, detail)
    try:
        parts.sns.check_headers(request.headers)
    except sns.BadSnsMessage as error:
        raise webhook_health.refused(parts, "ses", error.why, str(error)) from None
    with SpooledTemporaryFile(MEMORY_BYTES) as file:
        async for chunk in inputs.pieces(request, MAX_SNS_BYTES, inputs.too_large(MAX_SNS_BYTES)):
            await run_in_threadpool(file.write, chunk)
        return await run_in_threadpool(_take_sns, parts, file)


def _take_sns(parts: Components, file: IO[bytes]) -> Response:
    file.seek(0)
    try:
        message = parts.sns.verified(file.read(), parts.settings.webhook_max_age_s)
        if message.type == sns.SUBSCRIPTION:
            parts.sns.confirm(message)
    except sns.BadSnsMessage as error:
        raise webhook_health.refused(parts, "ses", error.why, str(error)) from None
    except FetchFailed as error:
        log.warning("sns_fetch_failed", reason=str(error))
        detail = f"Amazon SNS could not be asked: {error}. Send the message again later."
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, TRY_AGAIN) from None
    if message.type == sns.NOTIFICATION:
        return _applied(parts, "ses", [ses_events.report_of(message.message)])
    log.info("sns_subscription_changed", type=message.type, topic=message.topic_arn)
    return json_response(EventsResponse(0, 0, 0))


def _batch(raw: bytes) -> list[Any]:
    try:
        # Not msgspec, which rejects the whole batch if one user agent string has half a surrogate pair in it.
        found = json.loads(raw)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise invalid("The body is not a JSON array of events; send one.")
    return found
