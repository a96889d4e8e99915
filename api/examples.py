"""Examples of bodies in the API's description, by the name of their model. A test reads each with its model."""

from __future__ import annotations

from typing import Any, Final

_PART_URL: Final = "https://s3.example.com/my-bucket/lists/spring/0?partNumber=1&uploadId=Ab3..."
_STATUS: Final[dict[str, Any]] = {
    "done": 1200, "failed": 45, "pending": 3800, "rate_limit": 1000, "limit_now": 1000, "status": "running",
    "total": 5045, "rejected": 12, "unknown": 0, "in_flight": 64, "retries": 7, "sent_last_minute": 998, "eta_s": 230,
    "reason": None, "started_at": "2026-11-24T08:30:00.000+00:00", "finished_at": None, "delivered": 1150,
    "bounced": 9, "dropped": 0, "complained": 0, "unsubscribed": 2, "opened": 214,
    "opened_by_machines": 167, "clicked": 31, "changeable": False, "has_list": True,
    "excluded": 0, "format": "csv", "encoding": "utf-8", "delimiter": ",", "email_column": "email", "samples": [],
    "reasons": {"invalid_email": 10, "duplicate": 2}, "warnings": [], "unaccepted": [],
    "start_at": None, "window_opens_at": None,
}  # fmt: skip
_STARTED: Final = {"status": "running"}

#: Model -> a body of it.
EXAMPLES: Final[dict[str, Any]] = {
    "Content": {
        "from": "News <news@example.com>",
        "subject": "Hello {{ name }}",
        "text": "Dear {{ name }}, it is spring.",
        "html": "<p>Dear {{ name }}, it is spring.</p>",
        "tpm": 600,
    },
    "StatusReport": _STATUS,
    "ResumeRequest": {"accept_brake": True},
    "CopyRequest": {"id": "spring-2"},
    "PreviewRequest": {"row": 1},
    "PreviewResponse": {
        "to": "ann@example.com", "subject": "Hello Ann", "html": None, "text": "Dear Ann, it is spring.",
        "headers": {"List-Unsubscribe": "<https://mail.example.com/u/AbC>"}, "size": 1204, "warnings": [],
    },
    "TestSendRequest": {"to": ["me@example.com"], "row": 1},
    "TestSendResponse": {"results": [{"to": "me@example.com", "outcome": "accepted", "reason": None}]},
    "UploadInitRequest": {"size": 12000000, "filename": "people.csv"},
    "UploadInitResponse": {
        "upload_id": "Ab3", "part_size": 8388608, "expires_at": "2026-11-25T08:30:00+00:00",
        "parts": [{"part_number": 1, "url": _PART_URL}, {"part_number": 2, "url": _PART_URL.replace("=1", "=2")}],
    },
    "UploadStateResponse": {
        "part_size": 8388608, "expires_at": "2026-11-25T08:30:00+00:00",
        "parts": [
            {"part_number": 1, "received": True, "size": 8388608},
            {"part_number": 2, "received": False, "url": _PART_URL},
        ],
    },
    "UploadCompleteRequest": {"upload_id": "Ab3"},
    "UploadAbortRequest": {"upload_id": "Ab3"},
    "UploadResponse": {"status": "parsing"},
    "UploadAbortResponse": {"status": "aborted"},
    "DryRunResponse": {
        "format": "csv", "encoding": "utf-8", "encoding_confidence": 1.0, "samples": ["Zoë"], "delimiter": ",",
        "columns": ["email", "name"], "email_column": "email", "rows": 3, "accepted": 2, "rejected": 1, "excluded": 0,
        "reasons": {"invalid_email": 1}, "sample": [{"email": "ann@example.com", "name": "Ann"}], "warnings": [],
        "missing_columns": [], "content_warnings": [], "unaccepted": [],
    },
    "StartRequest": {"accept_warnings": False},
    "StartResponse": _STARTED,
    "PauseResponse": {"status": "paused", "in_flight": 12},
    "RateLimitRequest": {"tpm": 600},
    "RateLimitResponse": {"rate_limit": 600},
    "ReconcileRequest": {"retry_failed": True},
    "ReconcileResponse": {"status": "reconciling"},
    "Report": {
        "checked": 5045, "found": {"lost": 1}, "repaired": {"lost": 1}, "finished_at": "2026-11-24T08:31:00.000+00:00"
    },
    "SuppressionResponse": {
        "email": "bob@example.com", "suppressed": True, "all_email": False,
        "entries": [{"what": "unsubscribed", "at": "2026-11-24T08:30:00.000Z", "note": "spring"}],
    },
    "SuppressRequest": {"emails": ["bob@example.com"], "reason": "manual"},
    "SuppressResponse": {"added": 1, "already": 0},
    "RemovalResponse": {"removed": True},
    "SuppressionUploadResponse": {"added": 950, "already": 48, "invalid": 2},
    "RecipientsResponse": {
        "recipients": [{"row": 7, "email": "ann@example.com", "state": "done", "reason": "", "events": []}]
    },
    "AttachmentsResponse": {"attachments": [], "total_bytes": 0, "limit_bytes": 25000000},
    "DoctorRequest": {"from": "news@example.com"},
    "DoctorResponse": {
        "verdict": "failed",
        "findings": [
            {"name": "Workers", "verdict": "failed", "found": "none is alive, so nothing is parsed or sent",
             "mend": "Start workers: dramatiq actors."},
        ],
    },
    "EventsResponse": {"applied": 3, "ignored": 0, "settled": 0},
}  # fmt: skip

#: A problem as clients get it.
PROBLEM: Final = {
    "type": "/docs/problems/#wrong-state", "title": "Conflict", "status": 409,
    "detail": "only a running campaign can be paused (the campaign is draft)", "campaign_status": "draft",
}  # fmt: skip
