"""Messages of Amazon SNS over HTTPS: whether SNS has signed them for one of our topics. Knows nothing about emails.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html and
https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from campaigns.event_kinds import Refusal
from mail.providers.sns_certificates import Certificates, is_certificate_url
from mail.providers.sns_fetch import fetch

TOPIC_HEADER: Final = "x-amz-sns-topic-arn"
RAW_HEADER: Final = "x-amz-sns-rawdelivery"
#: The greatest age that every message may have, in seconds. SNS repeats a message for up to an hour and does not
#: stamp it anew; an operator may repeat it from a dead-letter queue later. Applying an event twice changes nothing.
MAX_AGE_S: Final = 86_400.0
#: How far in the future a timestamp may be, in seconds: clocks differ.
AHEAD_S: Final = 300.0
#: The longest signature, in bytes: that of an RSA key of 8,192 bits.
MAX_SIGNATURE_BYTES: Final = 1024

NOTIFICATION: Final = "Notification"
SUBSCRIPTION: Final = "SubscriptionConfirmation"
UNSUBSCRIPTION: Final = "UnsubscribeConfirmation"

#: The hash of each signature version.
_HASHES: Final = {"1": hashes.SHA1, "2": hashes.SHA256}
_CONFIRMATION_FIELDS: Final = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
#: The signed fields of each type of message, in their order.
_SIGNED: Final = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    SUBSCRIPTION: _CONFIRMATION_FIELDS,
    UNSUBSCRIPTION: _CONFIRMATION_FIELDS,
}
_NAMES: Final = {
    "type": "Type", "topic_arn": "TopicArn", "message_id": "MessageId", "message": "Message", "timestamp": "Timestamp",
    "version": "SignatureVersion", "signature": "Signature", "certificate_url": "SigningCertURL", "subject": "Subject",
    "token": "Token", "subscribe_url": "SubscribeURL",
}  # fmt: skip


class BadSnsMessage(Exception):
    """SNS has not signed this message for one of our topics; the message says why, and `why` in one word."""

    def __init__(self, words: str, why: Refusal = Refusal.WRONG) -> None:
        super().__init__(words)
        self.why = why


class SnsMessage(msgspec.Struct, frozen=True, rename=_NAMES):
    """One message of SNS. `timestamp`: when it was published. `token`: of confirmations only."""

    type: str
    topic_arn: str
    message_id: str
    message: str
    timestamp: str
    version: str
    signature: str
    certificate_url: str
    subject: str | None = None
    token: str | None = None
    subscribe_url: str | None = None

    @property
    def signed_text(self) -> bytes:
        """What SNS signs: name and value of each field that is present, one per line."""
        fields = {name: getattr(self, attribute) for attribute, name in _NAMES.items()}
        present = [name for name in _SIGNED[self.type] if fields[name] is not None]
        return "".join(f"{name}\n{fields[name]}\n" for name in present).encode()


_decoder: Final = msgspec.json.Decoder(SnsMessage)


class Sns:
    """Verifies the messages of some topics.

    Args:
        topic_arns: the topics; without any, every message is refused.
        get: fetches a URL (`sns_fetch.fetch`).
    """

    def __init__(self, topic_arns: Collection[str], get: Callable[[str], bytes] = fetch) -> None:
        self._topic_arns = frozenset(topic_arns)
        self._fetch = get
        self._certificates = Certificates(get)

    @property
    def is_enabled(self) -> bool:
        return bool(self._topic_arns)

    def check_headers(self, headers: Mapping[str, str]) -> None:
        """Refuse what does not claim to be a message of our topics. Call it before the body is read.

        Raises:
            BadSnsMessage: a header says that it is none.
        """
        if headers.get(TOPIC_HEADER) not in self._topic_arns:
            why = Refusal.WRONG if TOPIC_HEADER in headers else Refusal.UNSIGNED
            raise BadSnsMessage("The message is not of a topic in SES_TOPIC_ARN; check that setting.", why)
        if headers.get(RAW_HEADER, "").lower() == "true":
            raise BadSnsMessage("The message has no signature; turn raw message delivery off for this subscription.")

    def verified(self, body: bytes, max_age_s: float) -> SnsMessage:
        """The message in a request's body.

        Args:
            body: the body.
            max_age_s: the greatest age of the message, in seconds; at least `MAX_AGE_S` is allowed.

        Raises:
            BadSnsMessage: SNS has not signed it, or not for our topics, or long ago.
            sns_fetch.FetchFailed: the certificate cannot be fetched now.
        """
        message = _decoded(body)
        if message.topic_arn not in self._topic_arns:
            raise BadSnsMessage("The message is not of a topic in SES_TOPIC_ARN; check that setting.")
        if not is_certificate_url(message.certificate_url, sns_host(message.topic_arn)):
            raise BadSnsMessage("SigningCertURL is not the address of a certificate of SNS in the topic's region.")
        _check_age(message.timestamp, max(max_age_s, MAX_AGE_S))
        signature, algorithm = _signature(message)
        try:
            self._certificates.key(message.certificate_url).verify(
                signature, message.signed_text, PKCS1v15(), algorithm
            )
        except InvalidSignature:
            raise BadSnsMessage("The signature is wrong: SNS has not signed this message.") from None
        return message

    def confirm(self, message: SnsMessage) -> None:
        """Confirm a subscription. The address is made from the topic, never taken from the message.

        Args:
            message: a verified message of the type SubscriptionConfirmation.

        Raises:
            sns_fetch.FetchFailed: SNS does not answer, or refuses the token.
        """
        query = {"Action": "ConfirmSubscription", "TopicArn": message.topic_arn, "Token": message.token or ""}
        self._fetch(f"https://{sns_host(message.topic_arn)}/?{urlencode(query)}")


def sns_host(topic_arn: str) -> str:
    """The host of SNS in the region of a topic."""
    _, partition, _, region, *_ = topic_arn.split(":")
    return f"sns.{region}.amazonaws.com{'.cn' if partition == 'aws-cn' else ''}"


def _decoded(body: bytes) -> SnsMessage:
    try:
        message = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadSnsMessage("The body is not a message of SNS; send it by a subscription of the topic.") from None
    if message.type not in _SIGNED:
        raise BadSnsMessage("The type of the message is none of those that SNS sends.")
    return message


def _check_age(timestamp: str, max_age_s: float) -> None:
    try:
        published = datetime.fromisoformat(timestamp)
        age_s = (datetime.now(UTC) - published.replace(tzinfo=published.tzinfo or UTC)).total_seconds()
    except (ValueError, OverflowError):
        raise BadSnsMessage("The timestamp is malformed.") from None
    if not -AHEAD_S <= age_s <= max_age_s:
        raise BadSnsMessage(
            f"The message was published more than {max_age_s:g} s ago, or in the future; check the server's clock.",
            Refusal.STALE,
        )


def _signature(message: SnsMessage) -> tuple[bytes, hashes.HashAlgorithm]:
    algorithm = _HASHES.get(message.version)
    if algorithm is None:
        raise BadSnsMessage("SignatureVersion is neither 1 nor 2.")
    try:
        signature = base64.b64decode(message.signature, validate=True)
    except ValueError:
        signature = b""
    if not 0 < len(signature) <= MAX_SIGNATURE_BYTES:
        raise BadSnsMessage("The signature is missing or malformed.")
    return signature, algorithm()
