"""A list through dry run, parsing, status, export and prefetch, which must all tell the same."""

from __future__ import annotations

import csv
import io
from typing import Any

from tests.support.app_harness import AppHarness
from tests.support.delivered import prefetched


def dry_run(app: AppHarness, data: bytes, query: str = "") -> dict[str, Any]:
    answer = app.upload(data, query=f"?dry_run=true{query}")
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


def status_of(app: AppHarness) -> dict[str, Any]:
    found: dict[str, Any] = app.web.get("/campaigns/c1/status").json()
    return found


def exported(app: AppHarness, state: str = "all") -> list[dict[str, str]]:
    body = app.web.get(f"/campaigns/c1/recipients.csv?state={state}").body.decode()
    return list(csv.DictReader(io.StringIO(body)))


def check_agreement(app: AppHarness, data: bytes, query: str = "", *, start: bool = True) -> dict[str, Any]:
    """Upload and parse a list; dry run, status and export agree. `start`: so does prefetch. Returns the status."""
    dry = dry_run(app, data, query)
    assert app.upload(data, query=f"?{query.lstrip('&')}").status == 202
    campaign = app.parse()
    status = status_of(app)
    for name in (
        "format",
        "encoding",
        "encoding_confidence",
        "delimiter",
        "email_column",
        "samples",
        "warnings",
        "reasons",
        "unaccepted",
    ):
        assert status[name] == dry[name], name
    assert (status["total"], status["rejected"], status["excluded"]) == (
        dry["accepted"],
        dry["rejected"],
        dry["excluded"],
    )
    assert list(campaign.columns) == dry["columns"]
    assert len(exported(app, "rejected")) == dry["rejected"]
    pending = exported(app, "pending")
    assert len(pending) == dry["accepted"]
    if dry["accepted"] and start:
        app.web.post("/campaigns/c1/start", {"accept_warnings": True})
        found = prefetched(app)
        assert [(str(one.row), one.address) for one in found] == [(one["row"], one["email"]) for one in pending]
        column = campaign.columns[campaign.email_index]
        assert [one.address for one in found[:5]] == [row[column] for row in dry["sample"]]
    return status
