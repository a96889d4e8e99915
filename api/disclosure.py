"""`GET /recipients?email=`: all that is known of one address, over all campaigns.

There is no index of addresses, so every list is searched: 1 GB costs about 3 s of CPU. A response covers as many
campaigns as can be searched in a bounded time, and its `next` names the rest.
"""

from __future__ import annotations

import time
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
import structlog
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import Response

from api import components
from api.components import Components
from api.erasure import folded_email
from api.http.errors import Problem, invalid
from api.http.responses import json_response
from api.list_search import ListSearch, RecipientResponse
from api.suppressions import SuppressionResponse, of_address
from campaigns.errors import UnknownCampaign
from campaigns.models import CAMPAIGN_ID, Campaign, Status
from storage import MissingObject

log = structlog.get_logger(__name__)

#: After this time, in s, no other campaign is searched for one response.
DISCLOSE_S: Final = 30.0
QUERY: Final[dict[str, dict[str, Any]]] = {
    "email": {"type": "string", "maxLength": 1_000},
    "after": {"type": "string", "pattern": CAMPAIGN_ID.pattern},
}


class KnownRecipients(msgspec.Struct, frozen=True):
    """The rows of one campaign that have the address, as `GET /campaigns/{id}/recipients` shows them."""

    id: str
    subject: str
    status: Status
    recipients: list[RecipientResponse]


class Unsearched(msgspec.Struct, frozen=True):
    """A campaign whose list could not be searched, and why: look at it by itself."""

    id: str
    reason: str


class DisclosureResponse(msgspec.Struct, frozen=True):
    """All that is known of an address.

    `campaigns`: those whose lists have it. `next`: the path of the rest, or null if all campaigns have been searched.
    """

    email: str
    suppression: SuppressionResponse
    campaigns: list[KnownRecipients]
    unsearched: list[Unsearched]
    next: str | None


def get(request: Request) -> Response:
    """What is known of one address."""
    folded, after = folded_email(request), request.query_params.get("after", "")
    parts = components.of(request)
    ids = parts.catalog.all_ids()
    if after and after not in ids:
        raise invalid(f"after: there is no campaign {after[:64]!r}: take the path in `next` as it is, or begin again.")
    known: list[KnownRecipients] = []
    unsearched: list[Unsearched] = []
    ends_at, last = time.monotonic() + DISCLOSE_S, ""
    for campaign_id in ids[ids.index(after) + 1 if after else 0 :]:
        if last and time.monotonic() > ends_at:
            break
        last = campaign_id
        found = _in_campaign(parts, campaign_id, folded)
        if isinstance(found, Unsearched):
            unsearched.append(found)
        elif found is not None and found.recipients:
            known.append(found)
    more = last if last and last != ids[-1] else None
    if not after:
        _note(parts)
    return json_response(DisclosureResponse(folded, of_address(parts, folded), known, unsearched, _path(folded, more)))


def _path(folded: str, after: str | None) -> str | None:
    return None if after is None else f"/recipients?{urlencode({'email': folded, 'after': after})}"


def _in_campaign(parts: Components, campaign_id: str, folded: str) -> KnownRecipients | Unsearched | None:
    try:
        campaign = parts.catalog.get(campaign_id)
        reason = _unsearchable(campaign)
        if reason is not None:
            return Unsearched(campaign_id, reason) if reason else None
        rows = ListSearch(parts, campaign, folded).rows()
    except UnknownCampaign:
        return None
    except MissingObject:
        return Unsearched(campaign_id, "its list is no longer in the object store")
    except Problem as problem:
        return Unsearched(campaign_id, problem.detail)
    return KnownRecipients(campaign_id, campaign.content.subject, campaign.status, rows)


def _unsearchable(campaign: Campaign) -> str | None:
    """Why a campaign cannot be searched; "": it has no list; None: it can."""
    if campaign.status is Status.PARSING:
        return "its list is being parsed; ask again in a moment"
    if campaign.slices:
        return None
    return "its list could not be read" if campaign.object_key else ""


def _note(parts: Components) -> None:
    """Note the disclosure in the history, without the address. Reading works while Redis accepts no writes."""
    try:
        parts.history.note("address_disclosed")
    except RedisError as error:
        log.warning("disclosure_not_noted", error=type(error).__name__)
