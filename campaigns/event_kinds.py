"""The events that providers report, in terms that are independent of the provider. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from consent.records import AddressReport


class EventKind(StrEnum):
    """The kind of event. Every kind except `DROPPED` proves that the provider has accepted the email."""

    #: The provider accepted the email and has reported nothing else yet.
    ACCEPTED = "accepted"
    #: The recipient's server accepted the email.
    DELIVERED = "delivered"
    #: The recipient's server refused the email for good.
    BOUNCED = "bounced"
    #: The recipient marked the email as spam.
    COMPLAINED = "complained"
    #: The recipient unsubscribed.
    UNSUBSCRIBED = "unsubscribed"
    #: The provider discarded the email and will not send it.
    DROPPED = "dropped"
    #: The recipient opened the email.
    OPENED = "opened"
    #: A machine loaded the email's images, such as Apple's Mail Privacy Protection, whether or not anyone reads it.
    OPENED_BY_MACHINE = "opened_by_machines"
    #: The recipient followed a link in the email.
    CLICKED = "clicked"


class Event(NamedTuple):
    """One event of one row. `reason`: why the email was dropped, without addresses."""

    campaign_id: str
    row: int
    kind: EventKind
    reason: str = ""


class Why(StrEnum):
    """Why an event cannot be attributed to a row."""

    #: The event is of none of the kinds in `EventKind`.
    OTHER_KIND = "other_kind"
    #: The event names no campaign and row: Postrider has not sent the email, or the custom arguments were lost.
    NO_CUSTOM_ARGS = "no_custom_args"
    #: The campaign does not exist, or no longer exists.
    UNKNOWN_CAMPAIGN = "unknown_campaign"
    #: Postrider never handed the row to the provider.
    UNKNOWN_ROW = "unknown_row"
    #: The event is about a test email, which belongs to no row.
    TEST_EMAIL = "test_email"


class Unattributed(NamedTuple):
    """An event without a row. `kind`: its kind, or "other" for a kind that is not in `EventKind`."""

    kind: str
    why: Why


class Refusal(StrEnum):
    """Why a webhook refuses a request."""

    #: It has no signature, or a malformed one: it may come from anyone.
    UNSIGNED = "unsigned"
    #: It was signed too long ago, or in the future.
    STALE = "stale"
    #: The signature is wrong: the server's key or topic is another one than the provider's.
    WRONG = "wrong"


class Report(NamedTuple):
    """What one event of a provider means: for a row, and for the suppression list (None: nothing).

    The two are independent. A bounce whose row is not known still says that its address takes no email.
    """

    event: Event | Unattributed
    about_address: AddressReport | None = None
