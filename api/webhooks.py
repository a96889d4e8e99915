"""What providers report by themselves: `POST /webhooks/sendgrid`, SendGrid's signed Event Webhook.

Off unless its public key is set. Its signature is its credential, so it needs no API token; and since anybody may send
here, a body is not read without the headers of a signature, nor held in memory before the signature has been checked.
What the events mean for a row is decided in `campaigns.events`.

Source: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event and
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final, NamedTuple

import msgspec
import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from sendgrid.helpers.eventwebhook import EventWebhook, EventWebhookHeader
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api import components
from api.components import Components
from api.http import inputs
from api.http.answers import JSON, as_json
from api.http.errors import Problem, invalid
from campaigns.events import Event, EventKind, Unattributed, Why
from campaigns.models import CAMPAIGN_ID
from mail.outcome import reason

log = structlog.get_logger(__name__)

#: The largest batch, in bytes. SendGrid sends one once it has 768 kB of events, or every 30 s.
MAX_BATCH_BYTES: Final = 8 * inputs.MIB
#: What is kept in memory of a batch before its signature has been checked, in bytes; the rest waits on disk.
SPOOL_BYTES: Final = 64 * 1024
#: The longest signature, in bytes: two numbers of 32 bytes in DER.
MAX_SIGNATURE_BYTES: Final = 72
#: How far in the future a stamp may be, in s: clocks differ.
AHEAD_S: Final = 30
#: A batch, as OpenAPI's request body object.
BODY: Final = {"required": True, "content": {JSON: {"schema": {"type": "array", "items": {"type": "object"}}}}}

_ROW: Final = re.compile(r"[1-9][0-9]{0,9}")
_KINDS: Final = {
    "processed": EventKind.ACCEPTED,
    "deferred": EventKind.ACCEPTED,
    "delivered": EventKind.DELIVERED,
    "bounce": EventKind.BOUNCED,
    "dropped": EventKind.DROPPED,
    "open": EventKind.ACCEPTED,
    "click": EventKind.ACCEPTED,
    "spamreport": EventKind.COMPLAINED,
    "unsubscribe": EventKind.UNSUBSCRIBED,
    "group_unsubscribe": EventKind.UNSUBSCRIBED,
    "group_resubscribe": EventKind.ACCEPTED,
}


class EventsTaken(msgspec.Struct, frozen=True):
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
    signature, stamp = _signature(request.headers, parts.settings.webhook_max_age_s)
    with SpooledTemporaryFile(SPOOL_BYTES) as file:
        digest = hashlib.sha256(stamp)
        async for chunk in inputs.pieces(request, MAX_BATCH_BYTES, inputs.too_large(MAX_BATCH_BYTES)):
            digest.update(chunk)
            await run_in_threadpool(file.write, chunk)
        return await run_in_threadpool(_take, parts, Signed(key, signature, digest.digest()), file)


def _take(parts: Components, signed: Signed, file: IO[bytes]) -> Response:
    if not signed.is_right():
        raise _refused("The signature does not fit; SENDGRID_WEBHOOK_PUBLIC_KEY has to be this webhook's own key.")
    file.seek(0)
    raw = file.read()
    batch = _batch(raw)
    applied = parts.events.apply(map(event_of, batch))
    taken = EventsTaken(applied.events, len(batch) - applied.events, applied.settled)
    log.info("events_taken", applied=taken.applied, ignored=taken.ignored, settled=taken.settled)
    for (kind, why), count in applied.unattributed.items():
        log.info("events_unattributed", kind=kind, why=why, count=count)
    for campaign_id in applied.completed:
        log.info("campaign_completed", campaign_id=campaign_id)
    return as_json(taken)


def _signature(headers: Mapping[str, str], max_age_s: float) -> tuple[bytes, bytes]:
    """Signature and time as the headers give them. Looked at before the body: most of what is not signed ends here.

    Raises:
        Problem: 403 where they are missing, make no sense, or are not from lately.
    """
    given, stamp = headers.get(EventWebhookHeader.SIGNATURE, ""), headers.get(EventWebhookHeader.TIMESTAMP, "")
    try:
        signature = base64.b64decode(given, validate=True)
    except ValueError:
        signature = b""
    if not 0 < len(signature) <= MAX_SIGNATURE_BYTES or not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise _refused("The headers with SendGrid's signature and its time are missing, or make no sense.")
    if not -AHEAD_S <= time.time() - int(stamp) <= max_age_s:
        raise _refused(f"It was signed more than {max_age_s:g} s ago, or in the future; look at the server's clock.")
    return signature, stamp.encode()


class Signed(NamedTuple):
    """A batch that says it is signed: the webhook's key, the signature, the SHA-256 of time and body."""

    key: str
    signature: bytes
    digest: bytes

    def is_right(self) -> bool:
        """Whether the owner of the key has signed it."""
        try:
            _verifier(self.key).public_key.verify(self.signature, self.digest, ec.ECDSA(Prehashed(hashes.SHA256())))
        except InvalidSignature:
            return False
        return True


@cache
def _verifier(key: str) -> EventWebhook:
    return EventWebhook(key)


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


def event_of(raw: Any) -> Event | Unattributed:
    """One of SendGrid's events. The custom arguments that name the row stand beside its own fields."""
    if not isinstance(raw, dict):
        return Unattributed("other", Why.OTHER_KIND)
    name, campaign_id, row = (str(raw.get(name)) for name in ("event", "campaign_id", "row"))
    kind = _KINDS.get(name)
    if kind is None:
        return Unattributed("other", Why.OTHER_KIND)
    if not CAMPAIGN_ID.fullmatch(campaign_id) or not _ROW.fullmatch(row):
        return Unattributed(kind, Why.NO_CUSTOM_ARGS)
    return Event(campaign_id, int(row), kind, _why(raw) if kind is EventKind.DROPPED else "")


def _why(raw: dict[str, Any]) -> str:
    words = str(raw.get("reason") or "no reason given").encode(errors="replace").decode()
    return reason(f"dropped by SendGrid: {words}")
