"""ParseCsv: without a slice it makes the first pass over a list, with one it feeds slices of it to the waiting side."""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import cache
from typing import Final

import dramatiq
import structlog
from redis import RedisError

import broker
import settings
from actors.feeding import Feeder
from actors.first_pass import FirstPass
from campaigns.catalog import Catalog
from campaigns.errors import Superseded, UnknownCampaign
from campaigns.messages import QUEUES
from campaigns.models import Campaign
from storage import MissingObject, ObjectStore, StoreError

log = structlog.get_logger(__name__)


@cache
def _store() -> ObjectStore:
    config = settings.current()
    return ObjectStore(config.s3_bucket, config.s3_endpoint_url)


# It takes 50 ms, for which no first email should wait. What is wrong with it is said whenever it is needed.
with suppress(Exception):
    _store()


#: Half of a worker's threads at most feed: should the object store hang, the others go on sending what is there.
_feeders: Final = threading.BoundedSemaphore(max(1, settings.current().workers // 2))


def _current(campaign_id: str, generation: str) -> Campaign:
    campaign = Catalog(broker.redis, settings.current().default_tpm).get(campaign_id)
    if campaign.generation != generation:
        raise Superseded
    return campaign


@dramatiq.actor(
    actor_name="ParseCsv",
    queue_name=QUEUES["ParseCsv"],
    priority=10,
    max_retries=None,
    min_backoff=500,
    max_backoff=10_000,
)
def parse_csv(campaign_id: str, generation: str, from_slice: int | None = None) -> None:
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
            _feed(campaign_id, generation)
        else:
            FirstPass(broker.redis, _store(), broker.stopping).run(_current(campaign_id, generation))
    except (Superseded, UnknownCampaign):
        log.info("parse_superseded")
    except MissingObject:
        log.error(
            "list_missing", advice="the list's object is gone from the object store; cancel the campaign or put it back"
        )
    except (StoreError, RedisError) as error:
        log.warning("parse_delayed", error=type(error).__name__)
        if from_slice is None:
            raise dramatiq.errors.Retry(type(error).__name__) from error


def _feed(campaign_id: str, generation: str) -> None:
    if not _feeders.acquire(blocking=False):
        log.debug("feeders_busy")
        return
    try:
        Feeder(broker.ledger, _store(), broker.stopping).feed(_current(campaign_id, generation))
    finally:
        _feeders.release()
