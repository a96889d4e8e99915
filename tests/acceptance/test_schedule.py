"""A scheduled campaign with a canary starts by itself after everything was restarted, and its events reach a receiver.

Given 40 recipients, a start a few seconds ahead, a pause after 7, a receiver of events, and no worker yet.
When Redis is killed and started again, and a worker comes.
Then the campaign starts at its time, 7 emails reach the provider, and it is paused; after the resume the other 33 come.
"""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from api.outgoing.signing import headers
from tests.support.stack import Stack
from tests.support.waiting import until

ROWS: Final = 40
CANARY: Final = 7
SECRET: Final = "whsec_" + "A" * 32


@contextmanager
def receiver() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server on this machine that answers the first event with 500, verifies all, and keeps them."""
    got: list[dict[str, Any]] = []
    seen: list[str] = []

    class Answering(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            message_id, at = self.headers["webhook-id"], int(self.headers["webhook-timestamp"])
            assert self.headers["webhook-signature"] == headers(SECRET, message_id, at, body)["webhook-signature"]
            seen.append(message_id)
            if len(seen) > 1:
                got.append(json.loads(body) | {"id": message_id})
            self.send_response(204 if len(seen) > 1 else 500)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/events", got
    finally:
        server.shutdown()
        server.server_close()


def test_a_scheduled_campaign_survives_a_restart_and_tells_what_it_does(tmp_path: Path) -> None:
    with receiver() as (url, got):
        settings: dict[str, Any] = {"EVENTS_URL": url, "EVENTS_SECRET": SECRET, "EVENTS_ALLOW_PRIVATE": "true"}
        with Stack.open(tmp_path, **settings) as stack:
            until(lambda: stack.redis_client().exists("postrider:events"), "the delivery of events")
            stack.put("spring")
            stack.upload("spring", b"email\n" + b"".join(b"r%d@shop.test\n" % row for row in range(1, ROWS + 1)))
            worker = stack.add_worker()
            stack.until_status("spring", "ready")
            start_at = datetime.now(UTC) + timedelta(seconds=8)
            stack.put("spring", tpm=10_000_000, start_at=start_at.isoformat(), pause_after=CANARY)
            assert stack.start("spring") == "scheduled"
            # Everything but the web process is gone for a moment
            worker.kill()
            stack.redis.kill()
            stack.redis.start()
            until(stack.ready, "readyz")
            assert stack.status("spring")["status"] == "scheduled"
            stack.add_worker()
            report = stack.until_status("spring", "paused")
            started = datetime.fromisoformat(report["started_at"])
            assert timedelta(0) <= started - start_at.replace(microsecond=start_at.microsecond // 1000 * 1000)
            assert (report["reason"], report["done"], report["in_flight"]) == ("canary", CANARY, 0)
            assert len(stack.double.arrivals()) == CANARY
            stack.resume("spring")
            stack.until_status("spring", "completed")
            assert len(stack.double.arrivals()) == ROWS
            expected = {
                f"campaign.{name}" for name in ("list_parsed", "scheduled", "started", "paused", "resumed", "completed")
            }
            until(lambda: {event["type"] for event in got} == expected, "all events")
            history = stack.call("GET", "/campaigns/spring/history")["history"]
    assert len({event["id"] for event in got}) == len(expected)
    assert [entry["event"] for entry in history[:5]] == ["completed", "resumed", "paused", "started", "scheduled"]
    [paused] = [event["data"] for event in got if event["type"] == "campaign.paused"]
    assert (paused["campaign_id"], paused["reason"], paused["by"]) == ("spring", "canary", "system")
