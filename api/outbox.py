"""The local outbox over HTTP: its emails as a mail client shows them. Only while an account writes to it."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import components
from api.http import inputs
from api.http.errors import Problem, invalid
from api.http.responses import json_response
from mail.outbox_files import NAME, Enclosure, OutboxFiles

#: The number of emails per page: the default, and the maximum.
PAGE: Final = 50
MAX_PAGE: Final = 200
#: The longest word to search for, in characters.
MAX_SEARCH: Final = 100
#: The query of a folder, as JSON schemas.
QUERY: Final[dict[str, dict[str, Any]]] = {
    "offset": {"type": "integer", "minimum": 0, "default": 0},
    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": PAGE},
    "search": {"type": "string", "maxLength": MAX_SEARCH},
}

_PROVIDER: Final = "outbox"


class OutboxFolder(msgspec.Struct, frozen=True):
    """The emails of one campaign. `tests`: test emails among them are counted apart."""

    id: str
    emails: int
    tests: int
    last_at: str


class OutboxFolders(msgspec.Struct, frozen=True):
    """All folders, the one with the newest email first."""

    folders: list[OutboxFolder]


class OutboxHeading(msgspec.Struct, frozen=True):
    """An email in a list. `row`: of the campaign's list; 0: a test email. `size`: in bytes."""

    name: str
    row: int
    to: str
    subject: str
    size: int
    at: str


class OutboxPage(msgspec.Struct, frozen=True):
    """A page of a folder: test emails first, then rows from the highest down.

    `total`: the emails of the folder; with `search`, those found so far. `complete`: false if a search has looked at a
    part of the folder only. `next`: the path of the next page, or null.
    """

    emails: list[OutboxHeading]
    total: int
    complete: bool
    next: str | None


class OutboxHeader(msgspec.Struct, frozen=True):
    """A header of an email."""

    name: str
    value: str


class OutboxEmail(msgspec.Struct, frozen=True):
    """One email. `headers`: in their order. `source`: at most its first 256 KiB, as text."""

    name: str
    headers: list[OutboxHeader]
    html: str | None
    text: str | None
    attachments: list[Enclosure]
    source: str
    size: int


def folders(request: Request) -> Response:
    """The campaigns with emails in the outbox."""
    found = _files(request).folders()
    return json_response(
        OutboxFolders([OutboxFolder(one.id, one.emails, one.tests, _time(one.last_at)) for one in found])
    )


def page(request: Request) -> Response:
    """A page of a campaign's emails."""
    campaign_id = inputs.campaign_id(request)
    offset = inputs.number(request, "offset", 0, 0, 10**9)
    limit = inputs.number(request, "limit", PAGE, 1, MAX_PAGE)
    word = request.query_params.get("search", "")
    if len(word) > MAX_SEARCH:
        raise invalid(f"search: at most {MAX_SEARCH} characters are possible.")
    found = _files(request).emails(campaign_id, offset, limit, word)
    end = offset + limit
    question = {"offset": end, "limit": limit} | ({"search": word} if word else {})
    more = f"/outbox/{campaign_id}?{urlencode(question)}" if end < found.total else None
    emails = [OutboxHeading(e.name, e.row, e.to, e.subject, e.size, _time(e.at)) for e in found.emails]
    return json_response(OutboxPage(emails, found.total, found.is_complete, more))


def email(request: Request) -> Response:
    """One email."""
    campaign_id, name = inputs.campaign_id(request), str(request.path_params["name"])
    files = _files(request)
    found = files.email(campaign_id, name) if NAME.fullmatch(name) else None
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"The outbox has no email {name[:50]!r} of {campaign_id}.")
    headers = [OutboxHeader(header, value) for header, value in found.headers]
    return json_response(
        OutboxEmail(name, headers, found.html, found.text, found.attachments, found.source, found.size)
    )


def _files(request: Request) -> OutboxFiles:
    settings = components.of(request).settings
    if all(account.provider != _PROVIDER for account in settings.accounts.values()):
        detail = "No account of this server writes to the local outbox; its emails are really sent."
        raise Problem(HTTPStatus.NOT_FOUND, detail)
    return OutboxFiles(settings.outbox_dir)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
