"""What each endpoint takes and answers: the table behind the API's description. `api.routes` has the same endpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from api import bodies, campaigns
from api.uploads import direct_upload
from campaigns.models import Content, RowState, StatusReport
from campaigns.reconciliation import Report

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Operation:
    """One endpoint.

    Attributes:
        answers: by status, the model of the JSON answer, or a media type, or None for no body.
        body: the model of the JSON request, or a finished request body object.
        errors: the statuses of its problems, besides 401, 403 and 503.
        query: its query parameters as JSON schemas by name.
    """

    method: str
    path: str
    summary: str
    answers: dict[int, type | str | None]
    errors: tuple[int, ...] = ()
    body: type | dict[str, Any] | None = None
    query: tuple[tuple[str, dict[str, Any]], ...] = ()


_ONE: Final = "/campaigns/{id}"
_UPLOAD: Final = f"{_ONE}/upload"
_CSV: Final = {"type": "string", "format": "binary", "maxLength": direct_upload.MAX_LIST_BYTES}
_COLUMN: Final = {"type": "string", "minLength": 1, "maxLength": 200, "default": "email"}
_LIST: Final = {
    "required": True,
    "content": {
        "text/csv": {"schema": _CSV},
        "multipart/form-data": {
            "schema": {"type": "object", "required": ["file"], "properties": {"file": _CSV, "email_column": _COLUMN}}
        },
    },
}
_EVENTS: Final = {
    "required": True,
    "content": {JSON: {"schema": {"type": "array", "items": {"type": "object"}}}},
}
_STATE: Final = {"type": "string", "enum": [*RowState, "all"], "default": "all"}
_PAGING: Final = (
    ("offset", {"type": "integer", "minimum": 0, "default": 0}),
    ("limit", {"type": "integer", "minimum": 1, "maximum": campaigns.MAX_PAGE, "default": campaigns.PAGE}),
)

OPERATIONS: Final = [
    Operation(
        "get", "/campaigns", "Campaigns from the newest on, a page at a time", {200: bodies.Page}, (422,), query=_PAGING
    ),
    Operation(
        "put",
        _ONE,
        "Make a campaign, or change it before it is started",
        {201: bodies.Details, 200: bodies.Details},
        (408, 409, 412, 413, 415, 422),
        Content,
    ),
    Operation("get", _ONE, "One campaign", {200: bodies.Details}, (404,)),
    Operation("delete", _ONE, "Remove a campaign with all its data", {204: None}, (404, 409)),
    Operation(
        "post",
        f"{_UPLOAD}/init",
        "Begin an upload in parts",
        {201: bodies.UploadPlan},
        (404, 408, 409, 413, 415, 422),
        bodies.UploadInit,
    ),
    Operation(
        "post",
        f"{_UPLOAD}/complete",
        "All parts are sent: parse the list",
        {202: bodies.Accepted},
        (404, 408, 409, 413, 415, 422),
        bodies.UploadComplete,
    ),
    Operation(
        "post",
        f"{_UPLOAD}/abort",
        "Give an upload up",
        {200: bodies.Aborted},
        (404, 408, 409, 413, 415, 422),
        bodies.UploadAbort,
    ),
    Operation(
        "post",
        _UPLOAD,
        "Upload a small list in one request",
        {202: bodies.Accepted},
        (404, 408, 409, 413, 415, 422),
        _LIST,
        (("email_column", _COLUMN), ("filename", {"type": "string"})),
    ),
    Operation(
        "post", f"{_ONE}/start", "Start sending, during parsing as soon as that ends", {200: bodies.Stepped}, (404, 409)
    ),
    Operation("post", f"{_ONE}/pause", "Admit no email any more", {200: bodies.Stopped}, (404, 409)),
    Operation("post", f"{_ONE}/resume", "Go on where the pause left it", {200: bodies.Stepped}, (404, 409)),
    Operation("post", f"{_ONE}/cancel", "End it for good", {200: bodies.Stopped}, (404, 409)),
    Operation(
        "post",
        f"{_ONE}/rate-limit",
        "Set the emails per minute",
        {200: bodies.RateLimited},
        (404, 408, 413, 415, 422),
        bodies.RateLimit,
    ),
    Operation(
        "post",
        f"{_ONE}/reconcile",
        "Compare, repair, and decide about failed or unknown rows",
        {202: bodies.ReconcileAccepted},
        (404, 408, 409, 413, 415, 422),
        bodies.ReconcileRequest,
    ),
    Operation("get", f"{_ONE}/reconcile", "The last reconciliation's report", {200: Report}, (404,)),
    Operation("get", f"{_ONE}/status", "Where it stands", {200: StatusReport}, (404,)),
    Operation(
        "get",
        f"{_ONE}/events",
        "The status whenever it changes, as Server-Sent Events",
        {200: "text/event-stream"},
        (404,),
    ),
    Operation(
        "get",
        f"{_ONE}/recipients.csv",
        "Every row and where it stands",
        {200: "text/csv"},
        (404, 409, 422),
        query=(("state", _STATE),),
    ),
    Operation(
        "post",
        "/webhooks/sendgrid",
        "SendGrid's signed events; 404 unless SENDGRID_WEBHOOK_PUBLIC_KEY is set",
        {200: bodies.EventsTaken},
        (404, 408, 413, 415, 422),
        _EVENTS,
    ),
    Operation("get", "/healthz", "The process is alive", {200: JSON}),
    Operation("get", "/readyz", "Redis and the object store can be reached", {200: JSON}),
    Operation("get", "/metrics", "Figures for Prometheus", {200: "text/plain"}),
    Operation("get", "/openapi.json", "This description", {200: JSON}),
]
