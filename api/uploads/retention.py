"""Removes the data of campaigns that ended long ago (`RETENTION_DAYS`). The janitor calls it with each sweep."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import structlog
from redis import Redis

from api import campaign_removal
from campaigns import keys
from campaigns.catalog import Catalog
from campaigns.db.typed_redis import typed
from campaigns.errors import CampaignError
from campaigns.models import Status
from storage import ObjectStore

log = structlog.get_logger(__name__)

#: The states that end a campaign.
ENDED: Final = frozenset({Status.COMPLETED.encode(), Status.CANCELLED.encode()})
#: The campaigns of one round trip.
_PAGE: Final = 500


class Retention:
    """Knows which campaigns have expired.

    Args:
        redis: a client without response decoding.
        catalog: the campaigns.
        store: their objects.
        days: how long the data of a campaign are kept after its end; None: for ever.
    """

    def __init__(self, redis: Redis, catalog: Catalog, store: ObjectStore, days: int | None) -> None:
        self._redis = typed(redis)
        self._catalog = catalog
        self._store = store
        self._days = days

    def remove_expired(self, now: datetime) -> int:
        """Remove the campaigns that ended before the time of retention. Returns their number.

        Raises:
            RedisError, StoreError: some were removed; the next call removes the rest.
        """
        if self._days is None:
            return 0
        before_ms = int((now - timedelta(days=self._days)).timestamp() * 1000)
        removed = 0
        for campaign_id in [*self._ended(before_ms)]:
            try:
                campaign_removal.remove(self._catalog, self._store, campaign_id, finished_before_ms=before_ms)
            except CampaignError as error:  # it runs again, or rows are in flight
                log.info("campaign_kept", campaign_id=campaign_id, reason=error.detail)
            else:
                removed += 1
        return removed

    def _ended(self, before_ms: int) -> Iterator[str]:
        ids = [raw.decode() for raw in self._redis.zrange(keys.CAMPAIGNS, 0, -1)]
        for first in range(0, len(ids), _PAGE):
            page = ids[first : first + _PAGE]
            with self._redis.pipeline(transaction=False) as pipeline:
                for campaign_id in page:
                    pipeline.hmget(keys.campaign(campaign_id), ("status", "finished_at"))
                found = pipeline.execute()
            for campaign_id, (status, finished_at) in zip(page, found, strict=True):
                if status in ENDED and finished_at is not None and int(finished_at) < before_ms:
                    yield campaign_id
