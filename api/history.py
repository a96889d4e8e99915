"""Who did what when: the history of a campaign, and that of the installation."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import components
from api.http import inputs
from api.http.responses import json_response
from campaigns.history import MOST, HistoryEntry

#: The number of entries per page: the default, and the maximum.
PAGE: Final = 50
MAX_PAGE: Final = 200
#: The query of a page, as JSON schemas.
QUERY: Final = {
    "before": {"type": "integer", "minimum": 0, "default": 0},
    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": PAGE},
}


class HistoryResponse(msgspec.Struct, frozen=True):
    """A page of a history, the newest entries first; `next` is the path of the next page, or null.

    `total`: the entries that are kept, `kept` at most: older ones are forgotten.
    """

    history: list[HistoryEntry]
    total: int
    kept: int
    next: str | None


def of_campaign(request: Request) -> Response:
    """A page of a campaign's history."""
    campaign_id = inputs.campaign_id(request)
    components.of(request).catalog.get(campaign_id)
    return _page(request, campaign_id, f"/campaigns/{campaign_id}/history")


def of_installation(request: Request) -> Response:
    """A page of the history of the installation: what belongs to no single campaign."""
    return _page(request, None, "/history")


def _page(request: Request, campaign_id: str | None, path: str) -> Response:
    before = inputs.number(request, "before", 0, 0, 10**12)
    limit = inputs.number(request, "limit", PAGE, 1, MAX_PAGE)
    found = components.of(request).history.page(campaign_id, before, limit)
    more = None if found.before is None else f"{path}?before={found.before}&limit={limit}"
    return json_response(HistoryResponse(found.entries, found.total, MOST, more))
