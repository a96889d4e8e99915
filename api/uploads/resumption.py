"""Resumes an upload in parts: which parts have arrived, and fresh presigned URLs for the missing ones. Changes nothing.

An upload can be resumed for `RESUMABLE` after its beginning, however short-lived its first URLs were.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api import components
from api.components import Components
from api.http import inputs
from api.http.responses import json_response
from api.uploads import bodies, upload_parts
from campaigns.errors import UnknownUpload
from campaigns.models import Upload
from storage import MissingUpload

#: How long after its beginning an upload can be resumed. S3 allows no presigned URL that is valid for longer.
RESUMABLE: Final = timedelta(seconds=bodies.MAX_EXPIRES_S)

#: For uploads of an earlier version, which did not store when their URLs expire.
_DEFAULT: Final = timedelta(seconds=bodies.EXPIRES_S)


def resumable_until(upload: Upload) -> datetime:
    """When the last presigned URL of an upload expires."""
    return datetime.fromisoformat(upload.created_at) + RESUMABLE


def get(request: Request) -> Response:
    """The parts of an upload; those that have not arrived have a fresh presigned URL."""
    parts, campaign_id = components.of(request), inputs.campaign_id(request)
    parts.catalog.get(campaign_id)
    upload = parts.catalog.upload(campaign_id, str(request.path_params["upload_id"]))
    now = datetime.now(UTC)
    valid_s = _valid_s(upload, now)
    if valid_s < 1:
        raise UnknownUpload
    expires_at = (now + timedelta(seconds=valid_s)).isoformat(timespec="seconds")
    return json_response(bodies.UploadStateResponse(upload.part_bytes, expires_at, _states(parts, upload, valid_s)))


def _valid_s(upload: Upload, now: datetime) -> int:
    """How long fresh URLs are valid, in seconds: as long as the first ones, but not beyond `resumable_until`."""
    begun = datetime.fromisoformat(upload.created_at)
    first = datetime.fromisoformat(upload.expires_at) - begun if upload.expires_at else _DEFAULT
    return int(min(first, begun + RESUMABLE - now).total_seconds())


def _states(parts: Components, upload: Upload, valid_s: int) -> list[bodies.PartState]:
    sizes = _sizes(parts, upload)
    return [
        bodies.PartState(number, received=True, size=sizes[number])
        if sizes.get(number) == upload_parts.expected_bytes(upload, number)
        else bodies.PartState(
            number,
            received=False,
            url=parts.store.presign_part(upload.object_key, upload.upload_id, number, valid_s),
        )
        for number in range(1, upload.parts + 1)
    ]


def _sizes(parts: Components, upload: Upload) -> dict[int, int]:
    """The sizes of the parts that have arrived, by number; all parts of a completed upload."""
    every = {number: upload_parts.expected_bytes(upload, number) for number in range(1, upload.parts + 1)}
    if upload.completed:
        return every
    try:
        return {part.number: part.size for part in parts.store.list_parts(upload.object_key, upload.upload_id)}
    except MissingUpload as error:
        # Either a request has completed the upload and died before it told Redis, or the upload is gone for good.
        if parts.store.size(upload.object_key) != upload.size:
            raise UnknownUpload from error
        return every
