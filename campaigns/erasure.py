"""Erases rows of one address from Redis: the ledger's words about them, the waiting recipients, Dramatiq's messages.

Knows no list and no object store: the caller names the rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple
from uuid import uuid4

import msgspec
from redis import Redis

from campaigns import keys
from campaigns.db.scripts import Scripts
from campaigns.db.typed_redis import typed
from campaigns.errors import Superseded
from campaigns.messages import QUEUES, SEND_EMAIL
from lists import addresses, erasing

#: How long the lease outlives its holder, in ms. Every step of an erasure renews it.
LEASE_MS: Final = 60_000
#: How long the progress of an erasure is kept after its last step, in s.
PROGRESS_S: Final = 24 * 3600
#: Rows per script call.
_ROWS: Final = 1_000
#: Messages per round trip.
_PAGE: Final = 200
#: What stands in place of an erased address in a message; no row of it is sent.
_ERASED: Final = "x"


class ErasedRows(NamedTuple):
    """How many rows have failed for it, and how many are in flight, which needs another call in a minute."""

    failed: int
    in_flight: int


class ErasureLease:
    """Lets one erasure at a time rewrite lists: two at once could each undo what the other has done to a list."""

    def __init__(self, redis: Redis) -> None:
        self._scripts = Scripts(redis)
        self._redis = typed(redis)
        self._holder = uuid4().hex

    def hold(self) -> bool:
        """Take the lease, or keep it longer. Returns whether this erasure has it."""
        lease = {"lease": keys.ERASURE_LEASE}
        return bool(self._scripts("hold_lease", lease, holder=self._holder, for_ms=LEASE_MS))

    def release(self) -> None:
        """Give the lease back."""
        if self.hold():
            self._redis.delete(keys.ERASURE_LEASE)


class Erasure:
    """Erases rows on one Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = typed(redis)
        self._scripts = Scripts(redis)

    def progress(self, address_hash: int) -> dict[str, bool]:
        """The lists, as `campaign/list version`, that earlier requests have done, and whether each had the address."""
        found = self._redis.hgetall(keys.erasure(address_hash))
        return {field.decode(): value == b"1" for field, value in found.items()}

    def note_progress(self, address_hash: int, field: str, *, found: bool) -> None:
        """Record a list as done. This is kept for a day."""
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hset(keys.erasure(address_hash), field, int(found))
            pipeline.expire(keys.erasure(address_hash), PROGRESS_S)
            pipeline.execute()

    def end(self, address_hash: int) -> None:
        """Forget the progress: all is done."""
        self._redis.delete(keys.erasure(address_hash))

    def rows(self, campaign_id: str, list_version: str, rows: Sequence[int]) -> ErasedRows:
        """See that no row is sent any more, and erase what the ledger says about them.

        Raises:
            Superseded: the campaign is gone or has another list.
        """
        names = "campaign progress in_flight done failed unknown rejected refeed reasons dropped throughput"
        failed = in_flight = 0
        for start in range(0, len(rows), _ROWS):
            count, busy = self._scripts(
                "erase_rows",
                {**keys.named(campaign_id, names), "running": keys.RUNNING},
                campaign_id=campaign_id,
                list_version=list_version,
                rows=rows[start : start + _ROWS],
            )
            if count < 0:
                raise Superseded
            failed, in_flight = failed + count, in_flight + busy
        return ErasedRows(failed, in_flight)

    def waiting(self, campaign_id: str, folded: str, rows: Sequence[int]) -> None:
        """Overwrite the rows among the recipients that wait to be dispatched; they must have failed before."""
        for start in range(0, len(rows), _ROWS):
            self._scripts(
                "erase_waiting",
                keys.named(campaign_id, "ready requeued held"),
                domain=folded.rpartition("@")[2],
                rows=rows[start : start + _ROWS],
            )

    def messages(self, folded: str) -> int:
        """Overwrite the recipients with this address in all messages, dead letters among them; return their number."""
        queue = keys.dramatiq_queue(QUEUES[SEND_EMAIL])
        count = 0
        for messages in (f"{queue}.msgs", f"{queue}.DQ.msgs", f"{queue}.XQ.msgs"):
            for message_id, raw in self._redis.hscan_iter(messages, count=_PAGE):
                after = without(raw, folded)
                if after is not None:
                    count += self._replace(messages, message_id, raw, after)
        return count

    def samples(self, campaign_id: str, folded: str, rows: Collection[int]) -> None:
        """Erase the rows from what the campaign keeps of its list for the checks of its content."""
        key = keys.campaign(campaign_id)
        mentions = erasing.mentions(folded)
        for field in ("list_sample", "list_facts"):
            raw = self._redis.hget(key, field)
            if raw:
                after = mentions.sub(_ERASED.encode(), _without_rows(raw, rows))
                if after != raw:
                    self._replace(key, field, raw, after)

    def _replace(self, key: str, field: str | bytes, before: bytes, after: bytes) -> int:
        return int(self._scripts("replace_value", {"hash": key}, field=field, before=before, after=after))


def _without_rows(raw: bytes, rows: Collection[int]) -> bytes:
    """A sample without some rows; other JSON as it is."""
    found = msgspec.json.decode(raw)
    if not isinstance(found.get("rows"), list):
        return raw
    found["rows"] = [entry for entry in found["rows"] if entry[0] not in rows]
    return msgspec.json.encode(found)


def without(raw: bytes, folded: str) -> bytes | None:
    """A SendEmail message without the recipients of an address; None if it has none of them."""
    if folded.rpartition("@")[0].encode() not in raw.lower():
        return None  # most messages, without decoding them
    try:
        message: dict[str, Any] = msgspec.json.decode(raw)
        recipients = message["args"][2]
        places = list(_places(recipients, folded))
    except (msgspec.MsgspecError, UnicodeDecodeError, LookupError, TypeError):
        return None  # not a message of Postrider
    for place in places:
        recipients[place][1:] = [_ERASED, []]
    return msgspec.json.encode(message) if places else None


def _places(recipients: Iterable[list[Any]], folded: str) -> Iterable[int]:
    found = addresses.folded([recipient[1] for recipient in recipients])
    return (place for place, one in enumerate(found) if one == folded)
