"""The headers of an outgoing event (Standard Webhooks 1.0.0, https://www.standardwebhooks.com). Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac


def headers(secret: str, message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The signed headers of one attempt.

    Args:
        secret: `whsec_` and base64, as `EVENTS_SECRET` holds it.
        message_id: the id of the event, the same with each attempt.
        timestamp_s: the time of the attempt, in s since 1970.
        body: the body as it is sent.
    """
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp_s, body)
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": f"v1,{signature}",
    }
