"""The list of campaigns: pages of it, in an order, of some state, or found by a word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import components
from api.components import Components
from api.http import inputs
from api.http.errors import invalid
from api.http.responses import json_response
from campaigns.campaign_search import CampaignSearch, Order
from campaigns.catalog import Heading
from campaigns.models import Status, StatusReport

#: The number of campaigns per page: the default, and the maximum.
PAGE: Final = 50
MAX_PAGE: Final = 200
#: The longest word to search for, in characters.
MAX_SEARCH: Final = 100
#: The query of a page, as JSON schemas.
QUERY: Final[dict[str, dict[str, Any]]] = {
    "offset": {"type": "integer", "minimum": 0, "default": 0},
    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": PAGE},
    "search": {"type": "string", "maxLength": MAX_SEARCH},
    "status": {"type": "string", "enum": [*Status]},
    "sort": {"type": "string", "enum": [*Order], "default": Order.NEWEST.value},
}


class CampaignSummary(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """A campaign in the list of campaigns, with its status object."""

    id: str
    status: Status
    from_: str
    subject: str
    tpm: int
    created_at: str
    started_at: str | None
    finished_at: str | None
    reason: str | None
    filename: str
    progress: StatusReport


class CampaignPage(msgspec.Struct, frozen=True):
    """A page of campaigns. `total`: of all that were found; `next`: the path of the next page, or null."""

    campaigns: list[CampaignSummary]
    total: int
    offset: int
    limit: int
    next: str | None


def page(request: Request) -> Response:
    """One page of campaigns: by default all of them, the newest first."""
    offset = inputs.number(request, "offset", 0, 0, 10**12)
    limit = inputs.number(request, "limit", PAGE, 1, MAX_PAGE)
    query = request.query_params
    given = {name: query[name] for name in ("search", "status", "sort") if query.get(name)}
    if len(given.get("search", "")) > MAX_SEARCH:
        raise invalid(f"search: at most {MAX_SEARCH} characters are possible.")
    status = Status(_one_of("status", given["status"], [*Status])) if "status" in given else None
    order = Order(_one_of("sort", given.get("sort", Order.NEWEST), [*Order]))
    parts = components.of(request)
    ids, total = CampaignSearch(parts.redis).page(offset, limit, given.get("search", ""), status, order)
    end = offset + limit
    more = f"/campaigns?{urlencode({'offset': end, 'limit': limit} | given)}" if end < total else None
    return json_response(CampaignPage([*_summaries(parts, ids)], total, offset, limit, more))


def _one_of(name: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise invalid(f"{name}: {value[:50]!r} is unknown; use one of {', '.join(allowed)}.")
    return value


def _summaries(parts: Components, ids: Sequence[str]) -> Iterator[CampaignSummary]:
    headings, reports = parts.catalog.headings(ids), parts.progress.reports(ids)
    for campaign_id, heading, report in zip(ids, headings, reports, strict=True):
        if heading and report:  # otherwise the campaign has been deleted meanwhile
            yield _summary(campaign_id, heading, report)


def _summary(campaign_id: str, heading: Heading, progress: StatusReport) -> CampaignSummary:
    """A campaign for the list. All changing fields come from its status, so that they belong to one instant."""
    return CampaignSummary(
        id=campaign_id,
        status=progress.status,
        from_=heading.from_,
        subject=heading.subject,
        tpm=progress.rate_limit,
        created_at=heading.created_at,
        started_at=progress.started_at,
        finished_at=progress.finished_at,
        reason=progress.reason,
        filename=heading.filename,
        progress=progress,
    )
