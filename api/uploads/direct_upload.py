"""Uploads of small lists in one request. A temporary file holds the list on its way, so that memory does not."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from typing import IO, Final, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response

from api import components
from api.components import Components
from api.http import inputs
from api.http.endpoint import Schema
from api.http.errors import Problem, invalid
from api.http.responses import json_response
from api.uploads import bodies, lists
from campaigns.errors import CampaignError
from campaigns.models import EMAIL_COLUMN

#: The largest list that can be uploaded in one request, in bytes.
MAX_LIST_BYTES: Final = 10 * inputs.MIB
#: The bytes that a form may add to the list: boundaries, headers, small fields.
FORM_BYTES: Final = 64 * 1024
#: The bytes of a list that memory holds before the list goes to disk.
MEMORY_BYTES: Final = inputs.MIB

_FORM: Final = "multipart/form-data"
#: The media types that clients use for a CSV. The parser detects the encoding from the bytes and ignores the charset.
_CSV: Final = frozenset({
    "", "text/csv", "application/csv", "text/plain", "text/tab-separated-values", "application/octet-stream",
    "application/vnd.ms-excel",
})  # fmt: skip
_FILE: Final = {"type": "string", "format": "binary", "maxLength": MAX_LIST_BYTES}
_COLUMN: Final = {"type": "string", "minLength": 1, "maxLength": bodies.MAX_COLUMN_NAME, "default": EMAIL_COLUMN}
#: The list, as an OpenAPI request body object.
BODY: Final = {
    "required": True,
    "content": {
        "text/csv": {"schema": _FILE},
        _FORM: {
            "schema": {"type": "object", "required": ["file"], "properties": {"file": _FILE, "email_column": _COLUMN}}
        },
    },
}
#: The query of the upload, as JSON schemas.
QUERY: Final[dict[str, Schema]] = {"email_column": _COLUMN, "filename": {"type": "string"}}


class Received(NamedTuple):
    """A list that has arrived: the file at position 0, its size in bytes, its name and the column of the addresses."""

    file: IO[bytes]
    size: int
    filename: str
    email_column: str


async def upload(request: Request) -> Response:
    """Take a CSV as the body, or as the field `file` of a form, and queue its parsing."""
    parts, campaign_id = components.of(request), inputs.campaign_id(request)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != _FORM and media_type not in _CSV:
        raise invalid("Send the CSV as text/csv, or as the field `file` of a multipart/form-data form.")
    overhead = FORM_BYTES if media_type == _FORM else 0
    inputs.refuse_encoded(request)
    inputs.refuse_longer(request, MAX_LIST_BYTES + overhead, _too_large())
    await run_in_threadpool(parts.catalog.check_replaceable, campaign_id)
    receive = _form if media_type == _FORM else _body
    async with receive(request, inputs.pieces(request, MAX_LIST_BYTES + overhead, _too_large())) as received:
        await run_in_threadpool(_take, parts, campaign_id, received)
    return json_response(bodies.UploadResponse(), HTTPStatus.ACCEPTED)


def _take(parts: Components, campaign_id: str, received: Received) -> None:
    if received.size == 0:
        raise invalid("The CSV is empty; send a header row and at least one row.")
    if received.size > MAX_LIST_BYTES:
        raise _too_large()
    if not 1 <= len(received.email_column) <= bodies.MAX_COLUMN_NAME:
        raise invalid(f"email_column: expected a column name of 1 to {bodies.MAX_COLUMN_NAME} characters.")
    key = lists.new_key(campaign_id)
    parts.store.put_file(key, received.file)
    try:
        lists.accept(
            parts,
            campaign_id,
            key=key,
            size=received.size,
            filename=lists.shown_name(received.filename),
            email_column=received.email_column,
        )
    except CampaignError:  # the campaign was started or deleted while the list arrived
        lists.discard(parts, campaign_id, key)
        raise


@asynccontextmanager
async def _body(request: Request, chunks: AsyncGenerator[bytes, None]) -> AsyncIterator[Received]:
    with SpooledTemporaryFile(MEMORY_BYTES) as file:
        async for chunk in chunks:
            await run_in_threadpool(file.write, chunk)
        size = file.tell()
        file.seek(0)
        query = request.query_params
        yield Received(file, size, query.get("filename", ""), query.get("email_column", EMAIL_COLUMN))


@asynccontextmanager
async def _form(request: Request, chunks: AsyncGenerator[bytes, None]) -> AsyncIterator[Received]:
    try:
        form = await MultiPartParser(request.headers, chunks, max_files=1, max_fields=8, max_part_size=4096).parse()
    except MultiPartException as error:
        raise invalid(f"The form cannot be read: {error.message}") from error
    try:
        yield _received(form, request.query_params.get("email_column", EMAIL_COLUMN))
    finally:
        await form.close()


def _received(form: FormData, email_column: str) -> Received:
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise invalid("The form has no file in its field `file`; send the CSV there.")
    column = form.get("email_column", email_column)
    return Received(file.file, file.size or 0, file.filename or "", column if isinstance(column, str) else "")


def _too_large() -> Problem:
    detail = (
        f"The list is larger than {MAX_LIST_BYTES // inputs.MIB} MiB, the limit for one request: "
        "upload it in parts, starting with POST /campaigns/{id}/upload/init."
    )
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
