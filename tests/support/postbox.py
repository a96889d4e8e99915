"""Postbox, a sixth provider: the example of `docs/adding-a-provider.md`. It is made up, after Postmark's kind of API.

A provider is one file with its sender and its events, and an entry in two tables.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from campaigns.event_kinds import Event, EventKind, Report, Unattributed, Why
from consent.records import AddressReport, Reason
from mail.attachment import Attachment
from mail.message import Message
from mail.outcome import Kind, Outcome, reason
from mail.providers.capabilities import Capabilities
from mail.providers.retry_after import retry_after_ms
from mail.providers.transport import NoAnswer, NotWritten, transport_to

CAPABILITIES: Final = Capabilities(attachments=7_000_000, events=True)

#: What a status means. One that is not here may have had any effect: the row is unknown.
_KINDS: Final = {
    **dict.fromkeys((401, 403, 404), Kind.REFUSED),
    **dict.fromkeys((413, 422), Kind.REJECTED),
    429: Kind.THROTTLED,
    **dict.fromkeys((500, 503), Kind.UNAVAILABLE),
}
_EVENTS: Final = {
    "Delivery": EventKind.DELIVERED,
    "Bounce": EventKind.BOUNCED,
    "SpamComplaint": EventKind.COMPLAINED,
    "Open": EventKind.OPENED,
    "Click": EventKind.CLICKED,
}
_STOPS: Final = {EventKind.BOUNCED: Reason.BOUNCED, EventKind.COMPLAINED: Reason.COMPLAINED}


class Postbox:
    """One Postbox server. See `mail.providers.base.Provider`."""

    def __init__(self, token: str, url: str, timeout_s: float) -> None:
        headers = {"X-Server-Token": token, "Content-Type": "application/json"}
        self._transport = transport_to(f"{url}/email", headers, timeout_s)

    async def send(self, message: Message) -> Outcome:
        try:
            answer = await self._transport.post(msgspec.json.encode(payload(message)))
        except NotWritten as away:
            return Outcome(Kind.UNREACHABLE, reason(f"Postbox was not reached: {away}"))
        except NoAnswer as lost:
            return Outcome(Kind.UNKNOWN, reason(f"no answer from Postbox: {lost}"))
        kind = Kind.ACCEPTED if answer.status == 200 else _KINDS.get(answer.status, Kind.UNKNOWN)
        words = (await answer.body()).decode(errors="replace")
        if kind is Kind.ACCEPTED:
            return Outcome(kind, provider_message_id=words[:100])
        wait_ms = retry_after_ms(answer.header, time.time()) if kind is Kind.THROTTLED else None
        return Outcome(kind, reason(f"{answer.status} {words}"), retry_after_ms=wait_ms)

    async def close(self) -> None:
        await self._transport.close()


def payload(message: Message) -> dict[str, Any]:
    """The request's body. Its metadata hold campaign and row, never an address: they come back with each event."""
    return {
        "From": str(message.sender),
        "To": message.to,
        "ReplyTo": str(message.reply_to) if message.reply_to else None,
        "Subject": message.subject,
        "HtmlBody": message.html,
        "TextBody": message.text,
        "Headers": [{"Name": name, "Value": value} for name, value in message.headers.items()],
        "Attachments": [_attached(file) for file in message.attachments],
        "Metadata": {"campaign_id": message.campaign_id, "row": str(message.row)},
        "TrackOpens": message.tracks,
        "TrackLinks": None if message.tracks is None else ("HtmlAndText" if message.tracks else "None"),
    }


def _attached(file: Attachment) -> dict[str, str | None]:
    content_id = f"cid:{file.filename}" if file.inline else None
    return {"Name": file.filename, "ContentType": file.content_type, "Content": file.base64, "ContentID": content_id}


def report_of(fields: Mapping[str, Any]) -> Report:
    """One event: what it says of a row, and of an address."""
    kind, metadata = _EVENTS.get(fields["RecordType"]), fields.get("Metadata") or {}
    if kind is None:
        return Report(Unattributed("other", Why.OTHER_KIND))
    stop = AddressReport(fields["Recipient"], _STOPS[kind], None) if kind in _STOPS else None
    if "campaign_id" not in metadata:
        return Report(Unattributed(kind, Why.NO_CUSTOM_ARGS), stop)
    return Report(Event(metadata["campaign_id"], int(metadata["row"]), kind), stop)
