"""A campaign's status: one response, or a live stream."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api import components
from api.http import inputs
from api.http.responses import json_response
from api.live import event_stream

#: Tells buffering proxies to pass this response on at once.
_LIVE: Final = {"X-Accel-Buffering": "no"}


def status(request: Request) -> Response:
    """The status. All its figures belong to one instant after the request arrived."""
    return json_response(components.of(request).progress.report(inputs.campaign_id(request)))


async def events(request: Request) -> Response:
    """Server-Sent Events (WHATWG HTML, 9.2): the status now and after each change, until the client disconnects."""
    parts, campaign_id = components.of(request), inputs.campaign_id(request)
    await run_in_threadpool(parts.progress.report, campaign_id)  # no stream for an unknown campaign or without Redis
    if request.method == "HEAD":
        return Response(None, HTTPStatus.OK, _LIVE, media_type=event_stream.MEDIA_TYPE)
    return StreamingResponse(
        event_stream.stream(parts.feeds, campaign_id), headers=_LIVE, media_type=event_stream.MEDIA_TYPE
    )
