"""SendGrid's events with real processes and a real server: they settle unknown rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redis import Redis

from campaigns import keys
from campaigns.event_kinds import Event, EventKind
from campaigns.events import ProviderEvents
from tests.support.client import send
from tests.support.doubles.sendgrid_events import Signer, event
from tests.support.ledger_harness import LedgerHarness
from tests.support.stack import Stack

SIGNER = Signer()


def post(stack: Stack, batch: Sequence[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    body = json.dumps(batch).encode()
    url = f"http://127.0.0.1:{stack.port}/webhooks/sendgrid"
    status, answer, _ = send("POST", url, body, SIGNER.headers(body))
    return status, json.loads(answer)


def test_events_settle_rows_without_a_response(tmp_path: Path) -> None:
    """Given a provider that accepts emails and breaks the connection, when its events come, then every row has
    an end.
    """
    with Stack.open(tmp_path, SENDGRID_WEBHOOK_PUBLIC_KEY=SIGNER.public_key) as stack:
        stack.double.behave(rules=[{"to": "r[1-5]@shop.test", "answers": ["accept-reset"]}])
        stack.put("c1", tpm=60_000)
        stack.upload("c1", b"email\n" + b"".join(b"r%d@shop.test\n" % row for row in range(1, 41)))
        stack.start("c1")
        stack.add_worker()
        before = stack.until_status("c1", "completed")
        assert (before["done"], before["unknown"], before["pending"]) == (35, 5, 5)
        # When the events come twice and out of order, with an outage of Redis between them
        batch = [event(str(row), "delivered") for row in range(40, 1, -1)]
        batch += [event(str(row), "processed") for row in range(1, 41)]
        batch += [event("1", "dropped", reason="Invalid"), event("2", "bounce"), event("3", "spamreport")]
        stack.redis.stop()
        assert post(stack, batch)[0] == 503
        stack.redis.start()
        status, answer = post(stack, batch)
        assert (status, answer) == (200, {"applied": len(batch), "ignored": 0, "settled": 5})
        assert post(stack, batch) == (200, {"applied": len(batch), "ignored": 0, "settled": 0})
        # Then
        after = stack.status("c1")
        assert (after["done"], after["unknown"], after["pending"], after["status"]) == (40, 0, 0, "completed")
        assert (after["delivered"], after["bounced"], after["complained"], after["unsubscribed"]) == (39, 1, 1, 0)
        assert "shop.test" not in stack.web.output()


def test_a_thousand_events_take_one_call(redis_client: Redis) -> None:
    harness = LedgerHarness(redis_client)
    harness.start(rows=1000)
    redis_client.zadd(keys.of("c1", "unknown"), {str(row): 1 for row in range(1, 1001)})
    events = [Event("c1", row, EventKind.DELIVERED) for row in range(1, 1001)]
    provider_events = ProviderEvents(redis_client)
    provider_events.apply([])
    redis_client.config_resetstat()
    applied = provider_events.apply(events)
    calls: Any = redis_client.info("commandstats")
    assert calls["cmdstat_evalsha"]["calls"] - calls["cmdstat_evalsha"]["failed_calls"] == 1
    assert applied.settled == 1000
    assert harness.report().delivered == 1000
