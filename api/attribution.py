"""Attributes each request's changes to its client, for the history."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from campaigns import actor


def client_name(api_token: str | None) -> str:
    """The name of the clients that are let in: there is one token, or none."""
    return actor.KEY_HOLDER if api_token else actor.ANONYMOUS


class Attribution:
    """Names the client in the context of each request, which the handler's thread shares.

    Args:
        app: the application.
        client: the name of its clients.
    """

    def __init__(self, app: ASGIApp, client: str) -> None:
        self._app = app
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Name the client of a request; pass everything on."""
        if scope["type"] == "http":
            actor.begin(self._client)
        await self._app(scope, receive, send)
