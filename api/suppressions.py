"""The suppression list: ask for one address, add, remove, download and upload.

No log line of these handlers shows an address.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated, Final

import msgspec
import structlog
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api import components, suppression_flush
from api.components import Components
from api.http import inputs
from api.http.errors import Problem, invalid
from api.http.mistakes import MAX_MISTAKES, Mistake
from api.http.problem_types import ProblemType
from api.http.responses import json_response
from campaigns import actor
from consent import importing
from consent.records import MAX_NOTE_CHARS, Reason, Record
from lists import addresses
from lists.cells import guarded

log = structlog.get_logger(__name__)

#: The most addresses of one JSON request.
MAX_EMAILS: Final = 10_000
#: The largest CSV, in bytes: about 30 million addresses.
MAX_CSV_BYTES: Final = 1024 * inputs.MIB
#: The bytes of a CSV that memory holds before it goes to disk.
MEMORY_BYTES: Final = inputs.MIB
#: Rows per chunk of a download.
CHUNK_ROWS: Final = 1_000

_CSV: Final = "text/csv; charset=utf-8"
_EMAIL: Final = {"type": "string", "maxLength": 1_000}
QUERY: Final = {"email": _EMAIL}
NOTE_QUERY: Final = {"reason": {"type": "string", "maxLength": MAX_NOTE_CHARS}}
UPLOAD_QUERY: Final = {"reason": {"type": "string", "enum": [*Reason], "default": Reason.MANUAL.value}}
_FILE: Final = {"type": "string", "format": "binary"}
UPLOAD_BODY: Final = {
    "required": True,
    "content": {kind: {"schema": _FILE} for kind in ("text/csv", "application/octet-stream")},
}

HEADER: Final = ("email", "reason", "at")


class Suppression(msgspec.Struct, frozen=True):
    """One thing that happened to an address: a reason, `removed`, `resubscribed` or `erased`; `at` in RFC 3339."""

    what: str
    at: str
    note: str


class SuppressionResponse(msgspec.Struct, frozen=True):
    """An address, whether it gets no marketing email, whether it gets no email at all, and why."""

    email: str
    suppressed: bool
    all_email: bool
    entries: list[Suppression]


class SuppressRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Addresses to add."""

    emails: Annotated[list[Annotated[str, msgspec.Meta(max_length=1_000)]], msgspec.Meta(max_length=MAX_EMAILS)]
    reason: Reason = Reason.MANUAL


class SuppressResponse(msgspec.Struct, frozen=True):
    """How many addresses were new on the list, and how many were on it already."""

    added: int
    already: int


class RemovalResponse(msgspec.Struct, frozen=True):
    """Whether the address was on the list."""

    removed: bool


class SuppressionUploadResponse(msgspec.Struct, frozen=True):
    """How many addresses were new, how many were on the list, and how many rows had no valid address."""

    added: int
    already: int
    invalid: int


def get(request: Request) -> Response:
    """What the list knows of one address."""
    email = request.query_params.get("email", "")
    if not email:
        raise invalid("email is missing: ask with ?email=ann@example.com; GET /suppressions.csv downloads the list.")
    return json_response(of_address(components.of(request), _folded(email)))


def of_address(parts: Components, folded: str) -> SuppressionResponse:
    """What the list knows of an address in its folded form."""
    found = parts.suppressions
    return SuppressionResponse(
        folded,
        found.contains(folded),
        found.contains(folded, marketing=False),
        [Suppression(record.what, _time(record), record.note) for record in found.find(folded)],
    )


@inputs.takes(SuppressRequest)
def add(request: Request, body: SuppressRequest) -> Response:
    """Add addresses, all of them or, if one is invalid, none."""
    parts = components.of(request)
    folded = addresses.folded(body.emails)
    wrong = [
        Mistake("wrong_value", f"{body.emails[place][:100]!r} is no email address.", f"emails[{place}]")
        for place, one in enumerate(folded)
        if one is None
    ]
    if wrong:
        detail = f"{wrong[0].field}: {wrong[0].message.removesuffix('.')}; nothing was added."
        raise invalid(detail, kind=ProblemType.INVALID_BODY, errors=wrong[:MAX_MISTAKES])
    added = parts.suppressions.add([one for one in folded if one], body.reason)
    log.info("suppressions_added", added=added.added, already=added.already, reason=body.reason)
    response = json_response(SuppressResponse(added.added, added.already))
    if added.flush_due:
        response.background = BackgroundTask(suppression_flush.flush, parts.suppressions)
    return response


def remove(request: Request) -> Response:
    """Remove one address, whatever its reasons. Again is fine."""
    note = request.query_params.get("reason", "")
    if len(note) > MAX_NOTE_CHARS:
        raise invalid(f"reason has {len(note)} characters; use at most {MAX_NOTE_CHARS}.")
    removed = components.of(request).suppressions.remove(_folded(request.path_params["email"]), note, actor.current())
    log.info("suppression_removed", removed=removed)
    return json_response(RemovalResponse(removed))


def export(request: Request) -> Response:
    """The whole list as CSV, streamed. An address that is known by its hash alone is an empty cell."""
    parts = components.of(request)
    headers = {"Content-Disposition": 'attachment; filename="suppressions.csv"'}
    if request.method == "HEAD":
        return Response(None, HTTPStatus.OK, headers, media_type=_CSV)
    parts.store.ping()  # an unavailable store is a 503 now; later it would be a broken download
    return StreamingResponse(_chunks(parts.suppressions.stream()), headers=headers, media_type=_CSV)


def _chunks(found: Iterator[Record]) -> Iterator[bytes]:
    yield f"{','.join(HEADER)}\r\n".encode()
    while rows := list(islice(found, CHUNK_ROWS)):
        text = io.StringIO(newline="")
        writer = csv.writer(text, quoting=csv.QUOTE_ALL)
        writer.writerows((guarded(record.address), record.what, _time(record)) for record in rows)
        yield text.getvalue().encode()


async def upload(request: Request) -> Response:
    """Add the addresses of a CSV. A file holds the CSV on its way, and memory a block of rows."""
    try:
        reason = Reason(request.query_params.get("reason", Reason.MANUAL))
    except ValueError:
        raise invalid(f"reason is unknown; use {', '.join(Reason)}.") from None
    with SpooledTemporaryFile(MEMORY_BYTES) as file:
        async for chunk in inputs.pieces(request, MAX_CSV_BYTES, inputs.too_large(MAX_CSV_BYTES)):
            await run_in_threadpool(file.write, chunk)
        file.seek(0)
        return await run_in_threadpool(_take, components.of(request), file, reason)


def _take(parts: Components, file: IO[bytes], reason: Reason) -> Response:
    added = already = bad = 0
    try:
        with closing(importing.blocks(file, reason)) as blocks:
            for block in blocks:
                bad += block.invalid
                for why, folded in block.folded.items():
                    counts = parts.suppressions.add(folded, why)
                    added, already = added + counts.added, already + counts.already
                    if counts.flush_due:
                        suppression_flush.flush(parts.suppressions)
    except importing.WrongList as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{error} {added} addresses were added before.") from None
    log.info("suppressions_uploaded", added=added, already=already, invalid=bad)
    return json_response(SuppressionUploadResponse(added, already, bad))


def _folded(email: str) -> str:
    [folded] = addresses.folded([email])
    if folded is None:
        raise invalid(f"{email[:100]!r} is no email address; expected one like ann@example.com.")
    return folded


def _time(record: Record) -> str:
    return datetime.fromtimestamp(record.at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
