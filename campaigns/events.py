"""Records the events that a provider reports about emails that it accepted. Knows no provider's terms.

Events come in any order and more than once. The ledger records each by its content, not by its event id, so that a
repeated event changes nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from redis import Redis, RedisError

from campaigns import keys
from campaigns.db.scripts import Call, Scripts
from campaigns.db.typed_redis import typed
from campaigns.event_kinds import Event, Unattributed, Why
from campaigns.models import Brake
from lists.scan import MAX_ROWS

#: The most events per script call, and per round trip of several calls. They take several ms of Redis's time.
GROUP: Final = 1000
#: The most script calls per round trip, each for one campaign. They take several 10 ms of Redis's time, and Redis runs
#: other clients' commands between them.
CALLS: Final = 500

#: The limits of campaigns whose content an earlier version has stored.
_DEFAULT_BRAKE: Final = {name.removeprefix("brake_"): value for name, value in Brake().fields.items()}


class AccountBrake(NamedTuple):
    """The limits of each account over all its campaigns.

    `bounce_pct`, `complaint_pct`: in percent; None: no limit. `after`: of fewer emails it says nothing. `hours`: how
    far it looks back.
    """

    bounce_pct: float | None
    complaint_pct: float | None
    after: int
    hours: int


class EventsRecorded(NamedTuple):
    """The result of recording events.

    `events`: the number of events whose row was handed to the provider. `settled`: the number of rows that these events
    have made done or failed. `completed`: the campaigns that these events have completed. `unattributed`: the number of
    other events, by kind and cause. `braked`: the campaigns that their brake has paused, with its figures.
    `braked_accounts`: the figures for which the brake of an account holds its campaigns.
    """

    events: int
    settled: int
    completed: list[str]
    unattributed: Mapping[Unattributed, int] = {}
    braked: Mapping[str, str] = {}
    braked_accounts: Sequence[str] = ()


class ProviderEvents:
    """Records events on one Redis.

    Args:
        redis: a client without response decoding.
        account_brake: the limits of each account; None: there are none.
    """

    def __init__(self, redis: Redis, account_brake: AccountBrake | None = None) -> None:
        self._account_brake = account_brake and {
            name: value for name, value in account_brake._asdict().items() if value is not None
        }
        self._redis = typed(redis)
        self._scripts = Scripts(redis)

    def apply(self, events: Iterable[Event | Unattributed]) -> EventsRecorded:
        """Record events. Count by kind those whose row was never handed to the provider.

        Raises:
            redis.RedisError: some events may be recorded; recording all of them again is safe. If Redis refuses the
                events of one campaign, those of the others are recorded.
        """
        unattributed: Counter[Unattributed] = Counter()
        campaigns: dict[str, list[Event]] = defaultdict(list)
        for event in events:
            if isinstance(event, Unattributed):
                unattributed[event] += 1
            elif 0 < event.row <= MAX_ROWS:
                campaigns[event.campaign_id].append(event)
            else:
                unattributed[Unattributed(event.kind, Why.UNKNOWN_ROW)] += 1
        known = self._known(campaigns)
        for campaign_id in campaigns.keys() - known:
            unattributed.update(Unattributed(event.kind, Why.UNKNOWN_CAMPAIGN) for event in campaigns.pop(campaign_id))
        named, settled, completed, refused = 0, 0, [], None
        braked: dict[str, str] = {}
        accounts: set[str] = set()
        for group, answer in self._recorded(campaigns.values()):
            if isinstance(answer, RedisError):
                refused = answer
                continue
            settled_rows, ended, figures, of_account, *ignored = answer
            named += len(group) - len(ignored)
            settled += settled_rows
            completed += [group[0].campaign_id] if ended == b"1" else []
            braked |= {group[0].campaign_id: figures.decode()} if figures else {}
            accounts |= {of_account.decode()} if of_account else set()
            unattributed.update(Unattributed(group[place].kind, Why.UNKNOWN_ROW) for place in ignored)
        if refused is not None:
            raise refused
        self._count(unattributed)
        return EventsRecorded(named, settled, completed, dict(unattributed), braked, tuple(sorted(accounts)))

    def unattributed(self) -> dict[Unattributed, int]:
        """The number of events so far that could not be attributed to a row, by kind and cause."""
        found = self._redis.hgetall(keys.UNATTRIBUTED)
        parts = ((name.decode().split("|"), int(count)) for name, count in found.items())
        return {Unattributed(kind, Why(why)): count for (kind, why), count in parts}

    def _known(self, campaign_ids: Iterable[str]) -> set[str]:
        """Those of the campaigns that exist."""
        known: set[str] = set()
        every = list(campaign_ids)
        for start in range(0, len(every), GROUP):
            some = every[start : start + GROUP]
            made_at = self._redis.zmscore(keys.CAMPAIGNS, some)
            known.update(campaign_id for campaign_id, at in zip(some, made_at, strict=True) if at is not None)
        return known

    def _recorded(self, campaigns: Iterable[Sequence[Event]]) -> Iterator[tuple[Sequence[Event], Any]]:
        """Groups of events, each with the response of `apply_events.lua` or the error with which Redis refused it."""
        for groups in _round_trips(campaigns):
            yield from zip(
                groups, self._scripts.each("apply_events", [self._call(group) for group in groups]), strict=True
            )

    def _call(self, events: Sequence[Event]) -> Call:
        """Keys and arguments of `apply_events.lua`, for events of one campaign."""
        campaign_id = events[0].campaign_id
        return {"campaign": keys.campaign(campaign_id), "running": keys.RUNNING}, {
            "campaign_id": campaign_id,
            "key_prefix": keys.PREFIX,
            **_DEFAULT_BRAKE,
            "account_brake": self._account_brake,
            "events": [(event.row, event.kind.value, event.reason) for event in events],
        }

    def _count(self, unattributed: Mapping[Unattributed, int]) -> None:
        with self._redis.pipeline(transaction=True) as pipeline:
            for (kind, why), count in unattributed.items():
                pipeline.hincrby(keys.UNATTRIBUTED, f"{kind}|{why}", count)
            pipeline.execute()


def _round_trips(campaigns: Iterable[Sequence[Event]]) -> Iterator[list[Sequence[Event]]]:
    """Split each campaign's events into groups, and combine as many groups as one round trip may carry."""
    groups: list[Sequence[Event]] = []
    size = 0
    for events in campaigns:
        for start in range(0, len(events), GROUP):
            group = events[start : start + GROUP]
            if groups and (len(groups) == CALLS or size + len(group) > GROUP):
                yield groups
                groups, size = [], 0
            groups.append(group)
            size += len(group)
    if groups:
        yield groups
