"""What each event of Amazon SES means for its row."""

from __future__ import annotations

import json
from typing import Any

import pytest

from campaigns.event_kinds import Event, EventKind, Unattributed, Why
from consent.records import AddressReport, Change, Reason
from mail.providers.ses_events import report_of
from tests.support.doubles.sns import event

SUPPRESSED = "dropped by Amazon SES: the address is on a suppression list"
KINDS: list[tuple[dict[str, Any], EventKind, str]] = [
    (event("Send"), EventKind.ACCEPTED, ""),
    (event("Delivery"), EventKind.DELIVERED, ""),
    (event("DeliveryDelay", deliveryDelay={"delayType": "MailboxFull"}), EventKind.ACCEPTED, ""),
    (event("Open"), EventKind.OPENED, ""),
    (event("Open", open={"userAgent": "Mozilla/5.0"}), EventKind.OPENED_BY_MACHINE, ""),
    (event("Open", open={"userAgent": "Mozilla/5.0 (Windows NT 5.1)"}), EventKind.OPENED, ""),
    (event("Click"), EventKind.CLICKED, ""),
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
    assert report_of(json.dumps(raw)).event == Event("c1", 1, kind, reason)


def test_a_user_agent_with_half_a_surrogate_pair_does_no_harm() -> None:
    raw = json.dumps(event("Open", open={"userAgent": "\ud83d"}))
    assert report_of(raw).event == Event("c1", 1, EventKind.OPENED)


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
    assert report_of(json.dumps(raw)).event == Unattributed(EventKind.BOUNCED, Why.NO_CUSTOM_ARGS)


@pytest.mark.parametrize("mail", [None, [], {}, {"tags": None}, {"tags": {"campaign_id": "c1", "row": "1"}}])
def test_malformed_tags_name_no_row(mail: object) -> None:
    raw = json.dumps({"notificationType": "Delivery", "mail": mail})
    assert report_of(raw).event == Unattributed(EventKind.DELIVERED, Why.NO_CUSTOM_ARGS)


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
    assert report_of(text).event == Unattributed("other", Why.OTHER_KIND)


AT = {"timestamp": "2023-11-14T22:13:20.000Z"}
GONE = {**AT, "bouncedRecipients": [{"emailAddress": "Ada@shop.test", "status": "5.1.1"}]}
ANGRY = {**AT, "complainedRecipients": [{"emailAddress": "Ada@shop.test"}]}
NO, YES = {"unsubscribeAll": True}, {"unsubscribeAll": False}


@pytest.mark.parametrize(
    ("name", "more", "what"),
    [
        ("Bounce", {"bounce": {**GONE, "bounceType": "Permanent", "bounceSubType": "General"}}, Reason.BOUNCED),
        ("Bounce", {"bounce": {**GONE, "bounceType": "Undetermined"}}, None),
        ("Bounce", {"bounce": {**GONE, "bounceType": "Transient", "bounceSubType": "MailboxFull"}}, None),
        (
            "Bounce",
            {"bounce": {**GONE, "bounceType": "Permanent", "bounceSubType": "OnAccountSuppressionList"}},
            Reason.BOUNCED,
        ),
        ("Complaint", {"complaint": {**ANGRY, "complaintFeedbackType": "abuse"}}, Reason.COMPLAINED),
        ("Complaint", {"complaint": {**ANGRY, "complaintFeedbackType": "not-spam"}}, None),
        ("Complaint", {"complaint": {**ANGRY, "complaintSubType": "OnAccountSuppressionList"}}, Reason.COMPLAINED),
        ("Reject", {"reject": {"reason": "Bad content"}}, None),
        ("Delivery", {"delivery": {**AT, "recipients": ["ada@shop.test"]}}, None),
        ("Subscription", {"subscription": {**AT, "newTopicPreferences": NO}}, Reason.UNSUBSCRIBED),
        (
            "Subscription",
            {"subscription": {**AT, "oldTopicPreferences": NO, "newTopicPreferences": YES}},
            Change.RESUBSCRIBED,
        ),
        ("Subscription", {"subscription": {**AT, "oldTopicPreferences": YES, "newTopicPreferences": YES}}, None),
    ],
)
def test_each_event_says_what_it_says_about_the_address(
    name: str, more: dict[str, Any], what: Reason | Change | None
) -> None:
    found = report_of(json.dumps(event(name, **more))).about_address
    assert (found and (found.address.lower(), found.what, found.at_ms)) == (
        what and ("ada@shop.test", what, 1_700_000_000_000)
    )


def test_an_event_without_tags_says_something_about_its_address() -> None:
    raw = event("Bounce", None, None, bounce={**GONE, "bounceType": "Permanent"})
    about = AddressReport("Ada@shop.test", Reason.BOUNCED, 1_700_000_000_000)
    assert report_of(json.dumps(raw)).about_address == about


def test_of_several_recipients_it_is_not_known_who_complained() -> None:
    two = [{"emailAddress": "ada@shop.test"}, {"emailAddress": "bob@shop.test"}]
    raw = event("Complaint", complaint={"complainedRecipients": two})
    assert report_of(json.dumps(raw)).about_address is None
