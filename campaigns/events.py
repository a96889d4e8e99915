"""What a provider tells afterwards of the emails that it took, recorded in the ledger. Knows no provider's words.

Events come in any order and more than once. Each is recorded by what it says, not by an id of its own, so that the same
one again changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from redis import Redis

from campaigns import keys
from campaigns.scripts import Scripts

#: Events in one script call, at most: some ms of Redis's time.
GROUP: Final = 1000
#: Rows have lower numbers than this: more bits than these no Redis string has.
MAX_ROW: Final = 2**32

_KEYS: Final = ("campaign", "progress", "flight", "done", "failed", "unknown", "reasons")
_MARKS: Final = ("delivered", "bounced", "complained", "unsubscribed")


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


class Applied(NamedTuple):
    """`events`: how many named a row that was handed to the provider; `settled`: how many rows got an end by them;
    `completed`: the campaigns that have just been completed.
    """

    events: int
    settled: int
    completed: list[str]


class ProviderEvents:
    """Records events on one Redis."""

    def __init__(self, redis: Redis) -> None:
        self._scripts = Scripts(redis)

    def apply(self, events: Iterable[Event]) -> Applied:
        """Record events, in one call a campaign for up to `GROUP` of them. Those of unknown campaigns and rows change
        nothing.

        Raises:
            redis.RedisError: some may be recorded; all of them can come again.
        """
        campaigns: dict[str, list[Event]] = defaultdict(list)
        for event in events:
            if 0 < event.row < MAX_ROW:
                campaigns[event.campaign_id].append(event)
        named, settled, completed = 0, 0, []
        for campaign_id, group in campaigns.items():
            for start in range(0, len(group), GROUP):
                found = self._apply(campaign_id, group[start : start + GROUP])
                named += found[0]
                settled += found[1]
                completed += [campaign_id] if found[2] == b"1" else []
        return Applied(named, settled, completed)

    def _apply(self, campaign_id: str, events: list[Event]) -> tuple[int, int, bytes]:
        of_campaign = [keys.of(campaign_id, name) for name in _KEYS]
        marks = [keys.of(campaign_id, name) for name in _MARKS]
        args = [campaign_id, *(part for event in events for part in (event.row, event.kind.value, event.reason))]
        named, settled, completed = self._scripts("apply_events", [*of_campaign, keys.RUNNING, *marks], args)
        return named, settled, completed
