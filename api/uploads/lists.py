"""Makes a stored object a campaign's list: the last step of every kind of upload, and the rules that they share."""

from __future__ import annotations

from uuid import uuid4

import msgspec
import structlog

from api.components import Components
from api.uploads.bodies import MAX_FILENAME
from campaigns import keys
from campaigns.models import Campaign
from lists.list_options import ListOptions
from storage import StoreError

log = structlog.get_logger(__name__)


def new_key(campaign_id: str) -> str:
    """A new, unique key for a list, so that a list never changes while it is read."""
    return f"{keys.objects(campaign_id)}{uuid4().hex}/list.csv"


def owns(campaign: Campaign, key: str) -> bool:
    """Whether an object is the campaign's list or one of its reports."""
    return key == campaign.object_key or (
        campaign.list_version != "" and key.startswith(keys.objects_of_list(campaign.id, campaign.list_version))
    )


def shown_name(filename: str) -> str:
    """A file name that is safe to store and show: no folders, no control characters, at most `MAX_FILENAME` long."""
    name = filename.replace("\\", "/").rpartition("/")[2]
    return "".join(character for character in name if character.isprintable())[:MAX_FILENAME]


def accept(parts: Components, campaign_id: str, *, key: str, size: int, filename: str, options: ListOptions) -> None:
    """Make a stored object the campaign's list, queue its parsing, and delete the previous list.

    Args:
        parts: the components.
        campaign_id: the campaign.
        key: the object's key.
        size: the object's size in bytes.
        filename: the name to show.
        options: what the upload says of the list.

    Raises:
        UnknownCampaign, WrongState: nothing has been changed.
    """
    list_version, replaced = parts.catalog.accept_list(
        campaign_id, object_key=key, size=size, filename=filename, **msgspec.structs.asdict(options)
    )
    log.info("list_accepted", campaign_id=campaign_id, list_version=list_version, size=size)
    if replaced and replaced != key:
        discard(parts, campaign_id, replaced)


def discard(parts: Components, campaign_id: str, key: str) -> None:
    """Delete an object that is no longer needed. If that fails, the janitor deletes it later."""
    try:
        parts.store.delete([key])
    except StoreError as error:
        log.warning("objects_left_to_janitor", campaign_id=campaign_id, error=str(error))
