"""The events that providers report, in the words of no provider. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class EventKind(StrEnum):
    """What happened. Each but `DROPPED` proves that the provider has taken the email."""

    #: It took the email, and nothing that counts has come of it yet.
    ACCEPTED = "accepted"
    #: The recipient's server took it.
    DELIVERED = "delivered"
    #: The recipient's server refused it.
    BOUNCED = "bounced"
    #: The recipient called it spam.
    COMPLAINED = "complained"
    #: The recipient wants no more of them.
    UNSUBSCRIBED = "unsubscribed"
    #: The provider threw it away and will not send it.
    DROPPED = "dropped"


class Event(NamedTuple):
    """One event of one row. `reason`: why it was dropped, without addresses."""

    campaign_id: str
    row: int
    kind: EventKind
    reason: str = ""


class Why(StrEnum):
    """Why an event is counted for no row."""

    #: It is none of the kinds that count.
    OTHER_KIND = "other_kind"
    #: It names no campaign and row: it is of an email that Postrider has not sent, or its custom arguments were lost.
    NO_CUSTOM_ARGS = "no_custom_args"
    #: Its campaign does not exist, or not any more.
    UNKNOWN_CAMPAIGN = "unknown_campaign"
    #: Its row was never handed to the provider.
    UNKNOWN_ROW = "unknown_row"


class Unattributed(NamedTuple):
    """An event that is counted for no row, by its kind ("other" where it is none of `EventKind`)."""

    kind: str
    why: Why
