"""What providers report by themselves: `POST /webhooks/sendgrid`, SendGrid's signed Event Webhook.

Off unless its public key is set. Its signature is its credential, so it needs no API token. What the events mean for a
row is decided in `campaigns.events`.

Source: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event and
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any, Final

import structlog
from sendgrid.helpers.eventwebhook import EventWebhook, EventWebhookHeader
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api import bodies, components, inputs
from api.answers import as_json
from api.components import Components
from api.errors import Problem, invalid
from campaigns.events import Event, EventKind, Unattributed, Why
from campaigns.models import CAMPAIGN_ID
from mail.outcome import reason

log = structlog.get_logger(__name__)

#: The largest batch, in bytes. SendGrid sends one once it has 768 kB of events, or every 30 s.
MAX_BATCH_BYTES: Final = 8 * inputs.MIB
#: How far in the future a stamp may be, in s: clocks differ.
AHEAD_S: Final = 30

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


async def sendgrid(request: Request) -> Response:
    """Take a batch of events. What is not ours, or makes no sense, is counted and let go: it need not come again."""
    parts = components.of(request)
    key = parts.settings.sendgrid_webhook_public_key
    if key is None:
        detail = "SendGrid's events are not taken here; set SENDGRID_WEBHOOK_PUBLIC_KEY on the server to take them."
        raise Problem(HTTPStatus.NOT_FOUND, detail)
    raw = await inputs.body(request, MAX_BATCH_BYTES)
    return await run_in_threadpool(_take, parts, key, request.headers, raw)


def _take(parts: Components, key: str, headers: Mapping[str, str], raw: bytes) -> Response:
    _check(key, headers, raw, parts.settings.webhook_max_age_s)
    batch = _batch(raw)
    applied = parts.events.apply(map(event_of, batch))
    taken = bodies.EventsTaken(applied.events, len(batch) - applied.events, applied.settled)
    log.info("events_taken", applied=taken.applied, ignored=taken.ignored, settled=taken.settled)
    for (kind, why), count in applied.unattributed.items():
        log.info("events_unattributed", kind=kind, why=why, count=count)
    for campaign_id in applied.completed:
        log.info("campaign_completed", campaign_id=campaign_id)
    return as_json(taken)


def _check(key: str, headers: Mapping[str, str], raw: bytes, max_age_s: float) -> None:
    """Raise a problem (403) unless SendGrid has signed this, lately."""
    signature, stamp = headers.get(EventWebhookHeader.SIGNATURE, ""), headers.get(EventWebhookHeader.TIMESTAMP, "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise _refused("The headers with SendGrid's signature and its time are missing, or make no sense.")
    if not _is_signed(key, signature, stamp, raw):
        raise _refused("The signature does not fit; SENDGRID_WEBHOOK_PUBLIC_KEY has to be this webhook's own key.")
    if not -AHEAD_S <= time.time() - int(stamp) <= max_age_s:
        raise _refused(f"It was signed more than {max_age_s:g} s ago, or in the future; look at the server's clock.")


def _is_signed(key: str, signature: str, stamp: str, raw: bytes) -> bool:
    try:
        return bool(_verifier(key).verify_signature(raw.decode(), signature, stamp))
    except ValueError:  # a signature that is no base64, a body that is no UTF-8
        return False


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
