"""Uploads of lists in parts, straight into the object store: init, complete, abort.

The bytes never pass through this process. The store knows which parts have arrived; Redis keeps how the file is cut
into parts. Every step can be repeated, also after a crash between the store and Redis.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import msgspec
import structlog
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import Response

from api import components
from api.components import Components
from api.http import inputs
from api.http.errors import Problem
from api.http.responses import json_response
from api.uploads import bodies, list_parameters, lists, upload_parts
from campaigns.errors import UnknownUpload
from campaigns.models import Upload
from storage import BadParts, MissingUpload

log = structlog.get_logger(__name__)


@inputs.takes(bodies.UploadInitRequest)
def init(request: Request, wanted: bodies.UploadInitRequest) -> Response:
    """Begin an upload; the response has a presigned URL for each part."""
    parts, campaign_id = components.of(request), inputs.campaign_id(request)
    if wanted.size > bodies.MAX_SIZE_BYTES:
        raise _too_large(wanted.size)
    parts.catalog.check_replaceable(campaign_id)
    upload = _begin(parts, campaign_id, wanted)
    addresses = [
        bodies.PartAddress(
            number, parts.store.presign_part(upload.object_key, upload.upload_id, number, wanted.expires_in_s)
        )
        for number in range(1, upload.parts + 1)
    ]
    log.info("upload_begun", campaign_id=campaign_id, size=upload.size, parts=upload.parts)
    plan = bodies.UploadInitResponse(upload.upload_id, upload.part_bytes, addresses, upload.expires_at)
    return json_response(plan, HTTPStatus.CREATED)


def _too_large(size: int) -> Problem:
    detail = (
        f"A list of {size} bytes is too large: the limit is {bodies.MAX_SIZE_BYTES} bytes "
        f"({bodies.MAX_SIZE_BYTES // 1024**3} GiB). Split it into several campaigns."
    )
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)


def _begin(parts: Components, campaign_id: str, wanted: bodies.UploadInitRequest) -> Upload:
    key, each, now = lists.new_key(campaign_id), upload_parts.part_bytes(wanted.size), datetime.now(UTC)
    upload = Upload(
        upload_id=parts.store.create_upload(key),
        object_key=key,
        size=wanted.size,
        filename=lists.shown_name(wanted.filename),
        part_bytes=each,
        parts=upload_parts.part_count(wanted.size, each),
        created_at=now.isoformat(timespec="seconds"),
        expires_at=(now + timedelta(seconds=wanted.expires_in_s)).isoformat(timespec="seconds"),
    )
    try:
        parts.catalog.begin_upload(campaign_id, upload)
    except RedisError:
        parts.store.abort_upload(key, upload.upload_id)
        raise
    return upload


@inputs.takes(bodies.UploadCompleteRequest)
def complete(request: Request, wanted: bodies.UploadCompleteRequest) -> Response:
    """Assemble the parts and queue the parsing of the list. Repeating it gives the same response, with no effect."""
    parts, campaign_id = components.of(request), inputs.campaign_id(request)
    options = list_parameters.checked(wanted.options)
    parts.catalog.get(campaign_id)
    upload = parts.catalog.upload(campaign_id, wanted.upload_id)
    # The campaign is read after the upload: if another request has completed the upload meanwhile, the campaign already
    # has its list, or a later one.
    campaign = parts.catalog.get(campaign_id)
    if campaign.object_key == upload.object_key and campaign.options == options:
        return _accepted()
    parts.catalog.check_replaceable(campaign_id)
    if campaign.object_key != upload.object_key:
        _assemble(parts, upload, wanted)
    lists.accept(
        parts,
        campaign_id,
        key=upload.object_key,
        size=upload.size,
        filename=upload.filename,
        options=options,
    )
    parts.catalog.begin_upload(campaign_id, msgspec.structs.replace(upload, completed=True))
    return _accepted()


def _accepted() -> Response:
    return json_response(bodies.UploadResponse(), HTTPStatus.ACCEPTED)


def _assemble(parts: Components, upload: Upload, wanted: bodies.UploadCompleteRequest) -> None:
    """Assemble the object from the parts, unless an earlier request has done so."""
    if upload.completed:
        raise Problem(HTTPStatus.CONFLICT, "A later list has replaced this one; to use it again, upload it again.")
    try:
        arrived = parts.store.list_parts(upload.object_key, upload.upload_id)
        fitting = upload_parts.checked(upload, arrived, wanted.parts)
        parts.store.complete_upload(upload.object_key, upload.upload_id, fitting)
    except BadParts as error:
        detail = f"{error}: a part was replaced meanwhile; call complete again."
        raise Problem(HTTPStatus.CONFLICT, detail) from error
    except MissingUpload as error:
        # Either an earlier request completed the upload and died before it told Redis, or the upload is gone for good.
        if parts.store.size(upload.object_key) != upload.size:
            raise UnknownUpload from error


@inputs.takes(bodies.UploadAbortRequest)
def abort(request: Request, wanted: bodies.UploadAbortRequest) -> Response:
    """Abort an upload. Repeating it, or aborting an unknown upload, gives the same response."""
    parts, campaign_id = components.of(request), inputs.campaign_id(request)
    parts.catalog.get(campaign_id)
    try:
        upload = parts.catalog.upload(campaign_id, wanted.upload_id)
    except UnknownUpload:
        return json_response(bodies.UploadAbortResponse())
    if upload.completed:
        raise Problem(HTTPStatus.CONFLICT, "This upload is already complete; to replace its list, upload another one.")
    parts.store.abort_upload(upload.object_key, upload.upload_id)
    parts.catalog.end_upload(campaign_id, upload.upload_id)
    log.info("upload_aborted", campaign_id=campaign_id)
    return json_response(bodies.UploadAbortResponse())
