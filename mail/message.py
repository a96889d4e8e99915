"""One email to one recipient, as every provider understands it.

How it is rendered stands in `mail.rendering`, how it travels in `mail.providers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formataddr
from typing import NamedTuple


class Mailbox(NamedTuple):
    """A display name ("" where there is none) and a bare address."""

    name: str
    address: str

    def __str__(self) -> str:
        return formataddr(self)


@dataclass(slots=True)
class Message:
    """A rendered email. `campaign_id` and `row` (from 1) are all that a provider is told about where it comes from.

    `subject` is one line without control characters; at least one of `html` and `text` is given and neither is "".
    `headers` are the campaign's own, checked by `mail.content`.
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
