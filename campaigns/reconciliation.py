"""Reconcile: compares the ledger, its counters and the dead letters, and repairs differences.

The ledger is the truth, whatever happens to messages. Each repair is one script that checks again before it changes
anything. So a reconciliation may run at any time, run twice concurrently, or be killed half-way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from redis import Redis

from campaigns import actor, keys
from campaigns.catalog import Catalog, iso
from campaigns.db.scripts import Scripts
from campaigns.db.typed_redis import typed
from campaigns.dead_letters import DeadLetters
from campaigns.errors import WrongState
from campaigns.ledger import claim_lost_ms, set_bits
from campaigns.models import Campaign, OnUnknown, Status, UnknownDecision

#: Bytes of the bitmaps per step: 65,536 rows.
_CHUNK_BYTES: Final = 8192
#: Rows per script call.
_CHUNK_ROWS: Final = 4000


class Report(msgspec.Struct):
    """The result of a reconciliation: rows checked, and differences found and repaired, by kind."""

    checked: int
    found: dict[str, int]
    repaired: dict[str, int]
    finished_at: str


class Reconciler:
    """Reconciles campaigns on one Redis.

    Args:
        send_timeout_s: the longest time that a send may take, in s. A much older claim expires.
        resend_quiet_s: time for which a row stays unknown before `on_unknown: resend` sends it again, in s.
    """

    def __init__(self, redis: Redis, send_timeout_s: float, resend_quiet_s: float) -> None:
        self._redis = typed(redis)
        self._scripts = Scripts(redis)
        self._dead_letters = DeadLetters(redis)
        self._send_timeout_ms = int(send_timeout_s * 1000)
        self._claim_lost_ms = claim_lost_ms(send_timeout_s)
        self._resend_quiet_ms = int(resend_quiet_s * 1000)

    def _run(self, script: str, campaign: Campaign, names: str, more: Mapping[str, str] = {}, **args: Any) -> Any:
        """Run a script with keys of the campaign, the set of running campaigns, and more keys."""
        every = {**keys.named(campaign.id, names), "running": keys.RUNNING, **more}
        return self._scripts(script, every, campaign_id=campaign.id, list_version=campaign.list_version, **args)

    def reconcile(self, campaign: Campaign) -> Report:
        """Find and repair: claims of dead workers, lost rows, dead letters not recorded, counters that drifted.

        Raises:
            redis.RedisError: the reconciliation stopped half-way; the repairs so far persist.
        """
        looked, expired = self._run(
            "expire_claims",
            campaign,
            "campaign progress in_flight unknown reasons done failed",
            {"workers": keys.WORKERS, "dispatcher": keys.DISPATCHER},
            lost_ms=self._claim_lost_ms,
        )
        open_rows, lost, dead_lettered = self._put_back(campaign)
        resent = 0
        if campaign.content.on_unknown is OnUnknown.RESEND:
            resent = self.decide(
                campaign, UnknownDecision.RESEND, older_than_ms=self._resend_quiet_ms, reason="on_unknown: resend"
            )
        drifted = self._run("recount", campaign, "campaign progress done failed refeed unknown")
        counts = {
            "dead_claims": expired,
            "lost": lost,
            "dead_letters": dead_lettered,
            "drifted_counters": drifted,
            "resent": resent,
        }
        found = {name: count for name, count in counts.items() if count}
        seconds, microseconds = self._redis.time()
        now_ms = int(seconds) * 1000 + int(microseconds) // 1000
        report = Report(looked + open_rows, found, dict(found), str(iso(str(now_ms))))
        self._redis.set(keys.of(campaign.id, "report"), msgspec.json.encode(report))
        return report

    def _put_back(self, campaign: Campaign) -> tuple[int, int, int]:
        """Check all open rows. Returns the number of rows checked, put back, and recorded as dead letters."""
        dead = self._dead_letters.rows(campaign)
        checked = back = dead_lettered = 0
        for rows in _chunks(self._open_rows(campaign.id), _CHUNK_ROWS):
            checked += len(rows)
            found = self._run(
                "put_back",
                campaign,
                "campaign progress ready requeued batches in_flight unknown done failed refeed reasons held",
                send_timeout_ms=self._send_timeout_ms,
                dead_rows=[row for row in rows if row in dead],
                other_rows=[row for row in rows if row not in dead],
            )
            back += found[0]
            dead_lettered += found[1]
        return checked, back, dead_lettered

    def _open_rows(self, campaign_id: str) -> Iterator[int]:
        """The prefetched rows that are neither final, nor rejected, nor marked for refeeding."""
        prefetched_row = int(self._redis.hget(keys.of(campaign_id, "progress"), "prefetched_row") or 0)
        names = [keys.of(campaign_id, name) for name in ("done", "failed", "rejected", "refeed")]
        for start in range(0, prefetched_row // 8 + 1, _CHUNK_BYTES):
            end = min(start + _CHUNK_BYTES, prefetched_row // 8 + 1)
            with self._redis.pipeline(transaction=False) as pipeline:
                for name in names:
                    pipeline.getrange(name, start, end - 1)
                stretches = pipeline.execute()
            closed = 0
            for stretch in stretches:
                closed |= int.from_bytes(stretch.ljust(end - start, b"\0"), "big")
            left = ~closed & ((1 << (8 * (end - start))) - 1)
            if left:
                raw = left.to_bytes(end - start, "big")
                yield from (row for row in set_bits(raw, start * 8) if 0 < row <= prefetched_row)

    def retry_failed(self, campaign: Campaign) -> int:
        """Make all failed rows pending again. Returns their number.

        Raises:
            WrongState: the campaign has not been started, or is cancelled.
        """
        count = int(self._run("retry_failed", campaign, "campaign progress failed refeed dead", by=actor.current()))
        if count < 0:
            raise WrongState(
                campaign.status, "failed rows can be retried only while the campaign runs, is paused or is completed"
            )
        return count

    def decide(self, campaign: Campaign, decision: UnknownDecision, older_than_ms: int = 0, reason: str = "") -> int:
        """Settle the unknown rows as decided. Returns their number.

        Args:
            campaign: the campaign.
            decision: what to do with the rows.
            older_than_ms: only rows that have been unknown for this long.
            reason: why, for the history.

        Raises:
            WrongState: the campaign is cancelled and cannot resend.
        """
        total = 0
        while True:
            count: int = self._run(
                "decide_unknown",
                campaign,
                "campaign progress unknown done failed refeed reasons",
                decision=decision.value,
                older_than_ms=older_than_ms,
                max_rows=_CHUNK_ROWS,
                by=actor.current(),
                reason=reason,
            )
            if count < 0:
                raise WrongState(campaign.status, "unknown rows cannot be sent again in this state")
            total += count
            if count < _CHUNK_ROWS:
                return total


def last_report(redis: Redis, campaign_id: str) -> dict[str, Any] | None:
    """The last report as JSON values, or None before the first one."""
    raw = redis.get(keys.of(campaign_id, "report"))
    return None if raw is None else msgspec.json.decode(raw)


def check_decision(catalog: Catalog, campaign_id: str, *, resends: bool) -> Campaign:
    """Return the campaign if its state allows a decision about its rows.

    Raises:
        UnknownCampaign: no campaign has this id.
        WrongState: the state allows no such decision.
    """
    campaign = catalog.get(campaign_id)
    allowed = (Status.RUNNING, Status.PAUSED, Status.COMPLETED) + (() if resends else (Status.CANCELLED,))
    if campaign.status not in allowed:
        raise WrongState(campaign.status, "the campaign's state allows no decision about its rows")
    return campaign


def _chunks(rows: Iterator[int], size: int) -> Iterator[list[int]]:
    chunk: list[int] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
