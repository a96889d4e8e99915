"""What became of one address in a campaign: every row that has it, with its state and its events."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import components
from api.http import inputs
from api.http.errors import invalid
from api.http.responses import json_response
from api.list_search import ListSearch, RecipientResponse
from api.recipients import check_parsed
from lists import addresses

#: The query of a search, as JSON schemas.
QUERY: Final = {"email": {"type": "string", "maxLength": 1_000}}


class RecipientsResponse(msgspec.Struct, frozen=True):
    """All rows of the list that have one address, in row order. Excluded rows are not among them."""

    recipients: list[RecipientResponse]


def get(request: Request) -> Response:
    """Every row with the address in the query."""
    email = request.query_params.get("email", "")
    if not email:
        raise invalid("email is missing: ask with ?email=ann@example.com; GET recipients.csv downloads all rows.")
    [folded] = addresses.folded([email])
    if folded is None:
        raise invalid(f"{email[:100]!r} is no email address; expected one like ann@example.com.")
    parts = components.of(request)
    campaign = parts.catalog.get(inputs.campaign_id(request))
    check_parsed(campaign)
    return json_response(RecipientsResponse(ListSearch(parts, campaign, folded).rows()))
