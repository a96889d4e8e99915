"""ParseCsv: without a slice it makes the first pass over a list, with one it feeds slices of it to the waiting side."""

from __future__ import annotations

import threading
from collections.abc import Callable

import dramatiq
import structlog
from redis import Redis, RedisError

from campaigns.catalog import Catalog
from campaigns.errors import Superseded, UnknownCampaign
from campaigns.ledger import Ledger
from campaigns.messages import PARSE_CSV, QUEUES
from campaigns.models import Campaign
from campaigns.retrying import MESSAGE_PAUSE_MAX_MS, MESSAGE_PAUSE_MS
from storage import MissingObject, ObjectStore, StoreError
from worker.feeding import Feeder
from worker.first_pass import FirstPass

log = structlog.get_logger(__name__)


class ParseCsv:
    """The actor. To be made once a process.

    Args:
        open_store: gives the object store, or raises what is wrong with it.
        stopping: set when the worker shuts down.
        threads: how many messages the worker works on at once.
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
    ) -> None:
        self._redis = redis
        self._ledger = ledger
        self._catalog = catalog
        self._open_store = open_store
        self._stopping = stopping
        half = max(1, threads // 2)
        # Half of a worker's threads at most feed: should the object store hang, the others go on sending what is there.
        self._feeders = threading.BoundedSemaphore(half)
        # Half of them at most wait for the store with a list that is read: the others go on sending.
        self._waiters = threading.BoundedSemaphore(half)

    def declare(self, broker: dramatiq.Broker) -> None:
        """Make the actor known to the broker."""
        dramatiq.actor(
            broker=broker,
            actor_name=PARSE_CSV,
            queue_name=QUEUES[PARSE_CSV],
            priority=10,
            max_retries=None,
            min_backoff=MESSAGE_PAUSE_MS,
            max_backoff=MESSAGE_PAUSE_MAX_MS,
        )(self.perform)

    def perform(self, campaign_id: str, generation: str, from_slice: int | None = None) -> None:
        """Parse a campaign's list, or feed it.

        Args:
            campaign_id: whose list.
            generation: the list meant; once it has been replaced, nothing happens.
            from_slice: given: feed from the ledger's cursor on.

        Raises:
            Retry: Redis or the object store cannot be asked; Dramatiq's backoff tries again, without end. Not where it
                feeds: the pacer asks for that anew.
        """
        try:
            if from_slice is not None:
                self._feed(campaign_id, generation)
            else:
                self._parse(campaign_id, generation)
        except (Superseded, UnknownCampaign):
            log.info("parse_superseded")
        except MissingObject:
            log.error(
                "list_missing",
                advice="the list's object is gone from the object store; cancel the campaign or put it back",
            )
        except (StoreError, RedisError) as error:
            log.warning("parse_delayed", error=type(error).__name__)
            if from_slice is None:
                raise dramatiq.errors.Retry(type(error).__name__) from error

    def _parse(self, campaign_id: str, generation: str) -> None:
        first_pass = FirstPass(self._redis, self._open_store(), self._stopping, self._waiters)
        first_pass.run(self._current(campaign_id, generation))

    def _feed(self, campaign_id: str, generation: str) -> None:
        if not self._feeders.acquire(blocking=False):
            log.debug("feeders_busy")
            return
        try:
            feeder = Feeder(self._ledger, self._open_store(), self._stopping)
            feeder.feed(self._current(campaign_id, generation))
        finally:
            self._feeders.release()

    def _current(self, campaign_id: str, generation: str) -> Campaign:
        campaign = self._catalog.get(campaign_id)
        if campaign.generation != generation:
            raise Superseded
        return campaign
