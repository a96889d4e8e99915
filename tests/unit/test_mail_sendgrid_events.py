"""The signature of SendGrid's events, beside SendGrid's own package."""

from __future__ import annotations

import hashlib
import warnings

import pytest

from mail.providers.sendgrid_events import SIGNATURE_HEADER, TIMESTAMP_HEADER, BadSignature, signature_of
from tests.support.doubles.sendgrid_events import Signer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from sendgrid.helpers.eventwebhook import EventWebhook, EventWebhookHeader

BODY = b'[{"event": "delivered"}]'


def test_the_headers_are_those_of_sendgrids_package() -> None:
    assert (SIGNATURE_HEADER, TIMESTAMP_HEADER) == (EventWebhookHeader.SIGNATURE, EventWebhookHeader.TIMESTAMP)


@pytest.mark.parametrize("body", [BODY, BODY + b" "])
def test_a_signature_is_what_sendgrids_package_says(body: bytes) -> None:
    signer = Signer()
    headers = signer.headers(BODY)
    webhook = EventWebhook(signer.public_key)
    theirs = webhook.verify_signature(body.decode(), headers[SIGNATURE_HEADER], headers[TIMESTAMP_HEADER])
    signature = signature_of(headers, 300)
    digest = hashlib.sha256(signature.timestamp + body).digest()
    try:
        signature.verify(signer.public_key, digest)
        ours = True
    except BadSignature:
        ours = False
    assert ours == theirs == (body == BODY)


def test_another_key_refuses_it() -> None:
    signature = signature_of(Signer().headers(BODY), 300)
    digest = hashlib.sha256(signature.timestamp + BODY).digest()
    with pytest.raises(BadSignature, match="SENDGRID_WEBHOOK_PUBLIC_KEY"):
        signature.verify(Signer().public_key, digest)
