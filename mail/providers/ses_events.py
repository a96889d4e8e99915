"""Events of Amazon SES, translated to `campaigns.event_kinds`. `mail.providers.sns` has verified who sent them.

SES publishes them to SNS from a configuration set. Source:
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

from campaigns.event_kinds import Event, EventKind, Report, Unattributed, Why
from campaigns.models import CAMPAIGN_ID
from consent.records import AddressReport, Change, Reason
from mail.outcome import reason

_ROW: Final = re.compile(r"[1-9][0-9]{0,9}")
_KINDS: Final = {
    "Send": EventKind.ACCEPTED,
    "Delivery": EventKind.DELIVERED,
    "DeliveryDelay": EventKind.ACCEPTED,
    "Bounce": EventKind.BOUNCED,
    "Complaint": EventKind.COMPLAINED,
    "Reject": EventKind.DROPPED,
    "Rendering Failure": EventKind.DROPPED,
    "Open": EventKind.OPENED,
    "Click": EventKind.CLICKED,
    "Subscription": EventKind.ACCEPTED,
}
#: Subtypes of bounces and complaints about addresses on a suppression list: SES has sent them nothing.
_SUPPRESSED: Final = frozenset({"Suppressed", "OnAccountSuppressionList"})
#: The whole user agent of Apple's Mail Privacy Protection, which loads the images of every email.
_MACHINE: Final = "Mozilla/5.0"
#: The parts of an event that hold its time and its recipients, and the lists of recipients in them.
_PARTS: Final = ("bounce", "complaint", "subscription")
_RECIPIENTS: Final = ("bouncedRecipients", "complainedRecipients")


class _Meaning(NamedTuple):
    """`why`: the reason if the email was dropped. `what`: what the suppression list gets to know, and when it was."""

    kind: EventKind
    why: str = ""
    what: Reason | Literal[Change.RESUBSCRIBED] | None = None


def report_of(text: str) -> Report:
    """Translate the text of one notification. The tags of the email, which Postrider has set, name the row."""
    fields = _fields(text)
    # `notificationType` stands in notifications of an identity, which carry no tags.
    name = fields.get("eventType") or fields.get("notificationType")
    if not isinstance(name, str) or name not in _KINDS:
        return Report(Unattributed("other", Why.OTHER_KIND))
    meaning = _meaning(name, fields)
    return Report(_event(fields, meaning), _about_address(fields, meaning))


def _event(fields: Mapping[str, Any], meaning: _Meaning) -> Event | Unattributed:
    tags = _mapping(_mapping(fields.get("mail")).get("tags"))
    campaign_id, row = _tag(tags, "campaign_id"), _tag(tags, "row")
    if not CAMPAIGN_ID.fullmatch(campaign_id) or not _ROW.fullmatch(row):
        return Unattributed(meaning.kind, Why.NO_CUSTOM_ARGS)
    return Event(campaign_id, int(row), meaning.kind, meaning.why)


def _meaning(name: str, fields: Mapping[str, Any]) -> _Meaning:
    match name:
        case "Bounce":
            return _bounce(_mapping(fields.get("bounce")))
        case "Complaint":
            return _complaint(_mapping(fields.get("complaint")))
        case "Subscription":
            return _subscription(_mapping(fields.get("subscription")))
        case "Reject":
            return _dropped(_mapping(fields.get("reject")).get("reason"))
        case "Rendering Failure":
            return _dropped(_mapping(fields.get("failure")).get("errorMessage"))
        case _:
            is_machine = name == "Open" and _mapping(fields.get("open")).get("userAgent") == _MACHINE
            return _Meaning(EventKind.OPENED_BY_MACHINE if is_machine else _KINDS[name])


def _bounce(bounce: Mapping[str, Any]) -> _Meaning:
    """A transient bounce, such as a full mailbox or an automatic reply, says nothing against the address.

    One that SES cannot interpret ("Undetermined") counts as a bounce, and the address stays off the list.
    """
    if bounce.get("bounceSubType") in _SUPPRESSED:
        return _dropped("the address is on a suppression list", Reason.BOUNCED)
    if bounce.get("bounceType") == "Transient":
        return _Meaning(EventKind.ACCEPTED)
    is_final = bounce.get("bounceType") == "Permanent"
    return _Meaning(EventKind.BOUNCED, what=Reason.BOUNCED if is_final else None)


def _complaint(complaint: Mapping[str, Any]) -> _Meaning:
    if complaint.get("complaintSubType") in _SUPPRESSED:
        return _dropped("the address is on a suppression list", Reason.COMPLAINED)
    if complaint.get("complaintFeedbackType") == "not-spam":  # the recipient has taken a complaint back
        return _Meaning(EventKind.ACCEPTED)
    return _Meaning(EventKind.COMPLAINED, what=Reason.COMPLAINED)


def _subscription(subscription: Mapping[str, Any]) -> _Meaning:
    """A recipient has changed subscriptions through SES's own list management."""
    before, now = (
        _mapping(subscription.get(name)).get("unsubscribeAll")
        for name in ("oldTopicPreferences", "newTopicPreferences")
    )
    if now is True:
        return _Meaning(EventKind.UNSUBSCRIBED, what=Reason.UNSUBSCRIBED)
    return _Meaning(EventKind.ACCEPTED, what=Change.RESUBSCRIBED if before is True and now is False else None)


def _dropped(words: object, what: Reason | None = None) -> _Meaning:
    text = str(words or "no reason given").encode(errors="replace").decode()
    return _Meaning(EventKind.DROPPED, reason(f"dropped by Amazon SES: {text}"), what)


def _about_address(fields: Mapping[str, Any], meaning: _Meaning) -> AddressReport | None:
    """The address stands in the event's own part, or is the only destination of the email."""
    if meaning.what is None:
        return None
    parts = [_mapping(fields.get(name)) for name in _PARTS]
    recipients = [recipient for part in parts for name in _RECIPIENTS for recipient in _list(part.get(name))]
    named = [_mapping(recipient).get("emailAddress") for recipient in recipients]
    found = named or _list(_mapping(fields.get("mail")).get("destination"))
    # Postrider sends to one recipient per email. Of several, SES does not say whose complaint it is.
    if len(found) != 1 or not isinstance(found[0], str):
        return None
    times = [part["timestamp"] for part in parts if "timestamp" in part]
    return AddressReport(found[0], meaning.what, _at_ms(times[0]) if times else None)


def _at_ms(timestamp: object) -> int | None:
    try:
        at = datetime.fromisoformat(str(timestamp))
        return max(0, int(at.replace(tzinfo=at.tzinfo or UTC).timestamp() * 1000))
    except (ValueError, OverflowError):
        return None


def _fields(text: str) -> Mapping[str, Any]:
    try:
        # Not msgspec, which rejects the event if one user agent string has half a surrogate pair in it.
        return _mapping(json.loads(text))
    except (ValueError, RecursionError):
        return {}


def _mapping(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}


def _list(found: object) -> Sequence[Any]:
    return found if isinstance(found, list) else []


def _tag(tags: Mapping[str, Any], name: str) -> str:
    """The value of a tag; SES reports a list of values."""
    values = tags.get(name)
    return values[0] if isinstance(values, list) and len(values) == 1 and isinstance(values[0], str) else ""
