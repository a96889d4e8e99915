"""The brake depends on which recipients bounced and complained, not on order, repetition or grouping of the events."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import fakeredis
from hypothesis import given, strategies as st

from campaigns import keys
from campaigns.event_kinds import Event, EventKind
from campaigns.events import AccountBrake, ProviderEvents
from campaigns.models import Brake

ROWS = 40
KINDS = (EventKind.DELIVERED, EventKind.BOUNCED, EventKind.COMPLAINED, EventKind.OPENED, EventKind.ACCEPTED)
EVENTS = st.lists(
    st.builds(Event, st.sampled_from(["c1", "c2"]), st.integers(1, ROWS), st.sampled_from(KINDS)), max_size=60
)
PERCENT = st.one_of(st.none(), st.sampled_from([0.3, 5.0, 12.5, 50.0]))
BRAKES = st.one_of(st.none(), st.builds(Brake, PERCENT, PERCENT, st.integers(1, 20)))
#: What the brakes count.
COUNTED = ("delivered", "bounced", "complained")


def passes(limits: Brake | AccountBrake | None, counts: dict[str, int], sent: int) -> bool:
    """Whether these counts of recipients pass the limits."""
    if limits is None:
        return False
    reported = counts["delivered"] + counts["bounced"]
    of = reported if counts["delivered"] and reported >= limits.after else sent
    pairs = ((counts["bounced"], limits.bounce_pct), (counts["complained"], limits.complaint_pct))
    return of >= limits.after and any(limit is not None and 100 * count > limit * of for count, limit in pairs)


def campaign(redis: Any, name: str, sent: int, brake: Brake | None) -> None:
    """A running campaign of which the first rows are done."""
    fields = (brake or Brake(bounce_pct=None, complaint_pct=None)).fields
    redis.zadd(keys.CAMPAIGNS, {name: 1})
    redis.sadd(keys.RUNNING, name)
    redis.hset(keys.campaign(name), mapping={"status": "running", **fields})
    redis.hset(keys.of(name, "progress"), mapping={"total": ROWS + 1, "done": sent})
    for row in range(1, sent + 1):
        redis.setbit(keys.of(name, "done"), row, 1)


def groups(events: list[Event], random: Random, size: int) -> Iterator[list[Event]]:
    """The events and some of them once more, in any order, in groups."""
    told = [*events, *events[::2], *events[:3]]
    random.shuffle(told)
    for at in range(0, len(told), size):
        yield told[at : at + size]


@given(EVENTS, BRAKES, st.integers(1, ROWS), st.randoms(use_true_random=False), st.integers(1, 30))
def test_a_campaign_is_paused_as_soon_as_its_recipients_pass_the_limits(
    events: list[Event], brake: Brake | None, sent: int, random: Random, size: int
) -> None:
    redis = fakeredis.FakeRedis()
    for name in ("c1", "c2"):
        campaign(redis, name, sent, brake)
    subject = ProviderEvents(redis)
    seen: dict[str, dict[str, set[int]]] = {name: {kind: set() for kind in COUNTED} for name in ("c1", "c2")}
    is_paused = dict.fromkeys(seen, False)
    for group in groups(events, random, size):
        braked = subject.apply(group).braked
        for name, marks in seen.items():
            before = {kind: len(rows) for kind, rows in marks.items()}
            for one in group:
                if one.campaign_id == name and one.row <= sent and one.kind in COUNTED:
                    marks[one.kind].add(one.row)
            counts = {kind: len(rows) for kind, rows in marks.items()}
            # an event of another kind may find figures that passed the limit before: it does not change them
            acts = not is_paused[name] and counts != before and passes(brake, counts, sent)
            assert (name in braked) == acts
            is_paused[name] = is_paused[name] or acts
            assert redis.hget(keys.campaign(name), "status") == (b"paused" if is_paused[name] else b"running")
            progress = redis.hgetall(keys.of(name, "progress"))
            assert {kind: int(progress.get(kind.encode(), 0)) for kind in COUNTED} == counts
            assert int(progress[b"done"]) == sent


LIMITS = AccountBrake(12.5, 5.0, 10, 24)


@given(EVENTS, st.integers(1, ROWS), st.randoms(use_true_random=False), st.integers(1, 30))
def test_an_account_is_paused_as_soon_as_its_recipients_pass_the_limits(
    events: list[Event], sent: int, random: Random, size: int
) -> None:
    """Two campaigns without limits of their own; the account's are judged after each campaign's part of a group."""
    redis = fakeredis.FakeRedis()
    for name in ("c1", "c2"):
        campaign(redis, name, sent, None)
    subject = ProviderEvents(redis, LIMITS)
    seen: dict[str, set[tuple[str, int]]] = {kind: set() for kind in COUNTED}
    is_paused = False
    for group in groups(events, random, size):
        for name in dict.fromkeys(one.campaign_id for one in group):
            before = {kind: len(rows) for kind, rows in seen.items()}
            for one in group:
                if one.campaign_id == name and one.row <= sent and one.kind in COUNTED and not is_paused:
                    seen[one.kind].add((name, one.row))
            counts = {kind: len(rows) for kind, rows in seen.items()}
            is_known = counts["delivered"] > 0 and counts["delivered"] + counts["bounced"] >= LIMITS.after
            is_paused = is_paused or (counts != before and is_known and passes(LIMITS, counts, 0))
        subject.apply(group)
        found = {redis.hget(keys.campaign(name), "status") for name in ("c1", "c2")}
        assert found == {b"paused" if is_paused else b"running"}
