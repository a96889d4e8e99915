"""The files that a campaign's emails carry: put, listed, removed."""

from __future__ import annotations

from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from typing import IO, Final

import msgspec
import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api import components
from api.account_check import attachments_limit
from api.components import Components
from api.http import inputs
from api.http.endpoint import Schema
from api.http.errors import Problem, invalid
from api.http.responses import json_response
from campaigns import keys
from campaigns.attachments import StoredFile
from campaigns.errors import CampaignError, WrongState
from campaigns.models import CHANGEABLE, Campaign
from mail import attachment
from storage import StoreError

log = structlog.get_logger(__name__)

#: The bytes of a file that memory holds before the file goes to disk.
MEMORY_BYTES: Final = inputs.MIB
#: The file, as an OpenAPI request body object.
_FILE: Final[Schema] = {"type": "string", "format": "binary", "maxLength": attachment.MAX_BYTES}
BODY: Final[Schema] = {
    "required": True,
    "content": {kind: {"schema": _FILE} for kind in ("application/octet-stream", "*/*")},
}


class AttachmentResponse(msgspec.Struct, frozen=True):
    """A file. `size`: in bytes. `inline`: the HTML refers to it as `cid:` and its name, and shows it."""

    filename: str
    size: int
    content_type: str
    inline: bool


class AttachmentsResponse(msgspec.Struct, frozen=True):
    """All files of a campaign, their bytes together, and the most that these may be."""

    attachments: list[AttachmentResponse]
    total_bytes: int
    limit_bytes: int


async def put(request: Request) -> Response:
    """Attach a file, or replace the one with this name."""
    parts, campaign_id, filename = components.of(request), inputs.campaign_id(request), _filename(request)
    content_type = attachment.checked_type(request.headers.get("content-type", ""), filename)
    if content_type is None:
        raise invalid("Content-Type: expected the file's media type, such as application/pdf or image/png.")
    inputs.refuse_encoded(request)
    campaign = await run_in_threadpool(_changeable, parts, campaign_id)
    limit = attachments_limit(parts, campaign.content.account_name)
    refusal = Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The file is larger than {limit:,} bytes, the limit for all attachments together: link to it instead.",
    )
    inputs.refuse_longer(request, limit, refusal)
    with SpooledTemporaryFile(MEMORY_BYTES) as file:
        async for chunk in inputs.pieces(request, limit, refusal):
            await run_in_threadpool(file.write, chunk)
        stored = StoredFile(filename, file.tell(), content_type, keys.new_attachment(campaign_id))
        file.seek(0)
        is_new = await run_in_threadpool(_take, parts, campaign_id, stored, file, limit)
    status = HTTPStatus.CREATED if is_new else HTTPStatus.OK
    return json_response(_shown(stored, campaign), status)


def _filename(request: Request) -> str:
    filename = str(request.path_params["filename"])
    problem = attachment.name_problem(filename)
    if problem is not None:
        raise invalid(problem)
    return filename


def _changeable(parts: Components, campaign_id: str) -> Campaign:
    """The campaign; checked before the file is read, and again when it is recorded."""
    campaign = parts.catalog.get(campaign_id)
    if campaign.status not in CHANGEABLE:
        raise WrongState(campaign.status, "attachments cannot be changed once the campaign has been started")
    return campaign


def _take(parts: Components, campaign_id: str, stored: StoredFile, file: IO[bytes], limit: int) -> bool:
    """Store and record the file. Returns whether its name is new."""
    if stored.size == 0:
        raise invalid("The file is empty: send its bytes as the body.")
    parts.store.put_file(stored.object_key, file)
    try:
        replaced = parts.attachments.put(campaign_id, stored, limit)
    except CampaignError:
        _discard(parts, campaign_id, stored.object_key)
        raise
    log.info("attachment_put", campaign_id=campaign_id, size=stored.size)
    if replaced is not None:
        _discard(parts, campaign_id, replaced.object_key)
    return replaced is None


def remove(request: Request) -> Response:
    """Remove a file."""
    parts, campaign_id = components.of(request), inputs.campaign_id(request)
    removed = parts.attachments.remove(campaign_id, str(request.path_params["filename"]))
    _discard(parts, campaign_id, removed.object_key)
    log.info("attachment_removed", campaign_id=campaign_id)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def listed(request: Request) -> Response:
    """All files of a campaign."""
    parts, campaign_id = components.of(request), inputs.campaign_id(request)
    campaign = parts.catalog.get(campaign_id)
    files = parts.attachments.all(campaign_id)
    limit = attachments_limit(parts, campaign.content.account_name)
    total = sum(file.size for file in files)
    return json_response(AttachmentsResponse([_shown(file, campaign) for file in files], total, limit))


def _shown(file: StoredFile, campaign: Campaign) -> AttachmentResponse:
    inline = attachment.is_inline(file.filename, campaign.sent_content.html)
    return AttachmentResponse(file.filename, file.size, file.content_type, inline)


def _discard(parts: Components, campaign_id: str, key: str) -> None:
    """Delete an object that is no longer needed. If that fails, the janitor deletes it later."""
    try:
        parts.store.delete([key])
    except StoreError as error:
        log.warning("objects_left_to_janitor", campaign_id=campaign_id, error=str(error))
