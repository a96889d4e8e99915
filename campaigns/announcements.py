"""Outgoing events that wait for their delivery. `lua/lib/history.lua` adds one with each change of a campaign's state.

Nothing waits unless a web process takes the events. At most 10,000 wait; further ones are counted and dropped.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, NamedTuple
from uuid import uuid4

import msgspec
from redis import Redis

from campaigns import keys
from campaigns.catalog import iso
from campaigns.db.scripts import Scripts
from campaigns.db.typed_redis import typed

_QUEUE: Final = {
    "events_due": keys.EVENTS_DUE,
    "events_waiting": keys.EVENTS_WAITING,
    "events_attempts": keys.EVENTS_ATTEMPTS,
}


class _Stored(msgspec.Struct):
    campaign_id: str
    number: int
    at: float
    event: str
    by: str
    reason: str | None = None
    details: dict[str, Any] = {}


class Announcement(NamedTuple):
    """An event that is due. `attempts`: how many have failed. `body`: the same with each attempt."""

    id: str
    attempts: int
    body: bytes


class Waiting(NamedTuple):
    """How many events wait for their delivery, and how many were dropped because too many waited."""

    waiting: int
    dropped: int


def waiting(redis: Redis) -> Waiting:
    """Count the events that wait. It only reads.

    Raises:
        redis.RedisError
    """
    with typed(redis).pipeline(transaction=True) as pipeline:
        pipeline.zcard(keys.EVENTS_DUE)
        pipeline.hmget(keys.EVENTS, "dropped")
        count, (dropped,) = pipeline.execute()
    return Waiting(count, int(dropped or 0))


class Announcements:
    """The events that wait for one receiver.

    Args:
        redis: a client without response decoding.
        url: the receiver's address.
        secret: the receiver's secret. Another address or secret is another receiver.
    """

    def __init__(self, redis: Redis, url: str, secret: str) -> None:
        self._scripts = Scripts(redis)
        self._receiver = hashlib.sha256(f"{url} {secret}".encode()).hexdigest()[:16]
        self._process = uuid4().hex

    def take(self) -> Announcement | None:
        """The event that is due for the longest time; None if none is due, or another process delivers.

        Raises:
            redis.RedisError
        """
        found = self._scripts(
            "take_event",
            {**_QUEUE, "events": keys.EVENTS, "events_lease": keys.EVENTS_LEASE},
            process=self._process,
            receiver=self._receiver,
            nonce=uuid4().hex[:12],
        )
        return Announcement(found[0].decode(), found[1], _body(found[2])) if found else None

    def delivered(self, event: Announcement) -> None:
        """Forget an event that the receiver has taken."""
        self._end(event, given_up=False, why="")

    def give_up(self, event: Announcement, why: str) -> None:
        """Forget an event that the receiver has not taken for a day. The installation's history says so."""
        self._end(event, given_up=True, why=why)

    def _end(self, event: Announcement, *, given_up: bool, why: str) -> None:
        used = {**_QUEUE, "history": keys.HISTORY}
        self._scripts("end_event", used, id=event.id, given_up=given_up, reason=why)

    def retry(self, event: Announcement, wait_s: int) -> None:
        """Note a failed attempt; the next one is due after the wait."""
        used = {name: _QUEUE[name] for name in ("events_due", "events_attempts")}
        self._scripts("retry_event", used, id=event.id, wait_ms=wait_s * 1000)

    def disable(self, why: str) -> None:
        """The receiver wants no events: send none until it is another one. The installation's history says so."""
        self._scripts("disable_events", {**_QUEUE, "events": keys.EVENTS, "history": keys.HISTORY}, reason=why)


def _body(raw: bytes) -> bytes:
    """The body of an event: its type, its time, and the entry of the history."""
    found = msgspec.json.decode(raw, type=_Stored)
    data = {
        "campaign_id": found.campaign_id,
        "number": found.number,
        "by": found.by,
        "reason": found.reason,
        **found.details,
    }
    timestamp = iso(str(int(found.at)))
    return msgspec.json.encode({"type": f"campaign.{found.event}", "timestamp": timestamp, "data": data})
