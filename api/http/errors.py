"""What goes wrong, as HTTP: every error is `application/problem+json` (RFC 9457) with a detail that says what to do.

`api.exception_handlers` turns the exceptions of `campaigns`, `storage` and Redis into such answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match

from api.http.headers import SECURITY_HEADERS

MEDIA_TYPE: Final = "application/problem+json"
#: When to come back after a 503, in seconds.
RETRY_AFTER_S: Final = 5

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


#: For exceptions that have nothing to do with campaigns; `api.exception_handlers` adds the others.
HANDLERS: Final[dict[Any, Any]] = {
    Problem: on_problem,
    HTTPException: on_http_error,
    ClientDisconnect: on_disconnect,
    Exception: on_unexpected,
}
