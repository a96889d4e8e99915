"""ParseCsv: without a slice it makes the first pass over a list, with one it feeds slices of it to the waiting side."""

from __future__ import annotations

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


#: Made at the start: it takes 50 ms, for which no first email should wait.
store: Final = ObjectStore(settings.current().s3_bucket, settings.current().s3_endpoint_url)


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
        Retry: Redis or the object store cannot be asked; Dramatiq's backoff tries again, without end.
    """
    try:
        campaign = _current(campaign_id, generation)
        if from_slice is None:
            FirstPass(broker.redis, store, broker.stopping).run(campaign)
        else:
            Feeder(broker.ledger, store, broker.stopping).feed(campaign)
    except (Superseded, UnknownCampaign):
        log.info("parse_superseded")
    except MissingObject:
        log.error(
            "list_missing", advice="the list's object is gone from the object store; cancel the campaign or put it back"
        )
    except (StoreError, RedisError) as error:
        log.warning("parse_delayed", error=type(error).__name__)
        raise dramatiq.errors.Retry(type(error).__name__) from error
