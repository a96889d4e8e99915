"""SendGrid's Event Webhook: checks its signature, and translates its events to `campaigns.event_kinds`.

Source: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event and
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from campaigns.event_kinds import Event, EventKind, Unattributed, Why
from campaigns.models import CAMPAIGN_ID
from mail.message import NO_ROW
from mail.outcome import reason

SIGNATURE_HEADER: Final = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER: Final = "X-Twilio-Email-Event-Webhook-Timestamp"
#: The longest signature, in bytes: two numbers of 32 bytes in DER.
MAX_SIGNATURE_BYTES: Final = 72
#: How far in the future a timestamp may be, in seconds: clocks differ.
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


class BadSignature(Exception):
    """The batch has no valid signature of the key's owner; the message says why."""


class Signature(NamedTuple):
    """The signature headers of a batch: `der` is the signature of the timestamp, as it was sent, and the body."""

    der: bytes
    timestamp: bytes

    def verify(self, key: str, digest: bytes) -> None:
        """Check the signature.

        Args:
            key: the webhook's public key as SendGrid shows it, one line of base64.
            digest: the SHA-256 of the timestamp followed by the body.

        Raises:
            BadSignature: the key's owner has not signed this batch.
        """
        try:
            _public_key(key).verify(self.der, digest, ec.ECDSA(Prehashed(hashes.SHA256())))
        except InvalidSignature:
            raise BadSignature(
                "The signature is wrong; set SENDGRID_WEBHOOK_PUBLIC_KEY to the public key of this webhook."
            ) from None


def signature_of(headers: Mapping[str, str], max_age_s: float) -> Signature:
    """The signature in the headers. Most requests that SendGrid has not sent fail here, before their body is read.

    Args:
        headers: the request's headers.
        max_age_s: the maximum age of the signature, in seconds.

    Raises:
        BadSignature: the signature is missing, malformed, or older than `max_age_s`.
    """
    given, timestamp = headers.get(SIGNATURE_HEADER, ""), headers.get(TIMESTAMP_HEADER, "")
    try:
        der = base64.b64decode(given, validate=True)
    except ValueError:
        der = b""
    digits = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12
    if not 0 < len(der) <= MAX_SIGNATURE_BYTES or not digits:
        raise BadSignature(f"The headers {SIGNATURE_HEADER} and {TIMESTAMP_HEADER} are missing or malformed.")
    if not -AHEAD_S <= time.time() - int(timestamp) <= max_age_s:
        raise BadSignature(
            f"The batch was signed more than {max_age_s:g} s ago, or in the future; check the server's clock."
        )
    return Signature(der, timestamp.encode())


@cache
def _public_key(key: str) -> ec.EllipticCurvePublicKey:
    found = serialization.load_der_public_key(base64.b64decode(key))
    assert isinstance(found, ec.EllipticCurvePublicKey)  # noqa: S101 - the settings have checked it
    return found


def event_of(raw: Any) -> Event | Unattributed:
    """Translate one of SendGrid's events. Its custom arguments, which name the row, are beside its other fields."""
    if not isinstance(raw, dict):
        return Unattributed("other", Why.OTHER_KIND)
    name, campaign_id, row = (str(raw.get(name)) for name in ("event", "campaign_id", "row"))
    kind = _KINDS.get(name)
    if kind is None:
        return Unattributed("other", Why.OTHER_KIND)
    if CAMPAIGN_ID.fullmatch(campaign_id) and row == str(NO_ROW):
        return Unattributed(kind, Why.TEST_EMAIL)
    if not CAMPAIGN_ID.fullmatch(campaign_id) or not _ROW.fullmatch(row):
        return Unattributed(kind, Why.NO_CUSTOM_ARGS)
    return Event(campaign_id, int(row), kind, _why(raw) if kind is EventKind.DROPPED else "")


def _why(raw: dict[str, Any]) -> str:
    words = str(raw.get("reason") or "no reason given").encode(errors="replace").decode()
    return reason(f"dropped by SendGrid: {words}")
