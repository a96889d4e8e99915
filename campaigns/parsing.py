"""The record of a list being parsed: one parser at a time, progress, result. The parsing itself is `lists.scan`."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, Self
from uuid import uuid4

import msgspec
from redis import Redis, RedisError

from campaigns import keys
from campaigns.errors import Superseded
from campaigns.models import Status
from campaigns.scripts import Scripts
from lists.scan import ScanResult

#: Time between two signs of life while a step of the parser takes long, in s.
BEAT_S: Final = 5.0
#: How long one step may take before the parser counts as one that hangs and gives no more signs of life, in s: longer
#: than a request to the object store with all its tries.
HANGS_S: Final = 180.0


class Parsing:
    """One parser's hold on one list. A context manager: within the block it gives signs of life, however long a step
    takes that does not report; one that is left before the end leaves the list to the next parser at once.

    Raises:
        Superseded: from every method, once the list is replaced or another parser has taken over.
    """

    def __init__(self, redis: Redis, campaign_id: str, list_version: str) -> None:
        self._scripts = Scripts(redis)
        self._campaign_id = campaign_id
        self._parser_id = uuid4().hex
        self._identity = {"campaign_id": campaign_id, "list_version": list_version, "parser_id": self._parser_id}
        self._keys = {**keys.named(campaign_id, "campaign progress"), "parsing": keys.PARSING}
        self._told: tuple[int, int, str] = (0, 0, "")
        self._moved_at = time.monotonic()
        self._telling = threading.Lock()
        self._left = threading.Event()
        self._superseded = threading.Event()
        self._check(self._scripts("parse_claim", self._keys, **self._identity))

    def __enter__(self) -> Self:
        threading.Thread(target=self._beat, name="parser-heartbeat", daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        with self._telling:
            self._left.set()
        with suppress(RedisError):  # then the next one waits until this one is lost
            self._scripts("parse_leave", keys.named(self._campaign_id, "campaign"), parser_id=self._parser_id)

    def _beat(self) -> None:
        """Repeat what was told last, as long as the parser moves."""
        while not self._left.wait(BEAT_S) and time.monotonic() - self._moved_at < HANGS_S:
            with self._telling:
                if self._left.is_set():
                    return
                try:
                    self._tell()
                except Superseded:
                    self._superseded.set()
                    return
                except RedisError:
                    continue  # the next one may be heard

    @staticmethod
    def _check(answer: object) -> None:
        if not answer:
            raise Superseded

    def _tell(self) -> None:
        bytes_read, rows, reason = self._told
        told = {"parsed_bytes": bytes_read, "parsed_rows": rows, "reason": reason}
        self._check(self._scripts("parse_progress", self._keys, **self._identity, **told))

    def moved(self) -> None:
        """Note that it goes on, within a step of which there is nothing to report. Costs nothing."""
        self._moved_at = time.monotonic()
        self._check(not self._superseded.is_set())

    def report(self, bytes_read: int, rows: int, reason: str = "") -> None:
        """Note how far it has come, and why it does not go on, if so."""
        self.moved()
        with self._telling:
            self._told = (bytes_read, rows, reason)
            self._tell()

    def finish(self, result: ScanResult) -> Status:
        """Record the parsed list; returns the campaign's new status: ready, or running where a start was asked for
        meanwhile and the list has the columns that the templates name by now.
        """
        dialect = result.dialect
        fields = {
            "columns": msgspec.json.encode(dialect.columns),
            "email_index": dialect.email_index,
            "delimiter": dialect.delimiter,
            "encoding": dialect.encoding,
            "slices": len(result.index),
        }
        return self._finish(
            "ready",
            rows=result.rows,
            total=result.total,
            rejected_rows=result.rejected,
            rejected_bitmap=bytes(result.skip),
            packed_index=result.index.pack(),
            fields=fields,
        )

    def reject(self, reason: str) -> Status:
        """Record that the list cannot be used, and why."""
        return self._finish("rejected", reason)

    def _finish(
        self,
        status: str,
        reason: str = "",
        *,
        rows: int = 0,
        total: int = 0,
        rejected_rows: int = 0,
        rejected_bitmap: bytes = b"",
        packed_index: bytes = b"",
        fields: Mapping[str, Any] = {},
    ) -> Status:
        answer = self._scripts(
            "parse_finish",
            {**self._keys, **keys.named(self._campaign_id, "rejected index"), "running": keys.RUNNING},
            **self._identity,
            status=status,
            reason=reason,
            rows=rows,
            total=total,
            rejected_rows=rejected_rows,
            rejected_bitmap=rejected_bitmap,
            packed_index=packed_index,
            fields=fields.items(),
        )
        self._check(answer)
        return Status(answer.decode())
