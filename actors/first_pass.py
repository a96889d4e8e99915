"""The first pass over a list: everything that is known of it before the first email."""

from __future__ import annotations

import threading
import time
from typing import Final

import dramatiq
import structlog
from redis import Redis

from campaigns import keys, recipients
from campaigns.catalog import name_columns
from campaigns.errors import UnusableList
from campaigns.models import Campaign
from campaigns.parsing import Parsing
from mail.rendering import Templates
from storage import MissingObject, ObjectStore, StoreError

log = structlog.get_logger(__name__)

#: Time between two log lines about a long parse, in s.
LOG_EVERY_S: Final = 60.0


class FirstPass:
    """Parses lists, from the start each time: a parser that was killed leaves nothing that the next one does not
    replace.
    """

    def __init__(self, redis: Redis, store: ObjectStore, stopping: threading.Event) -> None:
        self._redis = redis
        self._store = store
        self._stopping = stopping

    def run(self, campaign: Campaign) -> None:
        """Parse the campaign's list and record the result.

        Raises:
            Superseded, StoreError, redis.RedisError; dramatiq.errors.Retry: the worker is stopping.
        """
        if not campaign.columns_named:
            name_columns(self._redis, campaign.id, Templates(campaign.content).missing(()))
        parsing = Parsing(self._redis, campaign.id, campaign.generation)
        started = self._logged_at = time.monotonic()
        try:
            scan = recipients.scan(
                self._store.stream(campaign.object_key),
                email_column=campaign.email_column,
                on_progress=lambda read, rows: self._report(parsing, campaign, read, rows),
            )
        except UnusableList as error:
            parsing.reject(error.detail)
            log.warning("list_rejected", reason=error.detail)
            return
        except MissingObject:
            parsing.reject("the uploaded file is gone from the object store; upload it again")
            raise
        except StoreError:
            parsing.report(0, 0, "the object store cannot be read at the moment; parsing is tried again by itself")
            raise
        with scan.report as report:
            self._store.put_file(keys.rejected_report(campaign.id, campaign.generation), report)
        status = parsing.finish(scan)
        log.info(
            "list_parsed",
            status=status,
            rows=scan.rows,
            total=scan.total,
            rejected=scan.rejected,
            duration_s=round(time.monotonic() - started, 2),
        )

    def _report(self, parsing: Parsing, campaign: Campaign, read: int, rows: int) -> None:
        if self._stopping.is_set():
            raise dramatiq.errors.Retry("the worker is stopping", delay=0)
        parsing.report(read, rows)
        if time.monotonic() - self._logged_at > LOG_EVERY_S:
            self._logged_at = time.monotonic()
            log.info("parse_progress", bytes=read, size=campaign.size, rows=rows)
