"""The example of `docs/adding-a-provider.md`: what a request carries, and what its events say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from campaigns.event_kinds import Event, EventKind, Report, Unattributed, Why
from consent.records import AddressReport, Reason
from mail.attachment import Attachment
from mail.message import Mailbox, Message
from tests.support.postbox import payload, report_of

OURS = {"campaign_id": "c1", "row": "7"}


def test_a_request_carries_all_that_an_email_has() -> None:
    file = Attachment("logo.png", "image/png", inline=True, data=b"x")
    message = Message(
        "c1", 7, "ann@shop.test", Mailbox("News", "news@shop.test"), Mailbox("", "help@shop.test"), "Hi",
        "<p>Hi", "Hi", {"X-A": "b"}, [file], tracks=False,
    )  # fmt: skip
    assert payload(message) == {
        "From": "News <news@shop.test>",
        "To": "ann@shop.test",
        "ReplyTo": "help@shop.test",
        "Subject": "Hi",
        "HtmlBody": "<p>Hi",
        "TextBody": "Hi",
        "Headers": [{"Name": "X-A", "Value": "b"}],
        "Attachments": [
            {"Name": "logo.png", "ContentType": "image/png", "Content": "eA==", "ContentID": "cid:logo.png"}
        ],
        "Metadata": OURS,
        "TrackOpens": False,
        "TrackLinks": "None",
    }


@pytest.mark.parametrize(
    ("fields", "report"),
    [
        ({"RecordType": "Delivery", "Metadata": OURS}, Report(Event("c1", 7, EventKind.DELIVERED))),
        (
            {"RecordType": "Bounce", "Metadata": OURS},
            Report(Event("c1", 7, EventKind.BOUNCED), AddressReport("ann@shop.test", Reason.BOUNCED)),
        ),
        (
            {"RecordType": "SpamComplaint"},
            Report(Unattributed("complained", Why.NO_CUSTOM_ARGS), AddressReport("ann@shop.test", Reason.COMPLAINED)),
        ),
        ({"RecordType": "SubscriptionChange"}, Report(Unattributed("other", Why.OTHER_KIND))),
    ],
)
def test_events_tell_of_rows_and_addresses(fields: dict[str, Any], report: Report) -> None:
    assert report_of(fields | {"Recipient": "ann@shop.test"}) == report


def test_the_page_names_each_kind_of_outcome_and_the_example() -> None:
    page = (Path(__file__).parents[2] / "docs" / "adding-a-provider.md").read_text()
    for word in ("ACCEPTED", "REJECTED", "THROTTLED", "UNREACHABLE", "UNAVAILABLE", "REFUSED", "UNKNOWN"):
        assert f"`{word}`" in page
    assert "`tests/support/postbox.py`" in page
