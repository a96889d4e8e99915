"""SendGrid's events: their signature, beside SendGrid's own package, and what each says about row and address."""

from __future__ import annotations

import hashlib
import warnings
from contextlib import nullcontext
from typing import Any

import pytest

from campaigns.event_kinds import Event, EventKind, Report, Unattributed, Why
from consent.records import AddressReport, Change, Reason
from mail.providers.sendgrid_events import SIGNATURE_HEADER, TIMESTAMP_HEADER, BadSignature, report_of, signature_of
from tests.support.doubles.sendgrid_events import Signer, event

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


def test_each_of_several_keys_counts() -> None:
    one, other, stranger = Signer(), Signer(), Signer()
    for signer, is_known in ((one, True), (other, True), (stranger, False)):
        signature = signature_of(signer.headers(BODY), 300)
        digest = hashlib.sha256(signature.timestamp + BODY).digest()
        with nullcontext() if is_known else pytest.raises(BadSignature):
            signature.verify(f"{one.public_key}, {other.public_key}", digest)


@pytest.mark.parametrize(
    ("name", "more", "kind", "what"),
    [
        ("processed", {}, EventKind.ACCEPTED, None),
        ("deferred", {"response": "400 try again later"}, EventKind.ACCEPTED, None),
        ("delivered", {}, EventKind.DELIVERED, None),
        ("open", {}, EventKind.OPENED, None),
        ("open", {"sg_machine_open": False}, EventKind.OPENED, None),
        ("open", {"sg_machine_open": True}, EventKind.OPENED_BY_MACHINE, None),
        ("click", {"url": "https://shop.test"}, EventKind.CLICKED, None),
        ("bounce", {}, EventKind.BOUNCED, Reason.BOUNCED),
        ("bounce", {"type": "bounce", "status": "5.1.1"}, EventKind.BOUNCED, Reason.BOUNCED),
        ("bounce", {"type": "blocked", "status": "5.7.1"}, EventKind.ACCEPTED, None),
        ("bounce", {"type": "bounce", "status": "4.2.2"}, EventKind.ACCEPTED, None),
        ("spamreport", {}, EventKind.COMPLAINED, Reason.COMPLAINED),
        ("unsubscribe", {}, EventKind.UNSUBSCRIBED, Reason.UNSUBSCRIBED),
        ("group_unsubscribe", {}, EventKind.UNSUBSCRIBED, Reason.UNSUBSCRIBED),
        ("group_resubscribe", {}, EventKind.ACCEPTED, Change.RESUBSCRIBED),
        ("dropped", {"reason": "Bounced Address"}, EventKind.DROPPED, Reason.BOUNCED),
        ("dropped", {"reason": " unsubscribed address"}, EventKind.DROPPED, Reason.UNSUBSCRIBED),
        ("dropped", {"reason": "Spam Reporting Address"}, EventKind.DROPPED, Reason.COMPLAINED),
        ("dropped", {"reason": "Invalid"}, EventKind.DROPPED, Reason.BOUNCED),
        ("dropped", {"reason": "Invalid SMTPAPI header"}, EventKind.DROPPED, None),
        ("dropped", {"reason": "Spam Content"}, EventKind.DROPPED, None),
        ("dropped", {"reason": "Recipient List over Package Quota"}, EventKind.DROPPED, None),
        ("dropped", {"reason": None}, EventKind.DROPPED, None),
    ],
)
def test_each_event_says_what_it_says_about_row_and_address(
    name: str, more: dict[str, Any], kind: EventKind, what: Reason | None
) -> None:
    found = report_of(event("7", name, timestamp=1_700_000_000, **more))
    assert isinstance(found.event, Event)
    assert found.event[:3] == ("c1", 7, kind)
    assert found.about_address == (what and AddressReport("ada@shop.test", what, 1_700_000_000_000))


def test_a_late_bounce_that_has_only_an_address_is_a_report_about_it() -> None:
    late = {"event": "bounce", "email": "ada@shop.test", "timestamp": 1_700_000_000, "sg_message_id": ""}
    about = AddressReport("ada@shop.test", Reason.BOUNCED, 1_700_000_000_000)
    assert report_of(late) == Report(Unattributed(EventKind.BOUNCED, Why.NO_CUSTOM_ARGS), about)


@pytest.mark.parametrize("timestamp", [None, "1700000000", 0, -5, 1e9, 10**30, [], {}])
def test_a_time_that_is_none_is_left_out(timestamp: object) -> None:
    found = report_of(event(name="spamreport", timestamp=timestamp)).about_address
    assert found == AddressReport("ada@shop.test", Reason.COMPLAINED, None)


@pytest.mark.parametrize("email", [None, 7, [], {}])
def test_an_event_without_an_address_says_nothing_about_one(email: object) -> None:
    assert report_of(event(name="bounce", email=email)).about_address is None
