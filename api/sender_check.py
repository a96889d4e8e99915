"""`GET /sender-check?from=`: SPF, DKIM and DMARC of a sender's domain, before a campaign is sent from it."""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api import components
from api.http.errors import invalid
from api.http.responses import json_response
from consent import sender_check
from mail.addresses import mailbox

QUERY: Final = {
    "from": {"type": "string", "maxLength": 700},
    "selector": {"type": "string", "maxLength": 63, "pattern": "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"},
}
_SELECTOR: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


async def check(request: Request) -> Response:
    """The report for the domain of a From: an address with or without a name, or a domain alone."""
    parts = components.of(request)
    written = request.query_params.get("from", "").strip()
    if not written:
        raise invalid("from is missing: ask with ?from=news@example.com.")
    selector = request.query_params.get("selector") or None
    if selector is not None and not _SELECTOR.fullmatch(selector):
        raise invalid(f"selector: {selector[:70]!r} is no DKIM selector; it is s= in a DKIM-Signature header.")
    address = mailbox("from", written if "@" in written else f"postmaster@{written}").address
    domain = address.rpartition("@")[2].lower()
    return json_response(await sender_check.check(parts.dns, domain, parts.settings.email_provider, selector))
