"""A middleware that notifies the feeds of campaigns that a request to this process may have changed."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.live.feeds import Feeds

#: The methods of requests that change nothing.
_HARMLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class PublishChanges:
    """Notifies the feeds before the response to each request that may have changed a campaign.

    Listeners hear of the change at once. After that response, they hear of no state from before the change.
    """

    def __init__(self, app: ASGIApp, feeds: Feeds) -> None:
        self._app = app
        self._feeds = feeds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or scope["method"] in _HARMLESS:
            await self._app(scope, receive, send)
            return

        async def publish_and_send(message: Message) -> None:
            if message["type"] == "http.response.start" and (campaign_id := scope.get("path_params", {}).get("id")):
                self._feeds.changed(campaign_id)
            await send(message)

        await self._app(scope, receive, publish_and_send)
