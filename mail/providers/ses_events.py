"""Events of Amazon SES, translated to `campaigns.event_kinds`. `mail.providers.sns` has verified who sent them.

SES publishes them to SNS from a configuration set. Source:
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from campaigns.event_kinds import Event, EventKind, Unattributed, Why
from campaigns.models import CAMPAIGN_ID
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
    "Open": EventKind.ACCEPTED,
    "Click": EventKind.ACCEPTED,
    "Subscription": EventKind.ACCEPTED,
}
#: Subtypes of bounces and complaints about addresses on a suppression list: SES has sent them nothing.
_SUPPRESSED: Final = frozenset({"Suppressed", "OnAccountSuppressionList"})


def event_of(text: str) -> Event | Unattributed:
    """Translate the text of one notification. The tags of the email, which Postrider has set, name the row."""
    fields = _fields(text)
    # `notificationType` stands in notifications of an identity, which carry no tags.
    name = fields.get("eventType") or fields.get("notificationType")
    if not isinstance(name, str) or name not in _KINDS:
        return Unattributed("other", Why.OTHER_KIND)
    kind, why = _kind(name, fields)
    tags = _mapping(_mapping(fields.get("mail")).get("tags"))
    campaign_id, row = _tag(tags, "campaign_id"), _tag(tags, "row")
    if not CAMPAIGN_ID.fullmatch(campaign_id) or not _ROW.fullmatch(row):
        return Unattributed(kind, Why.NO_CUSTOM_ARGS)
    return Event(campaign_id, int(row), kind, why)


def _kind(name: str, fields: Mapping[str, Any]) -> tuple[EventKind, str]:
    """The kind, and the reason if the email was dropped."""
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
            return _KINDS[name], ""


def _bounce(bounce: Mapping[str, Any]) -> tuple[EventKind, str]:
    """A transient bounce, such as a full mailbox or an automatic reply, says nothing against the address."""
    if bounce.get("bounceSubType") in _SUPPRESSED:
        return _dropped("the address is on a suppression list")
    return (EventKind.ACCEPTED if bounce.get("bounceType") == "Transient" else EventKind.BOUNCED), ""


def _complaint(complaint: Mapping[str, Any]) -> tuple[EventKind, str]:
    if complaint.get("complaintSubType") in _SUPPRESSED:
        return _dropped("the address is on a suppression list")
    is_none = complaint.get("complaintFeedbackType") == "not-spam"  # the recipient has taken a complaint back
    return (EventKind.ACCEPTED if is_none else EventKind.COMPLAINED), ""


def _subscription(subscription: Mapping[str, Any]) -> tuple[EventKind, str]:
    """A recipient has changed subscriptions through SES's own list management."""
    preferences = _mapping(subscription.get("newTopicPreferences"))
    return (EventKind.UNSUBSCRIBED if preferences.get("unsubscribeAll") is True else EventKind.ACCEPTED), ""


def _dropped(words: object) -> tuple[EventKind, str]:
    text = str(words or "no reason given").encode(errors="replace").decode()
    return EventKind.DROPPED, reason(f"dropped by Amazon SES: {text}")


def _fields(text: str) -> Mapping[str, Any]:
    try:
        # Not msgspec, which rejects the event if one user agent string has half a surrogate pair in it.
        return _mapping(json.loads(text))
    except (ValueError, RecursionError):
        return {}


def _mapping(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}


def _tag(tags: Mapping[str, Any], name: str) -> str:
    """The value of a tag; SES reports a list of values."""
    values = tags.get(name)
    return values[0] if isinstance(values, list) and len(values) == 1 and isinstance(values[0], str) else ""
