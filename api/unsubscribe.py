"""Unsubscribe links: `GET /u/{token}` shows a page with one button, and `POST /u/{token}` unsubscribes (RFC 8058).

These routes need no API token, cookie or login: the token in the path is the credential. GET and HEAD change nothing,
because link scanners follow links. POST acts whatever its body is: the path says all, and mailboxes send the body as a
form or as multipart.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import structlog
from redis.exceptions import RedisError
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api import components, suppression_flush, unsubscribe_page
from api.components import Components
from api.event_effects import log_effects
from api.http.client_limit import ClientLimit, client_of
from campaigns.event_kinds import Event, EventKind
from consent.links import Link
from consent.records import Reason
from storage import StoreError

log = structlog.get_logger(__name__)

#: The body of a one-click request, as OpenAPI's request body object.
_ONE_CLICK: Final = {
    "schema": {"type": "object", "properties": {"List-Unsubscribe": {"type": "string", "enum": ["One-Click"]}}}
}
BODY: Final = {
    "required": False,
    "content": {"application/x-www-form-urlencoded": _ONE_CLICK, "multipart/form-data": _ONE_CLICK},
}
HTML: Final = "text/html"

#: How many invalid tokens a client may try: 30 at once, then one every 2 s.
INVALID_PER_S: Final = 0.5
INVALID_BURST: Final = 30
#: How many requests with a valid token: mailboxes send those of all their users from few addresses.
VALID_PER_S: Final = 100.0
VALID_BURST: Final = 2_000

_RETRY_AFTER_S: Final = 60


class Limits:
    """The limits of one application, per client."""

    def __init__(self) -> None:
        self.invalid = ClientLimit(INVALID_PER_S, INVALID_BURST)
        self.valid = ClientLimit(VALID_PER_S, VALID_BURST)


async def page(request: Request) -> Response:
    """The page with the button; changes nothing."""
    accept = _accept(request)
    link = _link(request)
    return link if isinstance(link, Response) else unsubscribe_page.ask(accept)


async def act(request: Request) -> Response:
    """Unsubscribe the recipient of the link; again is fine. The response is sent once the list has the address."""
    accept, parts = _accept(request), components.of(request)
    link = _link(request)
    if isinstance(link, Response):
        return link
    try:
        flush_due = await run_in_threadpool(_suppress, parts, link)
    except (RedisError, StoreError) as error:
        log.error("unsubscribe_failed", error=type(error).__name__)
        return unsubscribe_page.busy(accept, HTTPStatus.SERVICE_UNAVAILABLE, _RETRY_AFTER_S)
    response = unsubscribe_page.done(accept)
    if flush_due:
        response.background = BackgroundTask(suppression_flush.flush, parts.suppressions)
    return response


def _suppress(parts: Components, link: Link) -> bool:
    added = parts.suppressions.add_hash(link.address_hash, Reason.UNSUBSCRIBED)
    log.info("unsubscribed", row=link.row, new=bool(added.added))
    try:
        _count(parts, link)
    except RedisError as error:  # the list has the address, and that is what the recipient has asked for
        log.warning("unsubscription_not_counted", row=link.row, error=type(error).__name__)
    return added.flush_due


def _count(parts: Components, link: Link) -> None:
    """Count the recipient as unsubscribed from the campaign, as an event of the provider does: once per row.

    A link without a campaign (of a preview or a test email, or because the campaign is gone) counts nothing.

    Raises:
        redis.RedisError
    """
    campaign_id = parts.link_marks.campaign_of(link.mark)
    if campaign_id is not None:
        log_effects(parts.events.apply([Event(campaign_id, link.row, EventKind.UNSUBSCRIBED)]))


def _link(request: Request) -> Link | Response:
    """The verified link of a request, or the response of one that has none or comes too often."""
    parts, client, accept = components.of(request), client_of(request), _accept(request)
    limits: Limits = request.app.state.unsubscribe_limits
    link = parts.links.verify(request.path_params["token"]) if parts.links else None
    counted = limits.invalid if link is None else limits.valid
    if counted.exceeded(client):
        return unsubscribe_page.busy(accept, HTTPStatus.TOO_MANY_REQUESTS, _RETRY_AFTER_S)
    counted.count(client)
    return link or unsubscribe_page.unknown(accept)


def _accept(request: Request) -> str:
    return ",".join(request.headers.getlist("accept-language"))
