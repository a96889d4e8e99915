"""One SendGrid request to several recipients: `personalizations` with `substitutions`.

Source: https://www.twilio.com/docs/sendgrid/for-developers/sending-email/personalizations. SendGrid replaces the tags
in subject and content as plain text, and refuses the whole request if one recipient is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from mail.attachment import Attachment
from mail.mail_merge import Share
from mail.outcome import Kind, Outcome, reason

#: A request must be smaller than this, in bytes.
MAX_REQUEST_BYTES: Final = 30_000_000
#: The most bytes of one recipient's substitutions. Quotes and escapes of JSON count too, to be safe.
MAX_SUBSTITUTIONS_BYTES: Final = 10_000

#: The part of the request that an error is about. What is wrong with the substitutions alone does not concern the
#: recipient, who can get the email without a merge.
_AT_FAULT: Final = re.compile(r"personalizations[.\[](\d+)\]?\.(?!substitutions)(.+)")
_BAD_REQUEST: Final = 400

_encode: Final = msgspec.json.Encoder().encode


class SendGridError(NamedTuple):
    """One of SendGrid's errors: its message, and the field that it is about, if it names one."""

    message: str
    field: str | None

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class Reply(NamedTuple):
    """The outcome of a request for all of its recipients, its status (0: no response), and the errors it names."""

    outcome: Outcome
    status: int = 0
    errors: Sequence[SendGridError] = ()


class SendGridMerge:
    """The requests of one campaign. See `mail.providers.base.MergedRequest`.

    Args:
        campaign_id: the campaign.
        shared: the fields of a request that all recipients share.
        post: posts a request.
    """

    def __init__(self, campaign_id: str, shared: dict[str, Any], post: Callable[[bytes], Awaitable[Reply]]) -> None:
        self._campaign_id = _encode(campaign_id)
        self._head = _encode(shared)[:-1] + b',"personalizations":['
        self._post = post

    def encode(self, share: Share) -> bytes | None:
        """See `MergedRequest`."""
        substitutions = _encode(share.substitutions)
        if len(substitutions) > MAX_SUBSTITUTIONS_BYTES:
            return None
        subject = b"" if share.subject is None else b',"subject":' + _encode(share.subject)
        headers = b',"headers":' + _encode(share.headers) if share.headers else b""
        # Joined by hand: a dict of it all takes twice the time.
        return b'{"to":[{"email":%b}],"custom_args":{"campaign_id":%b,"row":"%d"},"substitutions":%b%b%b}' % (
            _encode(share.to),
            self._campaign_id,
            share.row,
            substitutions,
            subject,
            headers,
        )

    async def send(self, shares: Sequence[bytes], attachments: Sequence[Attachment]) -> Sequence[Outcome | None]:
        """See `MergedRequest`."""
        files = b""
        if attachments:
            files = b',"attachments":' + _encode([attached(file) for file in attachments])
        body = b"".join((self._head, b",".join(shares), b"]", files, b"}"))
        if len(body) >= MAX_REQUEST_BYTES:
            return [None] * len(shares)
        outcome, status, errors = await self._post(body)
        if outcome.kind is not Kind.REJECTED:
            return [outcome] * len(shares)
        found: list[Outcome | None] = [None] * len(shares)
        for row, why in _at_fault(errors).items() if status == _BAD_REQUEST else ():
            if row < len(shares):
                found[row] = Outcome(Kind.REJECTED, reason(f"{status} {'; '.join(why)}"))
        return found


def _at_fault(errors: Sequence[SendGridError]) -> dict[int, list[str]]:
    """The errors that name one recipient, by the recipient's place, worded as those of a request to this one alone."""
    found: dict[int, list[str]] = {}
    for message, field in errors:
        if match := _AT_FAULT.fullmatch(field or ""):
            found.setdefault(int(match[1]), []).append(f"personalizations.0.{match[2]}: {message}")
    return found


def attached(file: Attachment) -> dict[str, str]:
    """A file as a request carries it."""
    # SendGrid refuses a type with parameters.
    kind = file.content_type.partition(";")[0]
    attached = {"content": file.base64, "type": kind, "filename": file.filename, "disposition": "attachment"}
    return attached | {"disposition": "inline", "content_id": file.filename} if file.inline else attached


def errors_of(body: bytes) -> list[SendGridError]:
    """SendGrid's errors from `{"errors": [{"message", "field", "help"}]}`; none if a proxy has answered instead."""
    try:
        errors = msgspec.json.decode(body)["errors"]
        found = [SendGridError(error["message"], error.get("field")) for error in errors]
    except (msgspec.DecodeError, UnicodeDecodeError, LookupError, TypeError, AttributeError):
        return []
    return found if all(isinstance(error.message, str) for error in found) else []
