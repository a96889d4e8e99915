"""What providers report by themselves: `POST /webhooks/sendgrid`, SendGrid's signed Event Webhook.

Off unless its public key is set. Its signature is its credential, so it needs no API token; and since anybody may send
here, a body is not read without the headers of a signature, nor held in memory before the signature has been checked.
`mail.providers.sendgrid_events` reads SendGrid's words, `campaigns.events` decides what they mean for a row.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final

import msgspec
import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api import components
from api.components import Components
from api.http import inputs
from api.http.errors import Problem, invalid
from api.http.responses import JSON, json_response
from mail.providers.sendgrid_events import BadSignature, event_of, signature_of

log = structlog.get_logger(__name__)

#: The largest batch, in bytes. SendGrid sends one once it has 768 kB of events, or every 30 s.
MAX_BATCH_BYTES: Final = 8 * inputs.MIB
#: What is kept in memory of a batch before its signature has been checked, in bytes; the rest waits on disk.
SPOOL_BYTES: Final = 64 * 1024
#: A batch, as OpenAPI's request body object.
BODY: Final = {"required": True, "content": {JSON: {"schema": {"type": "array", "items": {"type": "object"}}}}}


class EventsResponse(msgspec.Struct, frozen=True):
    """How many events named a row that was handed to the provider, how many did not, and how many rows got an end."""

    applied: int
    ignored: int
    settled: int


async def sendgrid(request: Request) -> Response:
    """Take a batch of events. What is not ours, or makes no sense, is counted and let go: it need not come again."""
    parts = components.of(request)
    key = parts.settings.sendgrid_webhook_public_key
    if key is None:
        detail = "SendGrid's events are not taken here; set SENDGRID_WEBHOOK_PUBLIC_KEY on the server to take them."
        raise Problem(HTTPStatus.NOT_FOUND, detail)
    try:
        signature = signature_of(request.headers, parts.settings.webhook_max_age_s)
    except BadSignature as error:
        raise _refused(str(error)) from None
    with SpooledTemporaryFile(SPOOL_BYTES) as file:
        digest = hashlib.sha256(signature.timestamp)
        async for chunk in inputs.pieces(request, MAX_BATCH_BYTES, inputs.too_large(MAX_BATCH_BYTES)):
            digest.update(chunk)
            await run_in_threadpool(file.write, chunk)
        return await run_in_threadpool(_take, parts, partial(signature.verify, key, digest.digest()), file)


def _take(parts: Components, verify: Callable[[], None], file: IO[bytes]) -> Response:
    try:
        verify()
    except BadSignature as error:
        raise _refused(str(error)) from None
    file.seek(0)
    raw = file.read()
    batch = _batch(raw)
    applied = parts.events.apply(map(event_of, batch))
    taken = EventsResponse(applied.events, len(batch) - applied.events, applied.settled)
    log.info("events_taken", applied=taken.applied, ignored=taken.ignored, settled=taken.settled)
    for (kind, why), count in applied.unattributed.items():
        log.info("events_unattributed", kind=kind, why=why, count=count)
    for campaign_id in applied.completed:
        log.info("campaign_completed", campaign_id=campaign_id)
    return json_response(taken)


def _refused(detail: str) -> Problem:
    log.warning("events_refused", reason=detail)
    return Problem(HTTPStatus.FORBIDDEN, detail)


def _batch(raw: bytes) -> list[Any]:
    try:
        # Not msgspec: a browser's name with half a surrogate in it must not cost the whole batch.
        found = json.loads(raw)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise invalid("The body has to be a JSON array of events.")
    return found
