"""Refuses query parameters that an endpoint does not know, so that a misspelt one is not ignored silently."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.errors import invalid


class KnownQuery:
    """A middleware of one route.

    Args:
        app: the route's application.
        known: the names of the parameters that the endpoint knows.
    """

    def __init__(self, app: ASGIApp, known: Collection[str]) -> None:
        self._app = app
        self._known = known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on.

        Raises:
            Problem: 422: the query has an unknown parameter.
        """
        unknown = [name for name in QueryParams(scope["query_string"]) if name not in self._known]
        if unknown:
            named = ", ".join(repr(name[:50]) for name in unknown[:10])
            allowed = f"use {', '.join(sorted(self._known))}" if self._known else "this endpoint has none"
            close = get_close_matches(unknown[0], self._known, n=1)
            advice = f"did you mean {close[0]}?" if close else f"{allowed}."
            raise invalid(f"The query has unknown parameters: {named}; {advice}")
        await self._app(scope, receive, send)
