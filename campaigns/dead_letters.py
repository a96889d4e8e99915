"""Dramatiq's dead letters of SendEmail, indexed by campaign, so that each is read about once for all campaigns.

`reconciliation` decides what becomes of their rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from redis import Redis, RedisError

from campaigns import keys
from campaigns.db.scripts import Call, Scripts
from campaigns.db.typed_redis import typed
from campaigns.messages import QUEUES, SEND_EMAIL
from campaigns.models import Campaign
from lists.recipient import Recipient

_DEAD: Final = keys.dramatiq_dead(QUEUES[SEND_EMAIL])
#: Dead letters per round trip. Each holds a batch of recipients, several kB.
_PAGE: Final = 200
#: Rows per script call.
_ROWS: Final = 2000


class _Letter(msgspec.Struct):
    """The part of a message that is decoded: campaign id, list version, recipients."""

    args: tuple[str, str, list[Recipient]]


class DeadLetters:
    """The dead letters on one Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = typed(redis)
        self._scripts = Scripts(redis)
        self._decode = msgspec.json.Decoder(_Letter).decode

    def rows(self, campaign: Campaign) -> set[int]:
        """The rows in dead letters of this list that are neither done nor failed."""
        self._file_new()
        found: set[int] = set()
        of_campaign = keys.named(campaign.id, "dead done failed")
        rows = [int(row) for row in self._redis.smembers(of_campaign["dead"])]
        for start in range(0, len(rows), _ROWS):
            found.update(map(int, self._scripts("still_dead", of_campaign, rows=rows[start : start + _ROWS])))
        return found

    def _file_new(self) -> None:
        """Index the dead letters since the previous pass, and sometimes again those that may have come late."""
        low = float(self._scripts("dead_from", {"dead_letters": keys.DEAD_LETTERS}))
        for page in self._pages(low):
            letters = self._redis.hmget(f"{_DEAD}.msgs", [letter_id for letter_id, _ in page])
            self._file(zip(letters, (died_at for _, died_at in page), strict=True))
            self._redis.hset(keys.DEAD_LETTERS, "read_to", page[-1][1])

    def _pages(self, low: float) -> Iterator[list[tuple[bytes, float]]]:
        """Ids of dead letters and the times of their deaths (ms), oldest first."""
        skip = 0  # number of letters with the lowest time that are read already
        while True:
            page = self._redis.zrangebyscore(_DEAD, low, "+inf", start=skip, num=_PAGE, withscores=True)
            if page:
                yield page
            if len(page) < _PAGE:
                return
            last = page[-1][1]
            skip = sum(died_at == last for _, died_at in page) + (skip if last == low else 0)
            low = last

    def _file(self, letters: Iterable[tuple[bytes | None, float]]) -> None:
        calls: list[Call] = []
        for raw, died_at in letters:
            if raw is not None and (letter := self._read(raw)):
                campaign_id, list_version, recipients = letter.args
                of_campaign = keys.named(campaign_id, "campaign progress done failed dead")
                rows = [recipient.row for recipient in recipients]
                calls.append((of_campaign, {"list_version": list_version, "died_at": int(died_at), "rows": rows}))
        for answer in self._scripts.each("file_dead", calls):
            if isinstance(answer, RedisError):
                raise answer

    def _read(self, raw: bytes) -> _Letter | None:
        try:
            return self._decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):  # not a message of Postrider
            return None
