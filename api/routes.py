"""The table of contents: every endpoint and the handler that answers it. No logic.

`api.operations` describes the same endpoints, and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from starlette.routing import Route

from api import campaigns, controls, dashboard, health, openapi, recipients, status, webhooks
from api.uploads import direct_upload, multipart_upload

_CAMPAIGN: Final = "/campaigns/{id}"


def _route(method: str, path: str, handler: Callable[..., Any]) -> Route:
    return Route(path, handler, methods=[method])


ROUTES: Final = [
    # The campaign
    _route("GET", "/campaigns", campaigns.page),
    _route("PUT", _CAMPAIGN, campaigns.put),
    _route("GET", _CAMPAIGN, campaigns.get),
    _route("DELETE", _CAMPAIGN, campaigns.delete),
    # Its list: in parts, or in one piece
    _route("POST", f"{_CAMPAIGN}/upload/init", multipart_upload.init),
    _route("POST", f"{_CAMPAIGN}/upload/complete", multipart_upload.complete),
    _route("POST", f"{_CAMPAIGN}/upload/abort", multipart_upload.abort),
    _route("POST", f"{_CAMPAIGN}/upload", direct_upload.upload),
    # Its controls
    _route("POST", f"{_CAMPAIGN}/start", controls.start),
    _route("POST", f"{_CAMPAIGN}/pause", controls.pause),
    _route("POST", f"{_CAMPAIGN}/resume", controls.resume),
    _route("POST", f"{_CAMPAIGN}/cancel", controls.cancel),
    _route("POST", f"{_CAMPAIGN}/rate-limit", controls.set_rate),
    _route("POST", f"{_CAMPAIGN}/reconcile", controls.reconcile),
    _route("GET", f"{_CAMPAIGN}/reconcile", controls.reconciled),
    # Where it stands
    _route("GET", f"{_CAMPAIGN}/status", status.status),
    _route("GET", f"{_CAMPAIGN}/events", status.events),
    _route("GET", f"{_CAMPAIGN}/recipients.csv", recipients.export),
    # What the provider reports
    _route("POST", "/webhooks/sendgrid", webhooks.sendgrid),
    # The server itself
    _route("GET", "/healthz", health.healthz),
    _route("GET", "/readyz", health.readyz),
    _route("GET", "/metrics", health.metrics),
    _route("GET", "/openapi.json", openapi.describe),
]

#: The operator's page, which is no part of the API.
PAGES: Final = [
    _route("GET", "/", dashboard.page),
    _route("GET", "/dashboard/{name}", dashboard.file),
]
