"""The first pass over a list: everything that is known of it before the first email."""

from __future__ import annotations

import os
import threading
import time
from contextlib import ExitStack
from typing import IO, Final

import dramatiq
import structlog
from redis import Redis

from campaigns import keys
from campaigns.catalog import name_columns
from campaigns.models import Campaign
from campaigns.parsing import Parsing
from lists.errors import UnusableList
from lists.scan import ScanResult, scan
from mail.rendering import Templates
from storage import MissingObject, ObjectStore, StoreError

log = structlog.get_logger(__name__)

#: Time between two log lines about a long parse, in s.
LOG_EVERY_S: Final = 60.0


#: What the status says while the store does not take the report of rejected rows.
REPORT_DELAYED: Final = (
    "the list is read; the object store does not take the report of rejected rows at the moment; it is tried again by "
    "itself"
)
#: How long to wait before the report is sent again, in s: longer each time, up to the longest.
FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 30.0
#: How often a wait looks whether it still has a sense, in s.
LOOK_S: Final = 0.5


class ListScan:
    """Parses lists, from the start each time: a parser that was killed leaves nothing that the next one does not
    replace.

    Args:
        stopping: set when the worker shuts down.
        waiters: bounds how many threads wait for the store with a list that is read.
    """

    def __init__(
        self, redis: Redis, store: ObjectStore, stopping: threading.Event, waiters: threading.Semaphore
    ) -> None:
        self._redis = redis
        self._store = store
        self._stopping = stopping
        self._waiters = waiters

    def run(self, campaign: Campaign) -> None:
        """Parse the campaign's list and record the result.

        Raises:
            Superseded, StoreError, redis.RedisError; dramatiq.errors.Retry: the worker is stopping.
        """
        if not campaign.columns_named:
            name_columns(self._redis, campaign.id, Templates(campaign.content).missing(()))
        with Parsing(self._redis, campaign.id, campaign.list_version) as parsing:
            self._parse(parsing, campaign)

    def _parse(self, parsing: Parsing, campaign: Campaign) -> None:
        started = self._logged_at = time.monotonic()
        result = self._scan(parsing, campaign)
        if result is None:
            return
        with result.report as report:
            self._store_report(parsing, campaign, result, report)
        status = parsing.finish(result)
        log.info(
            "list_parsed",
            status=status,
            rows=result.rows,
            total=result.total,
            rejected=result.rejected,
            duration_s=round(time.monotonic() - started, 2),
        )

    def _scan(self, parsing: Parsing, campaign: Campaign) -> ScanResult | None:
        """Read the list; None where it cannot be used, which is recorded."""
        try:
            return scan(
                self._store.stream(campaign.object_key),
                email_column=campaign.email_column,
                on_progress=lambda read, rows: self._report(parsing, campaign, read, rows),
            )
        except UnusableList as error:
            parsing.reject(error.detail)
            log.warning("list_rejected", reason=error.detail)
            return None
        except MissingObject:
            parsing.reject("the uploaded file is gone from the object store; upload it again")
            raise
        except StoreError:
            parsing.report(0, 0, "the object store cannot be read at the moment; parsing is tried again by itself")
            raise

    def _store_report(self, parsing: Parsing, campaign: Campaign, result: ScanResult, report: IO[bytes]) -> None:
        """Store the report of rejected rows. While the store does not take it, what has been parsed is kept."""
        key = keys.rejected_report(campaign.id, campaign.list_version)
        wait_s = FIRST_WAIT_S
        with ExitStack() as stack:
            while (error := self._send(parsing, key, report)) is not None:
                self._check(parsing)
                parsing.report(campaign.size, result.rows, REPORT_DELAYED)
                log.warning("report_delayed", error=str(error), again_s=wait_s)
                if wait_s == FIRST_WAIT_S:
                    if not self._waiters.acquire(blocking=False):
                        raise error
                    stack.callback(self._waiters.release)
                self._wait(parsing, wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _send(self, parsing: Parsing, key: str, report: IO[bytes]) -> StoreError | None:
        """Send the report once; why the store does not take it, or None: it has."""
        # The store closes what it is given, and the report may be needed once more.
        with os.fdopen(os.dup(report.fileno()), "rb") as file:
            file.seek(0)
            try:
                self._store.put_file(key, file, on_progress=lambda: self._check(parsing))
            except StoreError as error:
                return error
        return None

    def _wait(self, parsing: Parsing, wait_s: float) -> None:
        end = time.monotonic() + wait_s
        while (left_s := end - time.monotonic()) > 0:
            self._stopping.wait(min(left_s, LOOK_S))
            self._check(parsing)

    def _check(self, parsing: Parsing) -> None:
        """Raise where there is no sense in going on."""
        if self._stopping.is_set():
            raise dramatiq.errors.Retry("the worker is stopping", delay=0)
        parsing.moved()

    def _report(self, parsing: Parsing, campaign: Campaign, read: int, rows: int) -> None:
        self._check(parsing)
        parsing.report(read, rows)
        if time.monotonic() - self._logged_at > LOG_EVERY_S:
            self._logged_at = time.monotonic()
            log.info("parse_progress", bytes=read, size=campaign.size, rows=rows)
