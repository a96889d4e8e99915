"""ParseCsv: scans a list, or prefetches the next recipients of it if the message names a slice."""

from __future__ import annotations

import threading
from collections.abc import Callable

import dramatiq
import structlog
from redis import Redis, RedisError

from campaigns.catalog import Catalog
from campaigns.db.retrying import MESSAGE_PAUSE_MAX_MS, MESSAGE_PAUSE_MS
from campaigns.errors import Superseded, UnknownCampaign
from campaigns.ledger import Ledger
from campaigns.list_filters import Suppressions
from campaigns.messages import PARSE_CSV, QUEUES
from campaigns.models import Campaign
from storage import MissingObject, ObjectStore, StoreError
from worker.list_scan import ListScan
from worker.prefetcher import Prefetcher

log = structlog.get_logger(__name__)


class ParseCsv:
    """The actor. Create one per process.

    Args:
        open_store: returns the object store, or raises the error why there is none.
        stopping: set when the worker shuts down.
        threads: the number of messages that the worker processes concurrently.
        suppressions: the suppression list; None: no address is suppressed.
        merged_recipients: the most recipients of one request to a campaign's provider.
    """

    def __init__(
        self,
        redis: Redis,
        ledger: Ledger,
        catalog: Catalog,
        open_store: Callable[[], ObjectStore],
        stopping: threading.Event,
        *,
        threads: int,
        suppressions: Suppressions | None = None,
        merged_recipients: Callable[[Campaign], int] = lambda _campaign: 1,
    ) -> None:
        self._redis = redis
        self._ledger = ledger
        self._catalog = catalog
        self._open_store = open_store
        self._stopping = stopping
        self._suppressions = suppressions
        self._merged_recipients = merged_recipients
        half = max(1, threads // 2)
        # At most half of a worker's threads prefetch: if the object store hangs, the others keep sending.
        self._prefetchers = threading.BoundedSemaphore(half)
        # At most half of them wait for the store after they have read a list: the others keep sending.
        self._waiters = threading.BoundedSemaphore(half)

    def declare(self, broker: dramatiq.Broker) -> None:
        """Register the actor with the broker."""
        dramatiq.actor(
            broker=broker,
            actor_name=PARSE_CSV,
            queue_name=QUEUES[PARSE_CSV],
            priority=10,
            max_retries=None,
            min_backoff=MESSAGE_PAUSE_MS,
            max_backoff=MESSAGE_PAUSE_MAX_MS,
        )(self.perform)

    def perform(self, campaign_id: str, list_version: str, from_slice: int | None = None) -> None:
        """Parse a campaign's list, or prefetch from it.

        Args:
            campaign_id: the campaign.
            list_version: the version of its list. If the list has been replaced since, nothing happens.
            from_slice: None to parse; any number to prefetch from the ledger's cursor on.

        Raises:
            Retry: Redis or the object store is unavailable while parsing; Dramatiq retries without end. Prefetching
                does not raise it, because the dispatcher requests a new prefetch.
        """
        try:
            if from_slice is not None:
                self._prefetch(campaign_id, list_version)
            else:
                self._parse(campaign_id, list_version)
        except (Superseded, UnknownCampaign):
            log.info("parse_superseded")
        except MissingObject:
            log.error(
                "list_missing",
                advice="the list is no longer in the object store; put it back, or cancel the campaign",
            )
        except (StoreError, RedisError) as error:
            log.warning("parse_delayed", error=type(error).__name__)
            if from_slice is None:
                raise dramatiq.errors.Retry(type(error).__name__) from error

    def _parse(self, campaign_id: str, list_version: str) -> None:
        store = self._open_store()
        list_scan = ListScan(self._redis, store, self._stopping, self._waiters, self._suppressions)
        list_scan.run(self._current(campaign_id, list_version))

    def _prefetch(self, campaign_id: str, list_version: str) -> None:
        if not self._prefetchers.acquire(blocking=False):
            log.debug("prefetchers_busy")
            return
        try:
            campaign = self._current(campaign_id, list_version)
            merged = self._merged_recipients(campaign)
            Prefetcher(self._ledger, self._open_store(), self._stopping, merged).prefetch(campaign)
        finally:
            self._prefetchers.release()

    def _current(self, campaign_id: str, list_version: str) -> Campaign:
        campaign = self._catalog.get(campaign_id)
        if campaign.list_version != list_version:
            raise Superseded
        return campaign
