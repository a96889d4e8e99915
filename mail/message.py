"""One email to one recipient, in a form for every provider.

`mail.rendering` makes messages; `mail.providers` send them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formataddr
from typing import Final, NamedTuple

from mail.attachment import Attachment

#: The row of an email that belongs to no row: a test email.
NO_ROW: Final = 0


class Mailbox(NamedTuple):
    """A display name (may be "") and an address without a name."""

    name: str
    address: str

    def __str__(self) -> str:
        return formataddr(self)


@dataclass(slots=True)
class Message:
    """A rendered email.

    `campaign_id` and `row` (from 1; `NO_ROW` for a test email) are all that the provider learns about its origin.
    `subject` is one line without control characters. At least one of `html` and `text` is given, and neither is "".
    `headers` are those of the campaign, checked by `mail.content`. `attachments` are the files that it carries.
    `tracks`: whether the provider follows opens and clicks; None: as its account says.
    """

    campaign_id: str
    row: int
    to: str
    sender: Mailbox
    reply_to: Mailbox | None
    subject: str
    html: str | None
    text: str | None
    headers: Mapping[str, str] = field(default_factory=dict)
    attachments: Sequence[Attachment] = ()
    tracks: bool | None = None
