"""The plot of a campaign's whole run."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import components
from api.http import inputs
from api.http.responses import json_response
from campaigns.history import HistoryEntry
from campaigns.throughput import start_of


class ThroughputResponse(msgspec.Struct, frozen=True):
    """Points of `interval_s` seconds each, at most 720, from `start_at` on; null and no points before the first email.

    `accepted`, `failed`: emails per point; rows that failed without being sent are left out. `limit`: in emails per
    minute, as it was when the first of them was recorded; null: there were none. `marks`: steps of the campaign,
    changes of its rate and circuit breakers that opened, the oldest first.
    """

    start_at: str | None
    interval_s: int
    accepted: list[int]
    failed: list[int]
    limit: list[int | None]
    marks: list[HistoryEntry]


def get(request: Request) -> Response:
    """How many emails were accepted and failed over time."""
    parts, campaign_id = components.of(request), inputs.campaign_id(request)
    parts.catalog.get(campaign_id)
    plot, marks = parts.throughput.plot(campaign_id), parts.throughput.marks(campaign_id)
    if plot is None:
        return json_response(ThroughputResponse(None, 0, [], [], [], marks))
    return json_response(
        ThroughputResponse(start_of(plot), plot.interval_s, plot.accepted, plot.failed, plot.limits, marks)
    )
