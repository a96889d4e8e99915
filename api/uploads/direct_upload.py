"""Uploads of small lists in one request. A temporary file holds the list on its way, so that memory does not."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
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
from api.uploads import bodies, list_parameters, lists
from api.uploads.dry_run import dry_run
from campaigns.errors import CampaignError
from lists.list_options import ListOptions

#: The largest list that can be uploaded in one request, in bytes.
MAX_LIST_BYTES: Final = 10 * inputs.MIB
#: The bytes that a form may add to the list: boundaries, headers, small fields.
FORM_BYTES: Final = 64 * 1024
#: The bytes of a list that memory holds before the list goes to disk.
MEMORY_BYTES: Final = inputs.MIB

_FORM: Final = "multipart/form-data"
#: The media types that clients use for lists. The parser recognises format and encoding from the bytes alone.
_LISTS: Final = frozenset({
    "", "text/csv", "application/csv", "text/plain", "text/tab-separated-values", "application/octet-stream",
    "application/vnd.ms-excel", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.oasis.opendocument.spreadsheet", "application/gzip", "application/x-gzip", "application/zip",
    "application/x-zip-compressed", "application/x-ndjson", "application/jsonl", "application/x-jsonlines",
    "application/json-lines",
})  # fmt: skip
_FILE: Final = {"type": "string", "format": "binary", "maxLength": MAX_LIST_BYTES}
#: The list, as an OpenAPI request body object.
BODY: Final = {
    "required": True,
    "content": {
        "text/csv": {"schema": _FILE},
        _FORM: {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": _FILE, **list_parameters.SCHEMAS},
            }
        },
    },
}
#: The query of the upload, as JSON schemas.
QUERY: Final[dict[str, Schema]] = {
    **list_parameters.SCHEMAS,
    "filename": {"type": "string"},
    "dry_run": {"type": "boolean", "default": False},
}


class Received(NamedTuple):
    """A list that has arrived: the file at position 0, its size in bytes, its name, and what the upload says of it."""

    file: IO[bytes]
    size: int
    filename: str
    options: ListOptions


async def upload(request: Request) -> Response:
    """Take a list as the body, or as the field `file` of a form, and queue its parsing. `dry_run`: only read it."""
    parts, campaign_id = components.of(request), inputs.campaign_id(request)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != _FORM and media_type not in _LISTS:
        raise invalid(
            "Send the list as text/csv or with the media type of its format, or as the field `file` of a "
            "multipart/form-data form."
        )
    overhead = FORM_BYTES if media_type == _FORM else 0
    inputs.refuse_encoded(request)
    inputs.refuse_longer(request, MAX_LIST_BYTES + overhead, _too_large())
    only_read = inputs.flag(request, "dry_run")
    await run_in_threadpool(parts.catalog.get if only_read else parts.catalog.check_replaceable, campaign_id)
    receive = _form if media_type == _FORM else _body
    async with receive(request, inputs.pieces(request, MAX_LIST_BYTES + overhead, _too_large())) as received:
        _check_size(received)
        if only_read:
            return json_response(await run_in_threadpool(dry_run, parts, campaign_id, received.file, received.options))
        await run_in_threadpool(_take, parts, campaign_id, received)
    return json_response(bodies.UploadResponse(), HTTPStatus.ACCEPTED)


def _check_size(received: Received) -> None:
    if received.size == 0:
        raise invalid("The list is empty; send a header row and at least one row.")
    if received.size > MAX_LIST_BYTES:
        raise _too_large()


def _take(parts: Components, campaign_id: str, received: Received) -> None:
    key = lists.new_key(campaign_id)
    parts.store.put_file(key, received.file)
    try:
        lists.accept(
            parts,
            campaign_id,
            key=key,
            size=received.size,
            filename=lists.shown_name(received.filename),
            options=received.options,
        )
    except CampaignError:  # the campaign was started or deleted while the list arrived
        lists.discard(parts, campaign_id, key)
        raise


@asynccontextmanager
async def _body(request: Request, chunks: AsyncGenerator[bytes, None]) -> AsyncIterator[Received]:
    options = list_parameters.options(request.query_params)
    with SpooledTemporaryFile(MEMORY_BYTES) as file:
        async for chunk in chunks:
            await run_in_threadpool(file.write, chunk)
        size = file.tell()
        file.seek(0)
        yield Received(file, size, request.query_params.get("filename", ""), options)


@asynccontextmanager
async def _form(request: Request, chunks: AsyncGenerator[bytes, None]) -> AsyncIterator[Received]:
    try:
        form = await MultiPartParser(request.headers, chunks, max_files=1, max_fields=8, max_part_size=4096).parse()
    except MultiPartException as error:
        raise invalid(f"The form cannot be read: {error.message}") from error
    try:
        yield _received(form, request.query_params)
    finally:
        await form.close()


def _received(form: FormData, query: Mapping[str, str]) -> Received:
    """The list of a form. A field of the form counts before the query's parameter of that name."""
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise invalid("The form has no file in its field `file`; send the list there.")
    given = dict(query)
    for name in list_parameters.SCHEMAS:
        value = form.get(name, given.get(name, ""))
        if not isinstance(value, str):
            raise invalid(f"{name}: expected a text, not a file.")
        given[name] = value
    return Received(file.file, file.size or 0, file.filename or "", list_parameters.options(given))


def _too_large() -> Problem:
    detail = (
        f"The list is larger than {MAX_LIST_BYTES // inputs.MIB} MiB, the limit for one request: "
        "upload it in parts, starting with POST /campaigns/{id}/upload/init."
    )
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
