"""One endpoint of the API: its route, its handler, and what the API's description says about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.middleware import Middleware
from starlette.routing import Route

from api.http.known_query import KnownQuery

#: A `msgspec` model, a list of one, or a media type for other bodies; None: no body.
ResponseBody = type | str | None
#: A JSON schema.
Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path.

    Attributes:
        method: in upper case. `GET` includes `HEAD`.
        path: with its parameters in braces, as Starlette expects it.
        handler: the function that handles the request.
        summary: one line for the API's description.
        responses: the body of each successful response, by status.
        errors: the statuses of its problems, besides those of every endpoint and those of reading a body.
        body: the model of the JSON request, or an OpenAPI request body object; None: it takes no body.
        query: the JSON schemas of its query parameters, by name; others are refused (422).
        any_query: whether other query parameters are ignored instead, since others may add some to the URL.
    """

    method: str
    path: str
    handler: Callable[..., Any]
    summary: str
    responses: Mapping[int, ResponseBody]
    errors: tuple[int, ...] = ()
    body: type | Schema | None = None
    query: Mapping[str, Schema] = field(default_factory=dict)
    any_query: bool = False

    def route(self) -> Route:
        """The route that leads to the handler."""
        checks = [] if self.any_query else [Middleware(KnownQuery, frozenset(self.query))]
        return Route(self.path, self.handler, methods=[self.method], middleware=checks)
