"""Scan a campaign's list and record the result. Recognising the CSV and checking its rows is `lists.scan`."""

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


#: The campaign's reason while the object store refuses the report of rejected rows.
REPORT_DELAYED: Final = (
    "the list has been read, but the object store does not accept the report of rejected rows at the moment; the "
    "worker retries on its own"
)
#: Wait before the worker sends the report again, in s. It doubles each time, up to the longest wait.
FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 30.0
#: Time between two checks during a wait whether the parse should still continue, in s.
LOOK_S: Final = 0.5


class ListScan:
    """Parses lists, each time from the start. If a parser is killed, the next one replaces all that it has left.

    Args:
        stopping: set when the worker shuts down.
        waiters: limits how many threads wait for the object store after they have read a list.
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
        """Read the list. If it cannot be used, record why and return None."""
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
            parsing.reject("the uploaded file is no longer in the object store; upload it again")
            raise
        except StoreError:
            parsing.report(0, 0, "the object store cannot be read at the moment; the worker retries on its own")
            raise

    def _store_report(self, parsing: Parsing, campaign: Campaign, result: ScanResult, report: IO[bytes]) -> None:
        """Store the report of rejected rows. While the store does not accept it, keep the parsed result and retry."""
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
        """Send the report once. Returns None if the store has accepted it, else the error."""
        # The store closes the file that it gets, and a retry needs the report again: hence a duplicate descriptor.
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
        """Raise if the worker is stopping or the list has been superseded."""
        if self._stopping.is_set():
            raise dramatiq.errors.Retry("the worker is stopping", delay=0)
        parsing.moved()

    def _report(self, parsing: Parsing, campaign: Campaign, read: int, rows: int) -> None:
        self._check(parsing)
        parsing.report(read, rows)
        if time.monotonic() - self._logged_at > LOG_EVERY_S:
            self._logged_at = time.monotonic()
            log.info("parse_progress", bytes=read, size=campaign.size, rows=rows)
