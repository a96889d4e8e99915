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
from typing import Any, Final, Literal, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from campaigns.event_kinds import Event, EventKind, Refusal, Report, Unattributed, Why
from campaigns.models import CAMPAIGN_ID
from consent.records import AddressReport, Change, Reason
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
    "open": EventKind.OPENED,
    "click": EventKind.CLICKED,
    "spamreport": EventKind.COMPLAINED,
    "unsubscribe": EventKind.UNSUBSCRIBED,
    "group_unsubscribe": EventKind.UNSUBSCRIBED,
    "group_resubscribe": EventKind.ACCEPTED,
}
#: What the suppression list gets to know from each event, besides bounces and drops, which have several causes.
_REPORTS: Final[Mapping[str, Reason | Literal[Change.RESUBSCRIBED]]] = {
    "spamreport": Reason.COMPLAINED,
    "unsubscribe": Reason.UNSUBSCRIBED,
    "group_unsubscribe": Reason.UNSUBSCRIBED,
    "group_resubscribe": Change.RESUBSCRIBED,
}
#: The same of drops, by the start of their reason in lower case. "Invalid SMTPAPI header", for example, says nothing
#: about the address.
_DROPS: Final = (
    (re.compile(r"bounced address"), Reason.BOUNCED),
    (re.compile(r"unsubscribed address"), Reason.UNSUBSCRIBED),
    (re.compile(r"spam reporting address"), Reason.COMPLAINED),
    (re.compile(r"invalid(?! ?smtpapi)"), Reason.BOUNCED),
)
#: The latest time of an event that is taken as such, in s: the year 3000.
_LATEST_S: Final = 32_503_680_000


class BadSignature(Exception):
    """The batch has no valid signature of the key's owner; the message says why, and `why` in one word."""

    def __init__(self, why: Refusal, words: str) -> None:
        super().__init__(words)
        self.why = why


class Signature(NamedTuple):
    """The signature headers of a batch: `der` is the signature of the timestamp, as it was sent, and the body."""

    der: bytes
    timestamp: bytes

    def verify(self, key: str, digest: bytes) -> None:
        """Check the signature.

        Args:
            key: the webhook's public key as SendGrid shows it, one line of base64; several ones with commas.
            digest: the SHA-256 of the timestamp followed by the body.

        Raises:
            BadSignature: the key's owner has not signed this batch.
        """
        if not any(self._is_of(_public_key(one.strip()), digest) for one in key.split(",")):
            raise BadSignature(
                Refusal.WRONG,
                "The signature is wrong; set SENDGRID_WEBHOOK_PUBLIC_KEY to the public key of this webhook.",
            )

    def _is_of(self, key: ec.EllipticCurvePublicKey, digest: bytes) -> bool:
        try:
            key.verify(self.der, digest, ec.ECDSA(Prehashed(hashes.SHA256())))
        except InvalidSignature:
            return False
        return True


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
        raise BadSignature(
            Refusal.UNSIGNED, f"The headers {SIGNATURE_HEADER} and {TIMESTAMP_HEADER} are missing or malformed."
        )
    if not -AHEAD_S <= time.time() - int(timestamp) <= max_age_s:
        raise BadSignature(
            Refusal.STALE,
            f"The batch was signed more than {max_age_s:g} s ago, or in the future; check the server's clock.",
        )
    return Signature(der, timestamp.encode())


@cache
def _public_key(key: str) -> ec.EllipticCurvePublicKey:
    found = serialization.load_der_public_key(base64.b64decode(key))
    assert isinstance(found, ec.EllipticCurvePublicKey)  # noqa: S101 - the settings have checked it
    return found


def report_of(raw: Any) -> Report:
    """Translate one of SendGrid's events. Its custom arguments, which name the row, are beside its other fields."""
    if not isinstance(raw, dict):
        return Report(Unattributed("other", Why.OTHER_KIND))
    kind = _kind(raw)
    if kind is None:
        return Report(Unattributed("other", Why.OTHER_KIND))
    return Report(_event(raw, kind), _about_address(raw))


def _event(raw: Mapping[str, Any], kind: EventKind) -> Event | Unattributed:
    campaign_id, row = str(raw.get("campaign_id")), str(raw.get("row"))
    if CAMPAIGN_ID.fullmatch(campaign_id) and row == str(NO_ROW):
        return Unattributed(kind, Why.TEST_EMAIL)
    if not CAMPAIGN_ID.fullmatch(campaign_id) or not _ROW.fullmatch(row):
        return Unattributed(kind, Why.NO_CUSTOM_ARGS)
    return Event(campaign_id, int(row), kind, _why(raw) if kind is EventKind.DROPPED else "")


def _kind(raw: Mapping[str, Any]) -> EventKind | None:
    kind = _KINDS.get(str(raw.get("event")))
    if kind is EventKind.BOUNCED and not _is_final(raw):
        return EventKind.ACCEPTED
    if kind is EventKind.OPENED and raw.get("sg_machine_open") is True:
        return EventKind.OPENED_BY_MACHINE
    return kind


def _is_final(bounce: Mapping[str, Any]) -> bool:
    """Whether a bounce is for good.

    A blocked email was refused for its content or its sender, and a status 4.x.x is temporary (RFC 3463): neither says
    anything against the address. A late bounce may have neither field.
    """
    return bounce.get("type") != "blocked" and not str(bounce.get("status", "")).startswith("4")


def _about_address(raw: Mapping[str, Any]) -> AddressReport | None:
    address, what = raw.get("email"), _what(raw)
    return AddressReport(address, what, _at_ms(raw)) if what and isinstance(address, str) else None


def _what(raw: Mapping[str, Any]) -> Reason | Literal[Change.RESUBSCRIBED] | None:
    match name := str(raw.get("event")):
        case "bounce":
            return Reason.BOUNCED if _is_final(raw) else None
        case "dropped":
            words = str(raw.get("reason")).strip().lower()
            return next((what for start, what in _DROPS if start.match(words)), None)
        case _:
            return _REPORTS.get(name)


def _at_ms(raw: Mapping[str, Any]) -> int | None:
    at_s = raw.get("timestamp")
    return at_s * 1000 if isinstance(at_s, int) and 0 < at_s < _LATEST_S else None


def _why(raw: Mapping[str, Any]) -> str:
    words = str(raw.get("reason") or "no reason given").encode(errors="replace").decode()
    return reason(f"dropped by SendGrid: {words}")
