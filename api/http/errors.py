"""Errors as HTTP: each is `application/problem+json` (RFC 9457) with a detail that says what is wrong and what to do.

`api.exception_handlers` turns the exceptions of `campaigns`, `storage` and Redis into such responses.
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
from api.http.problem_types import ProblemType, uri

MEDIA_TYPE: Final = "application/problem+json"
#: The headers of a 503; Retry-After is in seconds.
TRY_AGAIN: Final = {"Retry-After": "5"}

_HTTP_DETAIL: Final = {
    404: "This path does not exist; GET /openapi.json describes every endpoint.",
    405: "This path does not support this method; the Allow header names the methods that it supports.",
}


class Problem(Exception):
    """An error that arises in the API itself.

    Args:
        status: the HTTP status.
        detail: a sentence that says what is wrong and what to do.
        headers: further headers of the response.
        kind: its type, if it is another one than the status has.
        members: further members of the problem object (RFC 9457, 3.2).
    """

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        headers: Mapping[str, str] | None = None,
        *,
        kind: ProblemType | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers
        self.kind = kind
        self.members = members


def invalid(detail: str, **members: Any) -> Problem:
    """The problem (422) for an invalid body, parameter or header."""
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, **members)


def answer(
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    *,
    kind: ProblemType | None = None,
    **members: Any,
) -> Response:
    """A response with a problem object. Its title is the status's phrase."""
    title = HTTPStatus(status).phrase
    body = {"type": uri(status, kind), "title": title, "status": int(status), "detail": detail}
    # The response to an unexpected error does not pass the middleware that sets the security headers.
    every_header = {**SECURITY_HEADERS, **(headers or {})}
    return Response(msgspec.json.encode(body | members), status, every_header, media_type=MEDIA_TYPE)


async def on_problem(_request: Request, error: Problem) -> Response:
    """The response for a `Problem`."""
    return answer(error.status, error.detail, error.headers, kind=error.kind, **error.members)


async def on_http_error(request: Request, error: HTTPException) -> Response:
    """The response for what the router refused: an unknown path, or a method that the path does not support."""
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = _allowed(request)
    return answer(error.status_code, _HTTP_DETAIL.get(error.status_code, str(error.detail)), headers)


def _allowed(request: Request) -> str:
    """The methods of all routes of this path; Starlette's router names only those of the first one."""
    routes = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    return ", ".join(sorted({method for route in routes for method in getattr(route, "methods", None) or ()}))


async def on_disconnect(_request: Request, _error: Exception) -> Response:
    """The client disconnected before its body was read. Nothing has been changed, and this response goes nowhere."""
    return Response(status_code=HTTPStatus.BAD_REQUEST)


async def on_unexpected(_request: Request, _error: Exception) -> Response:
    """The response for a bug of ours. It shows no internals; the server logs them."""
    return answer(HTTPStatus.INTERNAL_SERVER_ERROR, "The server has an internal error; its log has the details.")


#: The handlers of exceptions that have nothing to do with campaigns; `api.exception_handlers` adds the others.
HANDLERS: Final[dict[Any, Any]] = {
    Problem: on_problem,
    HTTPException: on_http_error,
    ClientDisconnect: on_disconnect,
    Exception: on_unexpected,
}
