"""What each event of Amazon SES means for its row."""

from __future__ import annotations

import json
from typing import Any

import pytest

from campaigns.event_kinds import Event, EventKind, Unattributed, Why
from mail.providers.ses_events import event_of
from tests.support.doubles.sns import event

SUPPRESSED = "dropped by Amazon SES: the address is on a suppression list"
KINDS: list[tuple[dict[str, Any], EventKind, str]] = [
    (event("Send"), EventKind.ACCEPTED, ""),
    (event("Delivery"), EventKind.DELIVERED, ""),
    (event("DeliveryDelay", deliveryDelay={"delayType": "MailboxFull"}), EventKind.ACCEPTED, ""),
    (event("Open"), EventKind.ACCEPTED, ""),
    (event("Click"), EventKind.ACCEPTED, ""),
    (event("Bounce", bounce={"bounceType": "Permanent", "bounceSubType": "NoEmail"}), EventKind.BOUNCED, ""),
    (event("Bounce", bounce={"bounceType": "Undetermined", "bounceSubType": "Undetermined"}), EventKind.BOUNCED, ""),
    (event("Bounce"), EventKind.BOUNCED, ""),
    (event("Bounce", bounce={"bounceType": "Transient", "bounceSubType": "MailboxFull"}), EventKind.ACCEPTED, ""),
    (event("Bounce", bounce={"bounceType": "Permanent", "bounceSubType": "Suppressed"}), EventKind.DROPPED, SUPPRESSED),
    (
        event("Bounce", bounce={"bounceType": "Permanent", "bounceSubType": "OnAccountSuppressionList"}),
        EventKind.DROPPED,
        SUPPRESSED,
    ),
    (event("Complaint", complaint={"complaintFeedbackType": "abuse"}), EventKind.COMPLAINED, ""),
    (event("Complaint", complaint={"complaintFeedbackType": "not-spam"}), EventKind.ACCEPTED, ""),
    (event("Complaint", complaint={"complaintSubType": "OnAccountSuppressionList"}), EventKind.DROPPED, SUPPRESSED),
    (event("Reject", reject={"reason": "Bad content"}), EventKind.DROPPED, "dropped by Amazon SES: Bad content"),
    (event("Reject"), EventKind.DROPPED, "dropped by Amazon SES: no reason given"),
    (
        event("Rendering Failure", failure={"errorMessage": "for ada@shop.test: \ud83d"}),
        EventKind.DROPPED,
        "dropped by Amazon SES: for ***@shop.test: ?",
    ),
    (event("Subscription", subscription={"newTopicPreferences": {"unsubscribeAll": True}}), EventKind.UNSUBSCRIBED, ""),
    (event("Subscription", subscription={"newTopicPreferences": {"unsubscribeAll": False}}), EventKind.ACCEPTED, ""),
]


@pytest.mark.parametrize(("raw", "kind", "reason"), KINDS)
def test_each_event_has_its_kind(raw: dict[str, Any], kind: EventKind, reason: str) -> None:
    assert event_of(json.dumps(raw)) == Event("c1", 1, kind, reason)


def test_a_user_agent_with_half_a_surrogate_pair_does_no_harm() -> None:
    assert event_of(json.dumps(event("Open", open={"userAgent": "\ud83d"}))) == Event("c1", 1, EventKind.ACCEPTED)


@pytest.mark.parametrize(
    ("campaign_id", "row"),
    [
        ("", "1"),
        ("a b", "1"),
        (7, "1"),
        (None, "1"),
        ("c1", ""),
        ("c1", "0"),
        ("c1", "01"),
        ("c1", 1),
        ("c1", "9" * 30),
    ],
)
def test_an_event_without_our_tags_has_no_row(campaign_id: object, row: object) -> None:
    raw = event("Bounce", row, campaign_id, bounce={"bounceType": "Permanent"})
    assert event_of(json.dumps(raw)) == Unattributed(EventKind.BOUNCED, Why.NO_CUSTOM_ARGS)


@pytest.mark.parametrize("mail", [None, [], {}, {"tags": None}, {"tags": {"campaign_id": "c1", "row": "1"}}])
def test_malformed_tags_name_no_row(mail: object) -> None:
    raw = json.dumps({"notificationType": "Delivery", "mail": mail})
    assert event_of(raw) == Unattributed(EventKind.DELIVERED, Why.NO_CUSTOM_ARGS)


@pytest.mark.parametrize(
    "text",
    [
        "Successfully validated SNS topic for Amazon SES event publishing.",
        "",
        "null",
        "[]",
        "{}",
        '{"eventType": []}',
        '{"eventType": "Invented"}',
        "[" * 100_000,
    ],
)
def test_any_other_text_is_no_event(text: str) -> None:
    assert event_of(text) == Unattributed("other", Why.OTHER_KIND)
