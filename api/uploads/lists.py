"""An object in the store becomes a campaign's list: the last step of every way in, and the rules they share."""

from __future__ import annotations

from uuid import uuid4

import structlog

from api.components import Components
from campaigns.models import Campaign
from storage import StoreError

log = structlog.get_logger(__name__)


def new_key(campaign_id: str) -> str:
    """A key for a list that nothing had before, so that a list is never changed under a reader."""
    return f"campaigns/{campaign_id}/{uuid4().hex}/list.csv"


def owns(campaign: Campaign, key: str) -> bool:
    """Whether an object is the campaign's list or one of the reports of it."""
    return key == campaign.object_key or (
        campaign.generation != "" and key.startswith(f"campaigns/{campaign.id}/{campaign.generation}/")
    )


def shown_name(filename: str) -> str:
    """A file's name fit to be stored and shown: without folders and control characters."""
    name = filename.replace("\\", "/").rpartition("/")[2]
    return "".join(character for character in name if character.isprintable())[:255]


def accept(parts: Components, campaign_id: str, *, key: str, size: int, filename: str, email_column: str) -> None:
    """Make a stored object the campaign's list and have it parsed; the list before is removed.

    Raises:
        UnknownCampaign, WrongState: nothing has been changed.
    """
    generation, replaced = parts.catalog.accept_list(
        campaign_id, object_key=key, size=size, filename=filename, email_column=email_column
    )
    log.info("list_accepted", campaign_id=campaign_id, generation=generation, size=size)
    if replaced and replaced != key:
        discard(parts, campaign_id, replaced)


def discard(parts: Components, campaign_id: str, key: str) -> None:
    """Remove an object that nobody needs. What cannot be removed now is left to the janitor."""
    try:
        parts.store.delete([key])
    except StoreError as error:
        log.warning("objects_left_to_janitor", campaign_id=campaign_id, error=str(error))
