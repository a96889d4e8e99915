"""Copies a campaign: content, settings and attachments, but neither its list nor what it has sent."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated

import msgspec
import structlog
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import Response

from api import campaigns, components
from api.account_check import attachments_limit
from api.components import Components
from api.http import inputs
from api.http.responses import json_response
from campaigns import keys
from campaigns.attachments import StoredFile
from campaigns.errors import CampaignError, UnknownCampaign, WrongState
from campaigns.models import CAMPAIGN_ID
from storage import StoreError

log = structlog.get_logger(__name__)


class CopyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The id of the new campaign."""

    id: Annotated[str, msgspec.Meta(extra_json_schema={"pattern": f"^{CAMPAIGN_ID.pattern}$"})]


@inputs.takes(CopyRequest)
def copy(request: Request, wanted: CopyRequest) -> Response:
    """Make a new draft with the content, the settings and the attachments of a campaign. Its rate is the one in force.

    The attachments are copied first, inside the object store. If this request dies half-way, the janitor deletes them.
    """
    parts, campaign_id = components.of(request), inputs.campaign_id(request)
    new_id = inputs.checked_campaign_id(wanted.id)
    original = parts.catalog.get(campaign_id)
    _refuse_taken(parts, new_id)
    files = parts.attachments.all(campaign_id)
    copies = [msgspec.structs.replace(file, object_key=keys.new_attachment(new_id)) for file in files]
    try:
        for file, copied in zip(files, copies, strict=True):
            parts.store.copy(file.object_key, copied.object_key)
        content = msgspec.structs.replace(original.content, tpm=original.tpm)
        made, _created = campaigns.save(parts, new_id, content, only_new=True, copy_of=campaign_id)
        _attach(parts, new_id, copies)
    except (CampaignError, StoreError):
        _discard(parts, new_id, copies)
        raise
    log.info("campaign_copied", campaign_id=new_id, original=campaign_id, attachments=len(copies))
    return json_response(campaigns.details(parts, made), HTTPStatus.CREATED, {"Location": f"/campaigns/{new_id}"})


def _refuse_taken(parts: Components, campaign_id: str) -> None:
    """Raise an error if the campaign exists, before anything is copied; the catalog checks it again."""
    try:
        taken = parts.catalog.get(campaign_id)
    except UnknownCampaign:
        return
    raise WrongState(taken.status, f"the campaign {campaign_id} already exists: choose another id")


def _attach(parts: Components, campaign_id: str, files: Sequence[StoredFile]) -> None:
    """Record the files. If they cannot be recorded, there is no new campaign, rather than one without its files."""
    limit = attachments_limit(parts, parts.catalog.get(campaign_id).content.account_name)
    try:
        for file in files:
            parts.attachments.put(campaign_id, file, limit)
    except (CampaignError, RedisError):
        parts.catalog.delete(campaign_id)
        raise


def _discard(parts: Components, campaign_id: str, files: Sequence[StoredFile]) -> None:
    """Delete the copies. If that fails, the janitor deletes them later."""
    try:
        parts.store.delete([file.object_key for file in files])
    except StoreError as error:
        log.warning("objects_left_to_janitor", campaign_id=campaign_id, error=str(error))
