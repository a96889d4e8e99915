"""What the SendGrid double makes of a request's personalizations: the email that each recipient gets.

Source: https://www.twilio.com/docs/sendgrid/for-developers/sending-email/personalizations. Tags are replaced as plain
text, one after the other; SendGrid does not say in which order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

#: The fields of a request that its recipients may have of their own.
_OWN: Final = frozenset({"personalizations", "subject", "headers", "content", "custom_args"})


class Email(NamedTuple):
    """What one recipient gets. `parts`: the content by its type, in order. `shared`: the rest of the request."""

    campaign_id: str
    row: int
    to: str
    subject: str
    headers: Mapping[str, str]
    parts: Mapping[str, str]
    shared: Mapping[str, Any]


def emails(payload: Mapping[str, Any], *, in_reverse: bool = False) -> list[Email]:
    """The emails of a valid request. `in_reverse`: replace the tags in the reverse order."""
    return [_email(payload, personalization, in_reverse) for personalization in payload["personalizations"]]


def _email(payload: Mapping[str, Any], own: Mapping[str, Any], in_reverse: bool) -> Email:
    tags = list(own.get("substitutions", {}).items())
    args = payload.get("custom_args", {}) | own.get("custom_args", {})

    def replaced(text: str) -> str:
        for tag, value in reversed(tags) if in_reverse else tags:
            text = text.replace(tag, value)
        return text

    return Email(
        args["campaign_id"],
        int(args["row"]),
        own["to"][0]["email"],
        replaced(own.get("subject", payload.get("subject", ""))),
        own.get("headers", payload.get("headers", {})),
        {part["type"]: replaced(part["value"]) for part in payload["content"]},
        {name: value for name, value in payload.items() if name not in _OWN},
    )
