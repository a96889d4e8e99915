"""Removes what is over: expired campaigns, uploads that cannot be resumed any more, and objects of no campaign.

All web processes together make one sweep per hour. Only crashes and outages leave objects to remove. The janitor never
touches an object that a campaign uses.
"""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import structlog
from redis import Redis
from starlette.concurrency import run_in_threadpool

from api.uploads import lists, resumption
from api.uploads.bodies import MAX_EXPIRES_S
from api.uploads.retention import Retention
from campaigns import keys
from campaigns.attachments import Attachments
from campaigns.catalog import Catalog
from campaigns.db.typed_redis import typed
from campaigns.errors import UnknownCampaign
from storage import ObjectStore

log = structlog.get_logger(__name__)

#: The shortest time between two sweeps of all processes together.
EVERY: Final = timedelta(hours=1)
#: How long an upload can still be completed after its last presigned URL has expired.
GRACE: Final = timedelta(hours=1)
#: How old an upload without a record must be before it is removed: its presigned URLs have expired by then.
UNKNOWN_UPLOAD_AGE: Final = timedelta(seconds=MAX_EXPIRES_S) + GRACE
#: How old an unused object must be before it is removed: a younger one may be about to become a list.
OBJECT_AGE: Final = timedelta(days=1)
#: How often a process checks whether a sweep is due, in seconds; random, so that processes do not check in step.
ASK_S: Final = (240.0, 360.0)


class Swept(NamedTuple):
    """The numbers of aborted uploads, of deleted objects, and of campaigns whose data had expired."""

    uploads: int
    objects: int
    expired: int = 0


class Janitor:
    """Sweeps one bucket."""

    def __init__(self, redis: Redis, catalog: Catalog, store: ObjectStore, retention_days: int | None = None) -> None:
        self._redis = typed(redis)
        self._catalog = catalog
        self._attachments = Attachments(redis)
        self._store = store
        self._retention = Retention(redis, catalog, store, retention_days)

    async def run(self) -> None:
        """Sweep whenever a sweep is due, until cancelled."""
        while True:
            await asyncio.sleep(random.uniform(*ASK_S))
            try:
                await run_in_threadpool(self.sweep_if_due)
            except Exception as error:  # noqa: BLE001 - the next sweep tries again
                log.warning("sweep_failed", error=type(error).__name__)

    def sweep_if_due(self) -> Swept | None:
        """Sweep, unless a process has swept in the last hour: then return None."""
        due = self._redis.set(keys.JANITOR_LEASE, b"1", nx=True, px=int(EVERY.total_seconds() * 1000))
        return self.sweep(datetime.now(UTC)) if due else None

    def sweep(self, now: datetime) -> Swept:
        """Remove expired campaigns, abort stale uploads and delete unused objects.

        Args:
            now: the time against which ages are measured.

        Raises:
            RedisError, StoreError: the sweep stopped half-way; the next one does the rest.
        """
        expired = self._retention.remove_expired(now)
        kept: set[str] = set()
        uploads = 0
        for campaign_id in self._campaign_ids():
            for upload in self._catalog.uploads(campaign_id):
                if resumption.resumable_until(upload) + GRACE < now:
                    self._store.abort_upload(upload.object_key, upload.upload_id)
                    self._catalog.end_upload(campaign_id, upload.upload_id)
                    uploads += not upload.completed
                else:
                    kept.add(upload.object_key)
        uploads += self._abort_unknown(now)
        swept = Swept(uploads, self._delete_unused(kept, now), expired)
        log.info("swept", uploads=swept.uploads, objects=swept.objects, expired=expired)
        return swept

    def _campaign_ids(self) -> list[str]:
        # Only the ids: a campaign's content may be large.
        found = self._redis.zrange(keys.CAMPAIGNS, 0, -1)
        return [raw.decode() for raw in found]

    def _abort_unknown(self, now: datetime) -> int:
        # No upload with a record is that old: its presigned URLs would have expired, and it would have been aborted.
        stale = [item for item in self._store.list_uploads(keys.OBJECTS) if item.started_at + UNKNOWN_UPLOAD_AGE < now]
        for upload in stale:
            self._store.abort_upload(upload.key, upload.upload_id)
        return len(stale)

    def _delete_unused(self, kept: set[str], now: datetime) -> int:
        unused = [
            item.key
            for item in self._store.list_objects(keys.OBJECTS)
            if item.modified_at + OBJECT_AGE < now and item.key not in kept and not self._is_used(item.key)
        ]
        self._store.delete(unused)
        return len(unused)

    def _is_used(self, key: str) -> bool:
        campaign_id = key.split("/")[1]
        try:
            if lists.owns(self._catalog.get(campaign_id), key):
                return True
            return any(file.object_key == key for file in self._attachments.all(campaign_id))
        except UnknownCampaign:
            return False
