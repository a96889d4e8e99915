"""The record of a list being parsed: one parser at a time, progress, result. The parsing itself is `recipients`."""

from __future__ import annotations

from uuid import uuid4

import msgspec
from redis import Redis

from campaigns import keys
from campaigns.errors import Superseded
from campaigns.models import Status
from campaigns.recipients import Scan
from campaigns.scripts import Scripts


class Parsing:
    """One parser's hold on one list.

    Raises:
        Superseded: from every method, once the list is replaced or another parser has taken over.
    """

    def __init__(self, redis: Redis, campaign_id: str, generation: str) -> None:
        self._scripts = Scripts(redis)
        self._campaign_id = campaign_id
        self._identity = [campaign_id, generation, uuid4().hex]
        self._keys = [keys.campaign(campaign_id), keys.of(campaign_id, "progress"), keys.PARSING]
        self._check(self._scripts("parse_claim", self._keys, self._identity))

    @staticmethod
    def _check(answer: object) -> None:
        if not answer:
            raise Superseded

    def report(self, bytes_read: int, rows: int, reason: str = "") -> None:
        """Note how far it has come, and why it does not go on, if so."""
        self._check(self._scripts("parse_progress", self._keys, [*self._identity, bytes_read, rows, reason]))

    def finish(self, scan: Scan) -> Status:
        """Record the parsed list; returns the campaign's new status: ready, or running where a start was asked for
        meanwhile and the list has the columns that the templates name by now.
        """
        layout = scan.layout
        fields = {
            "columns": msgspec.json.encode(layout.columns),
            "email_index": layout.email_index,
            "delimiter": layout.delimiter,
            "encoding": layout.encoding,
            "slices": len(scan.index),
        }
        counts: list[int | bytes] = [scan.rows, scan.total, scan.rejected, bytes(scan.skip), scan.index.pack()]
        return self._finish("ready", "", counts, fields)

    def reject(self, reason: str) -> Status:
        """Record that the list cannot be used, and why."""
        return self._finish("rejected", reason, [0, 0, 0, b"", b""], {})

    def _finish(self, status: str, reason: str, counts: list[int | bytes], fields: dict[str, object]) -> Status:
        more = [keys.RUNNING, keys.of(self._campaign_id, "skip"), keys.of(self._campaign_id, "index")]
        args = [*self._identity, status, reason, *counts, *(part for item in fields.items() for part in item)]
        answer = self._scripts("parse_finish", [*self._keys, *more], args)
        self._check(answer)
        return Status(answer.decode())
