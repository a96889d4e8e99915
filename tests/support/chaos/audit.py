"""The audit: compares what the provider has accepted with what Postrider reports."""

from __future__ import annotations

import contextlib
import csv
import http.client
import io
import time
from collections import Counter
from typing import Any, Final, NamedTuple

from tests.support.client import ApiError, Watch
from tests.support.doubles.sendgrid import Arrival
from tests.support.stack import Stack

#: How often to check whether a campaign has ended, in seconds.
LOOK_S: Final = 0.1
#: The factor for deadlines that a quiet machine keeps: other programs may use the machine too.
PATIENCE: Final = 3


class Audit(NamedTuple):
    """A campaign that has ended: its last report, what reached the provider, and the state of each row."""

    report: dict[str, Any]
    arrivals: list[Arrival]
    states: dict[int, str]

    def accepted(self) -> Counter[int]:
        """How many times the provider has accepted each row."""
        return Counter(arrival.row for arrival in self.arrivals if arrival.accepted)

    def in_state(self, state: str) -> set[int]:
        return {row for row, found in self.states.items() if found == state}


def addresses(count: int, local: str = "r{row}") -> bytes:
    """A list of this many recipients."""
    return b"email\n" + b"".join(f"{local.format(row=row)}@shop.test\n".encode() for row in range(1, count + 1))


def launch(stack: Stack, campaign_id: str, csv_bytes: bytes, tpm: int = 10_000_000, **content: Any) -> None:
    """Create a campaign with its list and start it."""
    stack.put(campaign_id, tpm=tpm, **content)
    stack.upload(campaign_id, csv_bytes)
    stack.until_status(campaign_id, "ready")
    stack.start(campaign_id)


def status(stack: Stack, campaign_id: str) -> dict[str, Any]:
    """The status, or nothing while the API does not respond."""
    with contextlib.suppress(OSError, http.client.HTTPException, ApiError):
        return stack.status(campaign_id)
    return {}


def until_done(stack: Stack, campaign_id: str, done: int, within_s: float) -> dict[str, Any]:
    """Wait until this many rows are done; return the report."""
    return _until(stack, campaign_id, lambda report: report.get("done", 0) >= done, within_s)


def until_over(stack: Stack, campaign_id: str, within_s: float, *wanted: str) -> dict[str, Any]:
    """Wait until the campaign is completed, or in one of the given states; return the report."""
    states = wanted or ("completed",)
    return _until(stack, campaign_id, lambda report: report.get("status") in states, within_s)


def _until(stack: Stack, campaign_id: str, condition: Any, within_s: float) -> dict[str, Any]:
    deadline = time.monotonic() + within_s * PATIENCE
    report: dict[str, Any] = {}
    while time.monotonic() < deadline:
        report = status(stack, campaign_id) or report
        if condition(report):
            return report
        time.sleep(LOOK_S)
    raise AssertionError(f"not within {within_s:g} s; last: {report}")


def closed(stack: Stack, campaign_id: str, watch: Watch, *, unknown_at_most: int, failed: int = 0) -> Audit:
    """The audit of a completed campaign, after the checks that must hold after every fault.

    No recipient was sent to twice. Every done recipient was sent to, and no failed one. Every recipient is done, failed
    or unknown. No status ever contradicted itself.
    """
    watch.check()
    report = stack.status(campaign_id)
    rows = csv.DictReader(io.StringIO(stack.recipients(campaign_id).decode()))
    states = {int(row["row"]): row["state"] for row in rows}
    arrivals = [arrival for arrival in stack.double.arrivals() if arrival.campaign_id == campaign_id]
    audit = Audit(report, arrivals, states)
    accepted = audit.accepted()
    assert {row: times for row, times in accepted.items() if times > 1} == {}, "sent twice"
    assert audit.in_state("done") - accepted.keys() == set(), "done, but never accepted"
    assert audit.in_state("failed") & accepted.keys() == set(), "failed, but accepted"
    counts = {name: len(audit.in_state(name)) for name in ("done", "failed", "unknown", "pending")}
    assert counts == {
        "done": report["done"],
        "failed": failed,
        "unknown": report["unknown"],
        "pending": 0,
    }, f"{counts} {report}"
    assert report["unknown"] <= unknown_at_most, f"{report['unknown']} unknown, at most {unknown_at_most} may be"
    assert report["done"] + report["failed"] + report["unknown"] == report["total"] == len(states)
    return audit
