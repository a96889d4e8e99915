"""What became of one message: one vocabulary for all providers.

What follows from an outcome (retry, pause, record) is decided by whoever asked for the send, not here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from logs import masked

#: The longest reason that is kept, in characters.
MAX_REASON: Final = 200

_BLANKS: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


class Kind(StrEnum):
    """The eight ways in which a send can end."""

    #: The provider has taken the message.
    ACCEPTED = "accepted"
    #: The provider will never take this message: final for this row alone.
    REJECTED = "rejected"
    #: Too fast for the account; nothing was taken. Try again, everybody later.
    THROTTLED = "throttled"
    #: No connection to the provider: never this row's fault; nothing was taken. Try again.
    UNREACHABLE = "unreachable"
    #: The provider answered that it cannot do it now; nothing was taken. Try again.
    UNAVAILABLE = "unavailable"
    #: The request was written and no usable answer came: it may have been taken. Never try again unasked.
    UNKNOWN = "unknown"
    #: The provider refuses the account or its configuration; nothing was taken. No other row will fare better.
    REFUSED = "refused"
    #: The worker has not asked the provider: the row goes back to where it came from, at no cost.
    NOT_TRIED = "not_tried"


@dataclass(slots=True)
class Outcome:
    """The end of one send.

    `reason` is in the provider's words, made by `reason` below. `retry_after_ms` is the wait that the provider asked
    for, None where it named none.
    """

    kind: Kind
    reason: str = ""
    provider_message_id: str = ""
    retry_after_ms: int | None = None


def reason(words: str) -> str:
    """Words of others as a reason: one line, every address masked to its domain, at most `MAX_REASON` characters."""
    line = masked(_BLANKS.sub(" ", words[: 5 * MAX_REASON]).strip())
    return line if len(line) <= MAX_REASON else line[: MAX_REASON - 1] + "…"
