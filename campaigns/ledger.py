"""The ledger: which recipient is where. Every change of it is one Lua script, so that bits and counters move together.

It decides nothing about mail and knows no provider: it grants, records, puts back. The scripts' headers in
`campaigns/lua` say what each reads and writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from redis import Redis, RedisError

from campaigns import keys
from campaigns.errors import Superseded
from campaigns.models import Campaign, RowState
from campaigns.scripts import Call, Scripts
from campaigns.typed_redis import typed
from lists.index import Index
from lists.recipient import Recipient

#: The kind of outcome that nearly all are of: recorded in a few commands for all rows of it.
ACCEPTED: Final = "accepted"
#: How long a worker may take to have an outcome settled, beyond the send itself, before the row is given up, in ms.
SETTLING_MS: Final = 20_000
#: How many recipients a campaign keeps ready: those of this time (ms), within these bounds, and at most so many bytes.
LOW_WATER_MS: Final = 2_000
LOW_WATER_MIN: Final = 100
LOW_WATER_MAX: Final = 6_000
READY_BYTES: Final = 8 * 1024 * 1024


class Grant(NamedTuple):
    """What admission decided about a batch: the rows to send now, those to put back, and why.

    `held` are those that only wait for their domain.
    """

    verdict: str
    granted: frozenset[int]
    denied: frozenset[int]
    held: frozenset[int]


class Limits(NamedTuple):
    """Limits over all campaigns, in transactions per minute.

    `account`: of the provider's account, None for none. `domains`: by the recipients' domain, `*` for each one not
    named.
    """

    account: int | None = None
    domains: Mapping[str, int] = {}

    @property
    def arguments(self) -> dict[str, Any]:
        """As the scripts take them."""
        return {"account_limit": self.account or 0, "limits": self.domains or None}


class Settlement(NamedTuple):
    """What became of one claimed row, for `Ledger.settle`.

    `entry`: its requeued entry, where it may be tried again. `claim_id`: of its claim: the outcome does not
    settle a newer one. "": any claim of this worker.
    """

    row: int
    kind: str
    reason: str
    retry_after_ms: int | None
    entry: bytes
    claim_id: str = ""


class Group(NamedTuple):
    """Outcomes of one list, recorded in one step."""

    campaign_id: str
    list_version: str
    outcomes: Sequence[Settlement]


def requeued_entry(retries: int, recipient: Recipient) -> bytes:
    """A recipient as the requeued list holds it: `retries|[row,"address",[values]]`."""
    return b"%d|%s" % (retries, msgspec.json.encode(recipient))


def low_water(tpm: int) -> int:
    """The low-water mark at this rate: with fewer ready recipients than this, the next slices are prefetched."""
    return max(LOW_WATER_MIN, min(LOW_WATER_MAX, tpm * LOW_WATER_MS // 60_000))


def claim_lost_ms(send_timeout_s: float) -> int:
    """The age at which a claim is given up, also where its worker lives, in ms."""
    return int(send_timeout_s * 1000) + SETTLING_MS


def _settled(outcomes: Sequence[Settlement], answer: Sequence[bytes]) -> tuple[list[str], bool]:
    """What `settle.lua` answers, by outcome."""
    completed, of_accepted, *of_others = answer
    rest = iter(of_others)
    verdicts = [(of_accepted if outcome.kind == ACCEPTED else next(rest)).decode() for outcome in outcomes]
    return verdicts, completed == b"1"


def _rows(csv: bytes) -> frozenset[int]:
    return frozenset(int(row) for row in csv.split(b",")) if csv else frozenset()


class Ledger:
    """The ledger on one Redis.

    Args:
        redis: a client without response decoding.
        provider: the provider's name, which names its circuit breaker.
        send_timeout_s: how long a send may take, in s.
        limits: over all campaigns.
    """

    def __init__(self, redis: Redis, provider: str, send_timeout_s: float, limits: Limits = Limits()) -> None:  # noqa: B008 - immutable
        self._redis = typed(redis)
        self._scripts = Scripts(redis)
        self._breaker = keys.breaker(provider)
        self._failing = keys.failing(provider)
        self._account = keys.account(provider)
        self._domain_prefix = keys.domain_prefix(provider)
        self._limits = limits
        self._send_timeout_ms = int(send_timeout_s * 1000)

    # -- sending

    def admit(
        self,
        campaign_id: str,
        list_version: str,
        batch_id: str,
        worker_id: str,
        recipients: Sequence[Recipient],
        *,
        claim_id: str,
    ) -> Grant:
        """Claim those rows of a batch that may be sent now.

        Args:
            campaign_id: whose batch.
            list_version: the list it belongs to.
            batch_id: which batch.
            worker_id: who asks.
            recipients: those of the batch.
            claim_id: names this call. A call that is repeated because its answer was lost has the same one, and gets
                the same rows.

        Raises:
            redis.RedisError: Redis cannot be asked: nothing may be sent.
        """
        verdict, granted, denied, held = self._scripts(
            "admit",
            {
                **keys.named(campaign_id, "campaign batches in_flight done failed unknown window"),
                "breaker": self._breaker,
                "account": self._account,
                "own_breaker": keys.of(campaign_id, "breaker"),
                "claims": keys.CLAIMS,
            },
            campaign_id=campaign_id,
            list_version=list_version,
            batch_id=batch_id,
            worker_id=worker_id,
            claim_id=claim_id,
            probe_ms=self._send_timeout_ms + 1000,
            **self._limits.arguments,
            domain_prefix=self._domain_prefix,
            rows=[recipient.row for recipient in recipients],
            domains=[recipient.domain for recipient in recipients] if self._limits.domains else [],
        )
        return Grant(verdict.decode(), _rows(granted), _rows(denied), _rows(held))

    def requeue(
        self,
        campaign_id: str,
        list_version: str,
        batch_id: str,
        entries: Sequence[bytes],
        held: Sequence[tuple[str, bytes]] = (),
        *,
        partly_admitted: bool,
    ) -> int:
        """Put rows that were not admitted back; returns the number of entries put back.

        Args:
            campaign_id: whose batch.
            list_version: the list it belongs to.
            batch_id: which batch.
            entries: requeued entries.
            held: domain and requeued entry of each row that only waits for its domain.
            partly_admitted: whether other rows of the batch were admitted.
        """
        count = self._scripts(
            "requeue",
            keys.named(campaign_id, "campaign batches requeued held progress"),
            list_version=list_version,
            batch_id=batch_id,
            partly_admitted=partly_admitted,
            entries=entries,
            held_entries=held,
        )
        return int(count)

    def settle(self, worker_id: str, groups: Sequence[Group]) -> list[tuple[list[str], bool] | RedisError]:
        """Record outcomes, each group in a step of its own, all in one round trip.

        Returns:
            For each group a verdict for each outcome (see `settle.lua`) and whether its campaign has just been
            completed; a RedisError where Redis has refused it.

        Raises:
            redis.RedisError: Redis cannot be asked; what of it has been recorded is not known.
        """
        answers = self._scripts.each("settle", [self._settling(worker_id, group) for group in groups])
        return [
            answer if isinstance(answer, RedisError) else _settled(group.outcomes, answer)
            for group, answer in zip(groups, answers, strict=True)
        ]

    def _settling(self, worker_id: str, group: Group) -> Call:
        """Keys and arguments of `settle.lua`."""
        return {
            **keys.named(group.campaign_id, "campaign progress in_flight done failed unknown reasons requeued"),
            "running": keys.RUNNING,
            "breaker": self._breaker,
            "failing": self._failing,
            "own_breaker": keys.of(group.campaign_id, "breaker"),
            "own_failing": keys.of(group.campaign_id, "failing"),
        }, {
            "campaign_id": group.campaign_id,
            "list_version": group.list_version,
            "worker_id": worker_id,
            "accepted": [outcome.row for outcome in group.outcomes if outcome.kind == ACCEPTED],
            "others": [outcome for outcome in group.outcomes if outcome.kind != ACCEPTED],
        }

    def halt(self, campaign_id: str, list_version: str, reason: str) -> bool:
        """Pause a running campaign with a reason that its status shows; whether it ran."""
        halted = self._scripts(
            "halt",
            {"campaign": keys.campaign(campaign_id), "running": keys.RUNNING},
            campaign_id=campaign_id,
            list_version=list_version,
            reason=reason,
        )
        return bool(halted)

    def give_up(self, worker_id: str, group: Group, reason: str) -> tuple[int, int]:
        """Make rows unknown whose outcomes Redis refuses to record, as far as it lets.

        Args:
            worker_id: who has claimed them.
            group: the outcomes.
            reason: what each row's reason says after its outcome.

        Returns:
            How many are unknown now, and how many keep their claim, as Redis refuses that too.
        """
        names = "campaign in_flight unknown reasons done failed progress"
        unknown, kept = self._scripts(
            "give_up",
            {**keys.named(group.campaign_id, names), "running": keys.RUNNING},
            campaign_id=group.campaign_id,
            list_version=group.list_version,
            worker_id=worker_id,
            outcomes=[
                (outcome.row, outcome.claim_id, f"{outcome.kind}: {outcome.reason or 'no reason'}; {reason}")
                for outcome in group.outcomes
            ],
        )
        return int(unknown), int(kept)

    def close_batch(self, campaign_id: str, batch_id: str) -> None:
        """All rows of a batch are settled: the batch is closed."""
        self._redis.hdel(keys.of(campaign_id, "batches"), batch_id)

    def touch_batch(self, campaign_id: str, batch_id: str, delay_ms: int, rows: Sequence[int]) -> None:
        """A batch's retry is on the queue and due after `delay_ms`."""
        self._scripts(
            "touch_batch",
            keys.named(campaign_id, "batches"),
            batch_id=batch_id,
            delay_ms=delay_ms,
            rows=",".join(map(str, rows)),
        )

    def record_dead_letter(
        self, campaign_id: str, list_version: str, batch_id: str, reason: str, rows: Sequence[int]
    ) -> int:
        """Record the rows of a dead letter as failed; returns how many were. `reason` is for rows without one of
        their own.
        """
        names = "campaign progress in_flight done failed unknown reasons refeed batches"
        count, _completed = self._scripts(
            "record_dead_letter",
            {**keys.named(campaign_id, names), "running": keys.RUNNING},
            campaign_id=campaign_id,
            list_version=list_version,
            batch_id=batch_id,
            reason=reason,
            rows=rows,
        )
        return int(count)

    # -- prefetching

    def cursor(self, campaign_id: str) -> tuple[int, int, int, int]:
        """The next slice to prefetch, the number of rows to refeed, and the ready recipients and their bytes."""
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hmget(keys.of(campaign_id, "progress"), "cursor", "refeed", "ready_bytes")
            pipeline.llen(keys.of(campaign_id, "ready"))
            (cursor, refeed, ready_bytes), ready = pipeline.execute()
        return int(cursor or 0), int(refeed or 0), ready, int(ready_bytes or 0)

    def prefetch(
        self,
        campaign_id: str,
        list_version: str,
        number: int,
        last_row: int,
        recipients: Sequence[Recipient],
        *,
        unreadable: Sequence[int] = (),
    ) -> tuple[int, int] | None:
        """Take slice `number` onto the waiting side; returns recipients and bytes waiting, or None where it is not
        the next one. Its `unreadable` rows, which yield no recipient any more, fail in the same step.
        """
        names = "campaign progress ready done failed unknown reasons"
        found = self._scripts(
            "prefetch",
            {**keys.named(campaign_id, names), "running": keys.RUNNING},
            campaign_id=campaign_id,
            list_version=list_version,
            slice=number,
            last_row=last_row,
            unreadable=unreadable,
            recipients=map(msgspec.json.encode, recipients),
        )
        return None if found[0] < 0 else (found[0], found[1])

    def prefetched(self, campaign_id: str) -> None:
        """Enough is ready: the next round that finds too little may ask for more at once."""
        self._redis.hset(keys.of(campaign_id, "progress"), "prefetch_asked", 0)

    def stalled(self, campaign_id: str, list_version: str, reason: str, again_ms: int) -> None:
        """Show in the status why a running campaign gets no recipients at the moment. Prefetching starts again after
        `again_ms` at the earliest, and removes the reason.
        """
        self._scripts(
            "stalled",
            keys.named(campaign_id, "campaign progress"),
            list_version=list_version,
            reason=reason,
            again_ms=again_ms,
        )

    def refeed(
        self, campaign_id: str, list_version: str, recipients: Sequence[Recipient], *, unreadable: Sequence[int] = ()
    ) -> tuple[int, int] | None:
        """Take rows that were put back onto the waiting side; as `prefetch`."""
        names = "campaign progress ready refeed done failed unknown reasons"
        found = self._scripts(
            "refeed",
            {**keys.named(campaign_id, names), "running": keys.RUNNING},
            campaign_id=campaign_id,
            list_version=list_version,
            unreadable=unreadable,
            recipients=[(recipient.row, msgspec.json.encode(recipient)) for recipient in recipients],
        )
        return None if found[0] < 0 else (found[0], found[1])

    def first_to_refeed(self, campaign_id: str) -> int | None:
        """The first row that is to be refed."""
        row: int = self._redis.bitpos(keys.of(campaign_id, "refeed"), 1)
        return row if row > 0 else None

    # -- reading

    def index(self, campaign: Campaign) -> Index:
        """The list's index of slices."""
        packed = self._redis.get(keys.of(campaign.id, "index"))
        return Index.unpack(packed or b"", campaign.size)

    def bits(self, campaign_id: str, name: str, first_row: int, count: int) -> set[int]:
        """The rows from `first_row` on, `count` of them at most, whose bit is set in one of the ledger's bitmaps."""
        first_byte = first_row >> 3
        raw = self._redis.getrange(keys.of(campaign_id, name), first_byte, (first_row + count - 1) >> 3)
        return {row for row in set_bits(raw, first_byte * 8) if first_row <= row < first_row + count}

    def states(self, campaign_id: str, first_row: int, count: int, list_version: str = "") -> list[RowState]:
        """The states of `count` rows from `first_row` on, all of one instant; some thousand rows at most.

        Args:
            campaign_id: whose rows.
            first_row: the first one.
            count: how many rows.
            list_version: the list that is meant, where there may be another one by now.

        Raises:
            Superseded: there is.
        """
        found = self._scripts.read(
            "states",
            keys.named(campaign_id, "rejected failed done unknown campaign"),
            first_row=first_row,
            count=count,
            list_version=list_version,
        )
        if not found:
            raise Superseded
        *bitmaps, unknown = found
        states = [RowState.PENDING] * count
        for row in map(int, unknown):
            states[row - first_row] = RowState.UNKNOWN
        for state, raw in zip((RowState.REJECTED, RowState.FAILED, RowState.DONE), bitmaps, strict=True):
            for row in set_bits(raw, (first_row >> 3) * 8):
                if first_row <= row < first_row + count:
                    states[row - first_row] = state
        return states

    def reasons(self, campaign_id: str, rows: Sequence[int]) -> dict[int, str]:
        """The reasons known of rows: the provider's last words."""
        return self._words(campaign_id, "reasons", rows)

    def drops(self, campaign_id: str, rows: Sequence[int]) -> dict[int, str]:
        """Why the provider has thrown the emails of rows away, as it reported after it had taken them."""
        return self._words(campaign_id, "dropped", rows)

    def _words(self, campaign_id: str, name: str, rows: Sequence[int]) -> dict[int, str]:
        if not rows:
            return {}
        found = self._redis.hmget(keys.of(campaign_id, name), [str(row) for row in rows])
        return {row: words.decode() for row, words in zip(rows, found, strict=True) if words is not None}


def set_bits(raw: bytes, offset: int) -> Iterable[int]:
    """The numbers of the set bits of a stretch of a Redis bitmap that starts at bit `offset`."""
    for position, byte in enumerate(raw):
        if byte:
            base = offset + position * 8
            for bit in range(8):
                if byte & (0x80 >> bit):
                    yield base + bit
