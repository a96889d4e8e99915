"""The ledger: the state of each recipient. One Lua script makes each change, so that bits and counters stay consistent.

The ledger knows no provider and decides nothing about the content of emails: it grants, records and requeues rows. The
headers of the scripts in `campaigns/lua` say what each script reads and writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final, NamedTuple

import msgspec
from redis import Redis, RedisError

from campaigns import keys
from campaigns.account_table import DEFAULT, AccountTable
from campaigns.db.scripts import Call, Scripts
from campaigns.db.typed_redis import typed
from campaigns.errors import Superseded
from campaigns.models import Campaign, RowState
from lists.index import Index
from lists.recipient import Recipient

#: The most frequent kind of outcome. A few commands record all rows with it.
ACCEPTED: Final = "accepted"
#: The longest time that a worker may take to settle an outcome after the send, before the claim expires, in ms.
SETTLING_MS: Final = 20_000
#: The recipients that a campaign keeps ready: as many as it sends in this time (ms), within these bounds, and at most
#: this number of bytes.
LOW_WATER_MS: Final = 2_000
LOW_WATER_MIN: Final = 100
LOW_WATER_MAX: Final = 6_000
READY_BYTES: Final = 8 * 1024 * 1024


#: The verdict with which `admit.lua` asks for the hashes of the addresses.
NEEDS_HASHES: Final = "hashes"
#: The verdict if this worker does not know the campaign's account.
NO_ACCOUNT: Final = "no_account"
#: The verdict if the last rows of a campaign are suppressed.
COMPLETED: Final = "completed"


class Grant(NamedTuple):
    """Admission's decision about a batch: `granted` rows may be sent now, `denied` and `held` rows are requeued.

    `verdict` is the reason. `held` rows only wait for their domain's limit. `suppressed` rows are recorded as failed.
    `account`: the account through which the granted rows go; after `NO_ACCOUNT` the one that this worker does not know.
    """

    verdict: str
    granted: frozenset[int]
    denied: frozenset[int]
    held: frozenset[int]
    suppressed: frozenset[int] = frozenset()
    account: str = DEFAULT


class Settlement(NamedTuple):
    """The outcome of one claimed row, for `Ledger.settle`.

    `entry`: its requeued entry, if the row may be retried. `claim_id`: the id of its claim, so that the outcome does
    not settle a newer claim. "": any claim of this worker.
    """

    row: int
    kind: str
    reason: str
    retry_after_ms: int | None
    entry: bytes
    claim_id: str = ""


class Group(NamedTuple):
    """Outcomes of rows of one list that went through one account, recorded in one step."""

    campaign_id: str
    list_version: str
    outcomes: Sequence[Settlement]
    account: str = DEFAULT


def requeued_entry(retries: int, recipient: Recipient) -> bytes:
    """A recipient in the form of the requeued list: `retries|[row,"address",[values]]`."""
    return b"%d|%s" % (retries, msgspec.json.encode(recipient))


def low_water(tpm: int) -> int:
    """The low-water mark at this rate: with fewer ready recipients than this, the next slices are prefetched."""
    return max(LOW_WATER_MIN, min(LOW_WATER_MAX, tpm * LOW_WATER_MS // 60_000))


def claim_lost_ms(send_timeout_s: float) -> int:
    """The age at which a claim expires even if its worker is alive, in ms."""
    return int(send_timeout_s * 1000) + SETTLING_MS


def _settled(outcomes: Sequence[Settlement], answer: Sequence[bytes]) -> tuple[list[str], bool]:
    """The verdicts that `settle.lua` returns, in the order of the outcomes, and whether the campaign is completed."""
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
        accounts: the provider accounts with their limits.
        send_timeout_s: the longest time that a send may take, in s.
        hashes: makes the hashes of addresses for the suppression list, see `consent.suppressions.Suppressions.hashes`;
            only admission needs it.
    """

    def __init__(
        self,
        redis: Redis,
        accounts: AccountTable,
        send_timeout_s: float,
        hashes: Callable[[Sequence[str]], list[int]] | None = None,
    ) -> None:
        self._redis = typed(redis)
        self._scripts = Scripts(redis)
        self._accounts = accounts
        self._send_timeout_ms = int(send_timeout_s * 1000)
        self._hashes = hashes
        self._asks_suppressions = False

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
        """Claim the rows of a batch that may be sent now.

        Args:
            campaign_id: the campaign of the batch.
            list_version: the version of the list that the batch belongs to.
            batch_id: the batch.
            worker_id: the worker that claims.
            recipients: the recipients of the batch.
            claim_id: identifies this call. A call that is repeated because its response was lost has the same id, and
                gets the same rows.

        Raises:
            redis.RedisError: Redis is unavailable: nothing may be sent.
            StoreError: the hash key of the suppression list can be read neither from Redis nor from the store.
        """
        ask = partial(
            self._admit,
            campaign_id,
            list_version,
            batch_id,
            worker_id=worker_id,
            recipients=recipients,
            claim_id=claim_id,
        )
        grant = ask(with_hashes=self._asks_suppressions)
        if grant.verdict == NEEDS_HASHES:
            # From its first entry on, this process asks the suppression list with every batch.
            self._asks_suppressions = True
            grant = ask(with_hashes=True)
        return grant

    def _admit(
        self,
        campaign_id: str,
        list_version: str,
        batch_id: str,
        *,
        with_hashes: bool,
        worker_id: str,
        recipients: Sequence[Recipient],
        claim_id: str,
    ) -> Grant:
        verdict, account, *decided = self._scripts(
            "admit",
            {
                **keys.named(campaign_id, "campaign batches in_flight done failed unknown window progress reasons"),
                "running": keys.RUNNING,
                "suppressions": keys.SUPPRESSIONS,
                "own_breaker": keys.of(campaign_id, "breaker"),
                "claims": keys.CLAIMS,
            },
            campaign_id=campaign_id,
            list_version=list_version,
            batch_id=batch_id,
            worker_id=worker_id,
            claim_id=claim_id,
            probe_ms=self._send_timeout_ms + 1000,
            **self._accounts.arguments,
            limits=self._accounts.domains or None,
            rows=[recipient.row for recipient in recipients],
            domains=[recipient.domain for recipient in recipients] if self._accounts.domains else [],
            hashes=self._address_hashes(recipients) if with_hashes else [],
        )
        granted, denied, held, suppressed = map(_rows, decided)
        return Grant(verdict.decode(), granted, denied, held, suppressed, account.decode())

    def _address_hashes(self, recipients: Sequence[Recipient]) -> list[int]:
        if self._hashes is None:
            raise RuntimeError("this ledger cannot admit: build it with the hashes of the suppression list")
        return self._hashes([recipient.address.lower() for recipient in recipients])

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
        """Requeue rows that were not admitted. Returns the number of entries requeued.

        Args:
            campaign_id: the campaign of the batch.
            list_version: the version of the list that the batch belongs to.
            batch_id: the batch.
            entries: requeued entries.
            held: domain and requeued entry of each row that only waits for its domain's limit.
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
        """Record outcomes in one round trip, with one atomic step per group.

        Returns:
            For each group, a verdict for each outcome (see `settle.lua`) and whether the group has completed its
            campaign; a RedisError for each group that Redis has refused.

        Raises:
            redis.RedisError: Redis is unavailable; any of the groups may have been recorded.
        """
        answers = self._scripts.each("settle", [self._settling(worker_id, group) for group in groups])
        return [
            answer if isinstance(answer, RedisError) else _settled(group.outcomes, answer)
            for group, answer in zip(groups, answers, strict=True)
        ]

    def _settling(self, worker_id: str, group: Group) -> Call:
        """Keys and arguments of `settle.lua`."""
        account = self._accounts[group.account]
        return {
            **keys.named(
                group.campaign_id, "campaign progress in_flight done failed unknown reasons requeued throughput"
            ),
            "running": keys.RUNNING,
            "breaker": account.breaker,
            "failing": account.failing,
            "own_breaker": keys.of(group.campaign_id, "breaker"),
            "own_failing": keys.of(group.campaign_id, "failing"),
        }, {
            "campaign_id": group.campaign_id,
            "list_version": group.list_version,
            "worker_id": worker_id,
            "account": account.name,
            "fingerprint": account.fingerprint,
            "has_fallback": account.fallback is not None,
            "key_prefix": keys.PREFIX,
            "accepted": [outcome.row for outcome in group.outcomes if outcome.kind == ACCEPTED],
            "others": [outcome for outcome in group.outcomes if outcome.kind != ACCEPTED],
        }

    def halt(self, campaign_id: str, list_version: str, reason: str) -> bool:
        """Pause a running campaign, with a reason that its status shows. Returns whether it was running."""
        halted = self._scripts(
            "halt",
            {"campaign": keys.campaign(campaign_id), "running": keys.RUNNING},
            campaign_id=campaign_id,
            list_version=list_version,
            reason=reason,
        )
        return bool(halted)

    def give_up(self, worker_id: str, group: Group, reason: str) -> tuple[int, int]:
        """Make rows unknown whose outcomes Redis refuses to record, as far as Redis allows.

        Args:
            worker_id: the worker that has claimed the rows.
            group: the outcomes.
            reason: the text that each row's reason gets after its outcome.

        Returns:
            The number of rows that are unknown now, and of rows that keep their claim because Redis refuses that too.
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
        """Close a batch, because all of its rows are settled."""
        self._redis.hdel(keys.of(campaign_id, "batches"), batch_id)

    def touch_batch(self, campaign_id: str, batch_id: str, delay_ms: int, rows: Sequence[int]) -> None:
        """Record that a batch's retry is on the queue and due after `delay_ms`."""
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
        """Record the rows of a dead letter as failed. Returns their number. `reason` is for rows that have none yet."""
        names = "campaign progress in_flight done failed unknown reasons refeed batches throughput"
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
        """The next slice to prefetch, the number of rows to refeed, the number of ready recipients, and their bytes."""
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
        batch_rows: int = 0,
    ) -> tuple[int, int] | None:
        """Append the recipients of slice `number` to the ready ones.

        In the same step its `unreadable` rows, which yield no recipient any more, become failed. `batch_rows`: the most
        recipients of the campaign's batches from now on; 0: as usual.

        Returns:
            The number of ready recipients and their bytes; None if this slice is not the next one.
        """
        names = "campaign progress ready done failed unknown reasons"
        found = self._scripts(
            "prefetch",
            {**keys.named(campaign_id, names), "running": keys.RUNNING},
            campaign_id=campaign_id,
            list_version=list_version,
            slice=number,
            last_row=last_row,
            batch_rows=batch_rows,
            unreadable=unreadable,
            recipients=map(msgspec.json.encode, recipients),
        )
        return None if found[0] < 0 else (found[0], found[1])

    def prefetched(self, campaign_id: str) -> None:
        """Record that enough is ready. The next round below the low-water mark may request a prefetch immediately."""
        self._redis.hset(keys.of(campaign_id, "progress"), "prefetch_asked", 0)

    def stalled(self, campaign_id: str, list_version: str, reason: str, again_ms: int) -> None:
        """Show in the status why a running campaign gets no recipients at the moment.

        The next prefetch starts after `again_ms` at the earliest, and removes the reason.
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
        """Append rows to refeed to the ready recipients. The parameters and the result are those of `prefetch`."""
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
        """The first row to refeed; None if there is none."""
        row: int = self._redis.bitpos(keys.of(campaign_id, "refeed"), 1)
        return row if row > 0 else None

    # -- reading

    def index(self, campaign: Campaign) -> Index:
        """The list's index of slices."""
        packed = self._redis.get(keys.of(campaign.id, "index"))
        return Index.unpack(packed or b"", campaign.list_size)

    def bits(self, campaign_id: str, name: str, first_row: int, count: int) -> set[int]:
        """Those of the `count` rows from `first_row` on whose bit is set in the bitmap `name` of the ledger."""
        first_byte = first_row >> 3
        raw = self._redis.getrange(keys.of(campaign_id, name), first_byte, (first_row + count - 1) >> 3)
        return {row for row in set_bits(raw, first_byte * 8) if first_row <= row < first_row + count}

    def states(self, campaign_id: str, first_row: int, count: int, list_version: str = "") -> list[RowState]:
        """The states of `count` rows from `first_row` on, read in one step.

        Args:
            campaign_id: the campaign.
            first_row: the first row.
            count: the number of rows; several thousand at most.
            list_version: the version of the list that the rows belong to; "": the list in use.

        Raises:
            Superseded: the list has been replaced.
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
        """The reasons of rows, by row: the provider's last response."""
        return self._words(campaign_id, "reasons", rows)

    def drops(self, campaign_id: str, rows: Sequence[int]) -> dict[int, str]:
        """The provider's reasons, by row, for dropping emails that it had accepted."""
        return self._words(campaign_id, "dropped", rows)

    def _words(self, campaign_id: str, name: str, rows: Sequence[int]) -> dict[int, str]:
        if not rows:
            return {}
        found = self._redis.hmget(keys.of(campaign_id, name), [str(row) for row in rows])
        return {row: words.decode() for row, words in zip(rows, found, strict=True) if words is not None}


def set_bits(raw: bytes, offset: int) -> Iterable[int]:
    """The numbers of the set bits in a part of a Redis bitmap that starts at bit `offset`."""
    for position, byte in enumerate(raw):
        if byte:
            base = offset + position * 8
            for bit in range(8):
                if byte & (0x80 >> bit):
                    yield base + bit
