"""The table of contents: every endpoint, its handler, and what it takes and answers.

The application's routes and the API's description are both made from this table.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import campaigns, controls, health, openapi, recipients, status, webhooks
from api.http.endpoint import Endpoint
from api.http.responses import JSON
from api.live import event_stream
from api.uploads import bodies, direct_upload, multipart_upload
from campaigns.models import Content, StatusReport
from campaigns.reconciliation import Report


def describe(_request: Request) -> Response:
    """The API's description (OpenAPI) as JSON."""
    return Response(_description(), media_type=JSON)


@cache
def _description() -> bytes:
    return msgspec.json.encode(openapi.document(ENDPOINTS))


_ONE: Final = "/campaigns/{id}"
_UPLOAD: Final = f"{_ONE}/upload"

ENDPOINTS: Final = (
    # The campaign
    Endpoint(
        "GET", "/campaigns", campaigns.page, "Campaigns from the newest on, a page at a time",
        {200: campaigns.CampaignPage}, (422,), query=campaigns.QUERY,
    ),
    Endpoint(
        "PUT", _ONE, campaigns.put, "Make a campaign, or change it before it is started",
        {201: campaigns.CampaignResponse, 200: campaigns.CampaignResponse}, (409, 412), Content,
    ),
    Endpoint("GET", _ONE, campaigns.get, "One campaign", {200: campaigns.CampaignResponse}, (404,)),
    Endpoint("DELETE", _ONE, campaigns.delete, "Remove a campaign with all its data", {204: None}, (404, 409)),
    # Its list: in parts, or in one piece
    Endpoint(
        "POST", f"{_UPLOAD}/init", multipart_upload.init, "Begin an upload in parts",
        {201: bodies.UploadInitResponse}, (404, 409), bodies.UploadInitRequest,
    ),
    Endpoint(
        "POST", f"{_UPLOAD}/complete", multipart_upload.complete, "All parts are sent: parse the list",
        {202: bodies.UploadResponse}, (404, 409), bodies.UploadCompleteRequest,
    ),
    Endpoint(
        "POST", f"{_UPLOAD}/abort", multipart_upload.abort, "Give an upload up",
        {200: bodies.UploadAbortResponse}, (404, 409), bodies.UploadAbortRequest,
    ),
    Endpoint(
        "POST", _UPLOAD, direct_upload.upload, "Upload a small list in one request",
        {202: bodies.UploadResponse}, (404, 409), direct_upload.BODY, direct_upload.QUERY,
    ),
    # Its controls
    Endpoint(
        "POST", f"{_ONE}/start", controls.start, "Start sending, during parsing as soon as that ends",
        {200: controls.StartResponse}, (404, 409),
    ),
    Endpoint(
        "POST", f"{_ONE}/pause", controls.pause, "Admit no more emails",
        {200: controls.PauseResponse}, (404, 409),
    ),
    Endpoint(
        "POST", f"{_ONE}/resume", controls.resume, "Go on where the pause left it",
        {200: controls.StartResponse}, (404, 409),
    ),
    Endpoint("POST", f"{_ONE}/cancel", controls.cancel, "End it for good", {200: controls.PauseResponse}, (404, 409)),
    Endpoint(
        "POST", f"{_ONE}/rate-limit", controls.set_rate, "Set the emails per minute",
        {200: controls.RateLimitResponse}, (404,), controls.RateLimitRequest,
    ),
    Endpoint(
        "POST", f"{_ONE}/reconcile", controls.reconcile, "Compare, repair, and decide about failed or unknown rows",
        {202: controls.ReconcileResponse}, (404, 409), controls.ReconcileRequest,
    ),
    Endpoint(
        "GET", f"{_ONE}/reconcile", controls.reconciled, "The last reconciliation's report",
        {200: Report}, (404,),
    ),
    # Where it stands
    Endpoint("GET", f"{_ONE}/status", status.status, "Where it stands", {200: StatusReport}, (404,)),
    Endpoint(
        "GET", f"{_ONE}/events", status.events, "The status whenever it changes, as Server-Sent Events",
        {200: event_stream.MEDIA_TYPE}, (404,),
    ),
    Endpoint(
        "GET", f"{_ONE}/recipients.csv", recipients.export, "Every row and where it stands",
        {200: "text/csv"}, (404, 409, 422), query=recipients.QUERY,
    ),
    # What the provider reports
    Endpoint(
        "POST", "/webhooks/sendgrid", webhooks.sendgrid,
        "SendGrid's signed events; 404 unless SENDGRID_WEBHOOK_PUBLIC_KEY is set",
        {200: webhooks.EventsResponse}, (404,), webhooks.BODY,
    ),
    # The server itself
    Endpoint("GET", "/healthz", health.healthz, "The process is alive", {200: JSON}),
    Endpoint("GET", "/readyz", health.readyz, "Redis and the object store can be reached", {200: JSON}),
    Endpoint("GET", "/metrics", health.metrics, "Figures for Prometheus", {200: "text/plain"}),
    Endpoint("GET", "/openapi.json", describe, "This description", {200: JSON}),
)  # fmt: skip
