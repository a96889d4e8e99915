"""Removes a campaign with its keys in Redis and its objects in the store: on request, or once its data have expired."""

from __future__ import annotations

import structlog

from campaigns import keys
from campaigns.catalog import Catalog
from storage import ObjectStore, StoreError

log = structlog.get_logger(__name__)


def remove(catalog: Catalog, store: ObjectStore, campaign_id: str, *, finished_before_ms: int = 0) -> None:
    """Remove a campaign with its lists, reports and uploads.

    The object store is read first, so that nothing is removed while the store is unavailable. Objects that cannot be
    deleted afterwards belong to no campaign any more, and the janitor deletes them.

    Args:
        catalog: the campaigns.
        store: their objects.
        campaign_id: the campaign.
        finished_before_ms: only if it ended before this time, in ms since 1970; 0: in whatever state.

    Raises:
        UnknownCampaign, WrongState: nothing was removed.
        StoreError: the store is unavailable; nothing was removed.
    """
    objects = [item.key for item in store.list_objects(keys.objects(campaign_id))]
    uploads = catalog.uploads(campaign_id)
    catalog.delete(campaign_id, finished_before_ms=finished_before_ms)
    log.info("campaign_expired" if finished_before_ms else "campaign_deleted", campaign_id=campaign_id)
    try:
        for upload in uploads:
            store.abort_upload(upload.object_key, upload.upload_id)
        store.delete(objects)
    except StoreError as error:
        log.warning("objects_left_to_janitor", campaign_id=campaign_id, error=str(error))
