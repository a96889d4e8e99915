"""Removes what nobody will come back for: uploads whose addresses have expired, and objects of no campaign's list.

One sweep an hour among all web processes. It finds what crashes and outages leave behind; in ordinary operation there
is nothing to do. It never touches what a campaign uses.
"""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, cast

import structlog
from redis import Redis
from starlette.concurrency import run_in_threadpool

from api.uploads import lists
from api.uploads.bodies import MAX_EXPIRES_S
from campaigns import keys
from campaigns.catalog import Catalog
from campaigns.errors import UnknownCampaign
from storage import ObjectStore

log = structlog.get_logger(__name__)

#: The shortest time between two sweeps, among all processes.
EVERY: Final = timedelta(hours=1)
#: How long after its addresses' end an upload can still be completed.
GRACE: Final = timedelta(hours=1)
#: An upload that no record knows is kept as long as its addresses may live.
UNKNOWN_UPLOAD_AGE: Final = timedelta(seconds=MAX_EXPIRES_S) + GRACE
#: An object that no campaign uses is kept so long: it may be on its way to become a list.
OBJECT_AGE: Final = timedelta(days=1)
#: How often a process asks whether a sweep is due, in seconds; spread, so that processes do not march in step.
ASK_S: Final = (240.0, 360.0)

_ROOT: Final = "campaigns/"


class Swept(NamedTuple):
    """How many uploads were given up, and how many objects were removed."""

    uploads: int
    objects: int


class Janitor:
    """Sweeps one bucket."""

    def __init__(self, redis: Redis, catalog: Catalog, store: ObjectStore) -> None:
        self._redis = redis
        self._catalog = catalog
        self._store = store

    async def run(self) -> None:
        """Sweep whenever it is due, until cancelled."""
        while True:
            await asyncio.sleep(random.uniform(*ASK_S))
            try:
                await run_in_threadpool(self.sweep_if_due)
            except Exception as error:  # noqa: BLE001 - whatever it was, the next sweep tries again
                log.warning("sweep_failed", error=type(error).__name__)

    def sweep_if_due(self) -> Swept | None:
        """Sweep unless some process has done so in the last hour; None: it has."""
        due = self._redis.set(keys.JANITOR_LEASE, b"1", nx=True, px=int(EVERY.total_seconds() * 1000))
        return self.sweep(datetime.now(UTC)) if due else None

    def sweep(self, now: datetime) -> Swept:
        """Give up stale uploads and remove unused objects.

        Raises:
            RedisError, StoreError: it stopped half-way; the next sweep does the rest.
        """
        kept: set[str] = set()
        uploads = 0
        for campaign_id in self._campaign_ids():
            for upload in self._catalog.uploads(campaign_id):
                if datetime.fromisoformat(upload.expires_at or upload.created_at) + GRACE < now:
                    self._store.abort_upload(upload.object_key, upload.upload_id)
                    self._catalog.end_upload(campaign_id, upload.upload_id)
                    uploads += not upload.completed
                else:
                    kept.add(upload.object_key)
        uploads += self._abort_unknown(now)
        swept = Swept(uploads, self._delete_unused(kept, now))
        log.info("swept", uploads=swept.uploads, objects=swept.objects)
        return swept

    def _campaign_ids(self) -> list[str]:
        # The ids alone: a campaign's content may be large.
        found = cast(list[bytes], self._redis.zrange(keys.CAMPAIGNS, 0, -1))
        return [raw.decode() for raw in found]

    def _abort_unknown(self, now: datetime) -> int:
        # No known upload is that old: its addresses would have expired.
        stale = [item for item in self._store.list_uploads(_ROOT) if item.started_at + UNKNOWN_UPLOAD_AGE < now]
        for upload in stale:
            self._store.abort_upload(upload.key, upload.upload_id)
        return len(stale)

    def _delete_unused(self, kept: set[str], now: datetime) -> int:
        unused = [
            item.key
            for item in self._store.list_objects(_ROOT)
            if item.modified_at + OBJECT_AGE < now and item.key not in kept and not self._is_used(item.key)
        ]
        self._store.delete(unused)
        return len(unused)

    def _is_used(self, key: str) -> bool:
        try:
            return lists.owns(self._catalog.get(key.split("/")[1]), key)
        except UnknownCampaign:
            return False
