"""The record of a list that is being parsed: parser, progress, result. `lists.scan` does the parsing."""

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
from campaigns.db.scripts import Scripts
from campaigns.errors import ContentChanged, Superseded
from campaigns.judgement import Judgement
from campaigns.link_marks import mark_text
from campaigns.models import Status
from lists.list_facts import ListFacts
from lists.scan import ScanResult

#: Time between two heartbeats of a parser, in s.
BEAT_S: Final = 5.0
#: Time without progress after which a parser counts as hung and its heartbeats stop, in s. It is longer than a request
#: to the object store with all its retries.
HANGS_S: Final = 180.0


class Parsing:
    """One parser's claim on one list. A context manager: within the block, a thread sends heartbeats even while a long
    step reports nothing. When the block ends early, the next parser can claim the list immediately.

    Raises:
        Superseded: from every method, after the list was replaced or another parser has taken over.
    """

    def __init__(self, redis: Redis, campaign_id: str, list_version: str) -> None:
        self._scripts = Scripts(redis)
        self._campaign_id = campaign_id
        self._parser_id = uuid4().hex
        self._identity = {"campaign_id": campaign_id, "list_version": list_version, "parser_id": self._parser_id}
        self._link_mark = mark_text(campaign_id, list_version)
        self._keys = {**keys.named(campaign_id, "campaign progress"), "parsing": keys.PARSING}
        self._report: tuple[int, int, str] = (0, 0, "")
        self._moved_at = time.monotonic()
        self._sending = threading.Lock()
        self._left = threading.Event()
        self._superseded = threading.Event()
        self._check(self._scripts("parse_claim", self._keys, **self._identity))

    def __enter__(self) -> Self:
        threading.Thread(target=self._beat, name="parser-heartbeat", daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        with self._sending:
            self._left.set()
        with suppress(RedisError):  # without this call, the next parser waits until this parser's claim expires
            self._scripts("parse_leave", keys.named(self._campaign_id, "campaign"), parser_id=self._parser_id)

    def _beat(self) -> None:
        """Repeat the last report as a heartbeat, as long as the parser makes progress."""
        while not self._left.wait(BEAT_S) and time.monotonic() - self._moved_at < HANGS_S:
            with self._sending:
                if self._left.is_set():
                    return
                try:
                    self._send_report()
                except Superseded:
                    self._superseded.set()
                    return
                except RedisError:
                    continue  # the next heartbeat may reach Redis

    @staticmethod
    def _check(answer: object) -> None:
        if not answer:
            raise Superseded

    def _send_report(self) -> None:
        bytes_read, rows, reason = self._report
        told = {"parsed_bytes": bytes_read, "parsed_rows": rows, "reason": reason}
        self._check(self._scripts("parse_progress", self._keys, **self._identity, **told))

    def moved(self) -> None:
        """Note progress within a step that has nothing to report. Does not call Redis."""
        self._moved_at = time.monotonic()
        self._check(not self._superseded.is_set())

    def report(self, bytes_read: int, rows: int, reason: str = "") -> None:
        """Record the progress in Redis.

        Args:
            bytes_read: bytes of the list read so far.
            rows: rows read so far.
            reason: why parsing is held up; empty if it is not.
        """
        self.moved()
        with self._sending:
            self._report = (bytes_read, rows, reason)
            self._send_report()

    def finish(
        self,
        result: ScanResult,
        facts: ListFacts | None = None,
        list_key: str = "",
        judgement: Judgement | None = None,
    ) -> Status:
        """Record the parsed list.

        Args:
            result: the result of the scan.
            facts: what was recognised in the list.
            list_key: the object that was scanned, if it is not the uploaded one.
            judgement: what the list and the campaign's content make together; None: nothing is known of that.

        Returns:
            The campaign's new status: ready; or running, if a client has started the campaign during parsing, the list
            has all columns that the templates now name, and no warning is left to accept.

        Raises:
            ContentChanged: the campaign has another content than the judged one; nothing has changed.
        """
        dialect = result.dialect
        fields = {
            "columns": msgspec.json.encode(dialect.columns),
            "email_index": dialect.email_index,
            "delimiter": dialect.delimiter,
            "encoding": dialect.encoding,
            "skip_initial_space": int(dialect.skip_initial_space),
            "row_rules": dialect.row_rules,
            "slices": len(result.index),
            "list_key": list_key,
            "list_size": result.index.end,
            "list_facts": msgspec.json.encode(facts) if facts else "",
            "list_sample": msgspec.json.encode(result.kept),
            "unaccepted_with_list": msgspec.json.encode(judgement.unaccepted if judgement else []),
            "unaccepted": msgspec.json.encode(facts.to_accept if facts else []),
        }
        return self._finish(
            "ready",
            rows=result.rows,
            total=result.total,
            rejected_rows=result.rejected,
            excluded_rows=result.excluded,
            rejected_bitmap=bytes(result.rejected_bitmap),
            packed_index=result.index.pack(),
            judgement=judgement,
            fields=fields,
        )

    def reject(self, reason: str) -> Status:
        """Record that the list cannot be used, with the reason."""
        return self._finish("rejected", reason)

    def _finish(
        self,
        status: str,
        reason: str = "",
        *,
        rows: int = 0,
        total: int = 0,
        rejected_rows: int = 0,
        excluded_rows: int = 0,
        rejected_bitmap: bytes = b"",
        packed_index: bytes = b"",
        judgement: Judgement | None = None,
        fields: Mapping[str, Any] = {},
    ) -> Status:
        answer = self._scripts(
            "parse_finish",
            {
                **self._keys,
                **keys.named(self._campaign_id, "rejected index attachments"),
                "running": keys.RUNNING,
                "schedule": keys.SCHEDULE,
                "link_marks": keys.LINK_MARKS,
            },
            **self._identity,
            status=status,
            reason=reason,
            rows=rows,
            total=total,
            rejected_rows=rejected_rows,
            excluded_rows=excluded_rows,
            rejected_bitmap=rejected_bitmap,
            packed_index=packed_index,
            content_version=judgement.version if judgement else "",
            missing=judgement.missing if judgement else "",
            link_mark=self._link_mark,
            fields=fields.items(),
        )
        self._check(answer)
        if answer == b"content_changed":
            raise ContentChanged
        return Status(answer.decode())
