"""SendGrid's Event Webhook, the sending side: events as SendGrid reports them, batches signed as it signs them.

Source: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event and
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
"""

from __future__ import annotations

import base64
import time
import uuid
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class Signer:
    """One webhook's key pair."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def public_key(self) -> str:
        """As SendGrid shows it: one line of base64."""
        key = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(key).decode()

    def headers(self, body: bytes, age_s: float = 0) -> dict[str, str]:
        """The headers of a batch that was signed `age_s` seconds ago."""
        stamp = str(int(time.time() - age_s))
        signature = self._key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        return {
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
            "Content-Type": "application/json",
        }


def event(row: object = "1", name: object = "delivered", campaign_id: object = "c1", **more: Any) -> dict[str, Any]:
    """An event of one email; its custom arguments are beside SendGrid's fields."""
    own = {"email": "ada@shop.test", "timestamp": int(time.time()), "smtp-id": "<x@ismtpd>", "category": ["news"]}
    ids = {"sg_event_id": uuid.uuid4().hex, "sg_message_id": f"{uuid.uuid4().hex}.recvd-0"}
    return {**own, **ids, "event": name, "campaign_id": campaign_id, "row": row, **more}
