"""The outcome of one send, in one vocabulary for all providers.

The caller of the send decides what follows from an outcome: retry, pause or record.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from logs import masked

#: The longest reason, in characters.
MAX_REASON: Final = 200

_BLANKS: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


class Kind(StrEnum):
    """The nine ways in which a send can end."""

    #: The provider has accepted the message.
    ACCEPTED = "accepted"
    #: The provider will never accept this message. Final for this row; says nothing about other rows.
    REJECTED = "rejected"
    #: The account sends too fast; the message was not accepted. Retry this row, and slow all rows down.
    THROTTLED = "throttled"
    #: No connection to the provider, so the message was not accepted. Never the row's fault; retry.
    UNREACHABLE = "unreachable"
    #: The provider answered that it is unavailable; the message was not accepted. Retry.
    UNAVAILABLE = "unavailable"
    #: The request was sent and no usable response came: the message may have been accepted. Never retry unasked.
    UNKNOWN = "unknown"
    #: The provider refuses the account or its configuration; the message was not accepted. Other rows would fail too.
    REFUSED = "refused"
    #: The campaign's templates or files cannot be used; the worker sent no request. Its other rows would fail too.
    UNUSABLE = "unusable"
    #: The worker sent no request: the row returns to the queue, and no attempt is counted.
    NOT_TRIED = "not_tried"


@dataclass(slots=True)
class Outcome:
    """The outcome of one send.

    `reason` is the provider's message, cleaned by the function `reason`. `retry_after_ms` is the wait that the provider
    asked for, None if it asked for none.
    """

    kind: Kind
    reason: str = ""
    provider_message_id: str = ""
    retry_after_ms: int | None = None


def reason(words: str) -> str:
    """A foreign message as a reason: one line, every address masked to its domain, at most `MAX_REASON` characters."""
    line = masked(_BLANKS.sub(" ", words[: 5 * MAX_REASON]).strip())
    return line if len(line) <= MAX_REASON else line[: MAX_REASON - 1] + "…"
