"""What goes wrong, as HTTP: every error is `application/problem+json` (RFC 9457) with a detail that says what to do.

Handlers raise the exceptions of `campaigns`, `storage` and Redis as they come, or `Problem`; nothing else turns an
exception into an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match

from api import components
from api.headers import SECURITY_HEADERS
from campaigns import errors as campaign_errors, refusals
from campaigns.server import WrongRedis
from storage import StoreError, StoreUnavailable

log = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
#: When to come back after a 503, in seconds.
RETRY_AFTER_S: Final = 5

_CAMPAIGN_STATUS: Final[dict[type[campaign_errors.CampaignError], HTTPStatus]] = {
    campaign_errors.UnknownCampaign: HTTPStatus.NOT_FOUND,
    campaign_errors.UnknownUpload: HTTPStatus.NOT_FOUND,
    campaign_errors.InvalidCampaign: HTTPStatus.UNPROCESSABLE_ENTITY,
    campaign_errors.WrongState: HTTPStatus.CONFLICT,
    campaign_errors.IncompleteUpload: HTTPStatus.CONFLICT,
}

_HTTP_DETAIL: Final = {
    404: "There is nothing at this address; GET /openapi.json describes every endpoint.",
    405: "This address does not take this method; the Allow header names those that it takes.",
}


class Problem(Exception):
    """An error that only the web side knows.

    Args:
        status: the HTTP status.
        detail: a sentence that says what to do.
        headers: more headers of the answer.
        members: more members of the problem object (RFC 9457, 3.2).
    """

    def __init__(
        self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers
        self.members = members


def invalid(detail: str) -> Problem:
    """A body, parameter or header that cannot be used: 422."""
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)


def answer(status: int, detail: str, headers: Mapping[str, str] | None = None, **members: Any) -> Response:
    """A problem object. Its type is about:blank, so its title is the status's own."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": int(status), "detail": detail}
    # An unexpected error is answered outside of the middleware that sets the security headers.
    every_header = {**SECURITY_HEADERS, **(headers or {})}
    return Response(msgspec.json.encode(body | members), status, every_header, media_type=MEDIA_TYPE)


async def on_problem(_request: Request, error: Problem) -> Response:
    """Answer a `Problem`."""
    return answer(error.status, error.detail, error.headers, **error.members)


async def on_campaign_error(_request: Request, error: campaign_errors.CampaignError) -> Response:
    """Answer what the campaign refused; a wrong state is named in a member of its own."""
    members: dict[str, Any] = {}
    if isinstance(error, campaign_errors.WrongState):
        members["campaign_status"] = error.status
    status = next((_CAMPAIGN_STATUS[kind] for kind in type(error).__mro__ if kind in _CAMPAIGN_STATUS), None)
    return answer(status or HTTPStatus.CONFLICT, error.detail, **members)


async def on_redis_error(request: Request, error: Exception) -> Response:
    """Answer that Redis is away, or refuses, and with which words. What a client of it said goes to the log only."""
    if isinstance(error, WrongRedis):
        log.error("redis_refused", reason=str(error))
        return _unavailable(f"{error}.")
    if words := refusals.words(error):
        log.error("redis_refused", reason=words)
        components.of(request).writing.forget()
        return _unavailable(f"Redis refuses this ({words}); try again once that is mended.")
    log.error("redis_failed", error=type(error).__name__)
    return _unavailable("Redis cannot be asked right now; try again in a few seconds.")


async def on_store_error(_request: Request, error: Exception) -> Response:
    """Answer that the object store is away, or does not let us in. What it said goes to the log only."""
    log.error("store_failed", error=str(error), kind=type(error).__name__)
    if isinstance(error, StoreUnavailable):
        return _unavailable("The object store cannot be reached right now; try again in a few seconds.")
    return _unavailable("The object store refused the request; the server's log says why.")


def _unavailable(detail: str) -> Response:
    return answer(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": str(RETRY_AFTER_S)})


async def on_http_error(request: Request, error: HTTPException) -> Response:
    """Answer what the router refused: no such address, or not this method."""
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = _allowed(request)
    return answer(error.status_code, _HTTP_DETAIL.get(error.status_code, str(error.detail)), headers)


def _allowed(request: Request) -> str:
    """The methods of all routes of this address; the router itself names those of the first one only."""
    routes = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    return ", ".join(sorted({method for route in routes for method in getattr(route, "methods", None) or ()}))


async def on_disconnect(_request: Request, _error: Exception) -> Response:
    """The client went away before its body was read: nobody reads this answer, and nothing has been done."""
    return Response(status_code=HTTPStatus.BAD_REQUEST)


async def on_unexpected(_request: Request, _error: Exception) -> Response:
    """Answer a mistake of ours without its insides, which the server logs."""
    return answer(HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong on our side; the server's log says what.")


#: Starlette asks it by exception class, the nearest base first.
HANDLERS: Final[dict[Any, Any]] = {
    Problem: on_problem,
    campaign_errors.CampaignError: on_campaign_error,
    RedisError: on_redis_error,
    StoreError: on_store_error,
    HTTPException: on_http_error,
    ClientDisconnect: on_disconnect,
    Exception: on_unexpected,
}
