"""Amazon SNS, the sending side: messages as SNS writes them, signed with a certificate of its own.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import uuid
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from mail.providers.sns_fetch import FetchFailed

TOPIC: Final = "arn:aws:sns:eu-west-1:123456789012:ses-events"
HOST: Final = "sns.eu-west-1.amazonaws.com"
CERTIFICATE_URL: Final = f"https://{HOST}/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"

_HASHES: Final = {"1": hashes.SHA1, "2": hashes.SHA256}


class SnsDouble:
    """Signs messages, and serves its certificate through `fetch`, which records each address.

    Args:
        days: how long its certificate is valid, in days; negative: it has expired.
    """

    def __init__(self, days: float = 1) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.certificate = _certificate(self._key, days)
        self.fetched: list[str] = []
        self.is_away = False

    def fetch(self, url: str) -> bytes:
        """What `sns_fetch.fetch` does, without a network."""
        self.fetched.append(url)
        if self.is_away:
            raise FetchFailed("SNS was not reached: it is away")
        return self.certificate if url.endswith(".pem") else b"<ConfirmSubscriptionResponse/>"

    def notification(self, message: object, **changes: Any) -> dict[str, Any]:
        """A notification with this text, or with this object as JSON."""
        text = message if isinstance(message, str) else json.dumps(message)
        return self.signed({"Type": "Notification", "Subject": "Amazon SES Email Event", "Message": text, **changes})

    def confirmation(self, kind: str = "SubscriptionConfirmation", **changes: Any) -> dict[str, Any]:
        """A confirmation of a subscription, or of its end."""
        url = f"https://{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=t0k3n"
        own = {"Type": kind, "Message": "You have chosen to subscribe", "Token": "t0k3n", "SubscribeURL": url}
        return self.signed({**own, **changes})

    def signed(self, fields: dict[str, Any], age_s: float = 0, version: str = "2") -> dict[str, Any]:
        """A message with these fields, signed; fields that are None are left out."""
        age_s, version = fields.pop("age_s", age_s), fields.pop("version", version)
        at = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=age_s)
        message = {
            "MessageId": str(uuid.uuid4()),
            "TopicArn": TOPIC,
            "Timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
            "SignatureVersion": version,
            "SigningCertURL": CERTIFICATE_URL,
            **fields,
        }
        message = {name: value for name, value in message.items() if value is not None}
        names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        text = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
        algorithm = _HASHES.get(version, hashes.SHA256)()
        signature = self._key.sign(text.encode(errors="surrogatepass"), padding.PKCS1v15(), algorithm)
        return {**message, "Signature": base64.b64encode(signature).decode()}


def headers(kind: str = "Notification", topic: str = TOPIC, **more: str) -> dict[str, str]:
    """The headers of a message."""
    own = {"x-amz-sns-message-type": kind, "x-amz-sns-topic-arn": topic, "Content-Type": "text/plain; charset=UTF-8"}
    return {**own, "User-Agent": "Amazon Simple Notification Service Agent", **more}


def event(name: str = "Delivery", row: object = "1", campaign_id: object = "c1", **more: Any) -> dict[str, Any]:
    """An event as SES publishes it to SNS; `more` are members such as `bounce`."""
    tags = {"ses:operation": ["SendRawEmail"], "campaign_id": [campaign_id], "row": [row]}
    mail = {"messageId": "0102-1", "source": "news@shop.test", "destination": ["ada@shop.test"], "tags": tags}
    return {"eventType": name, "mail": mail, **more}


def _certificate(key: rsa.RSAPrivateKey, days: float) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = dt.datetime.now(dt.UTC)
    end = now + dt.timedelta(days=days)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(min(now, end) - dt.timedelta(days=1)).not_valid_after(end)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
