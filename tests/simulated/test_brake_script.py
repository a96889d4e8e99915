"""The brakes on a real Valkey: its Lua, its numbers and its commands, for a campaign and for an account."""

from __future__ import annotations

import json

from redis import Redis

from campaigns import keys
from campaigns.event_kinds import Event, EventKind
from campaigns.events import AccountBrake, ProviderEvents
from campaigns.models import Brake, Status
from tests.support.app_harness import AppHarness
from tests.support.doubles.sendgrid_events import Signer, event
from tests.support.ledger_harness import Clock, LedgerHarness

SIGNER = Signer()


def sent(harness: LedgerHarness, *names: str, rows: int = 150, brake: Brake | None = None) -> None:
    """Running campaigns, all of whose rows but one are done."""
    for name in names:
        harness.start(name, rows=rows + 1, brake=brake)
    while sum(harness.report(name).done for name in names) < rows * len(names):
        for batch in harness.batches():
            granted = [row for row in sorted(harness.admit(batch).granted) if row <= rows]
            harness.settle(batch, granted, "accepted")


def of(name: str, kind: EventKind, rows: range) -> list[Event]:
    return [Event(name, row, kind) for row in rows]


def test_a_campaigns_brake_counts_anew_after_acceptance(server: Redis, harness: LedgerHarness) -> None:
    sent(harness, "c1", brake=Brake(bounce_pct=2.5))
    found = ProviderEvents(server).apply(
        of("c1", EventKind.DELIVERED, range(1, 117)) + of("c1", EventKind.BOUNCED, range(117, 121))
    )
    assert found.braked == {"c1": "4 of 120 bounced (3.3 %), the limit is 2.5 %"}
    assert harness.report().reason == "brake: 4 of 120 bounced (3.3 %), the limit is 2.5 %"
    assert harness.controls.resume("c1", accept_brake=True) is Status.RUNNING
    assert server.bitcount(keys.of("c1", "before_brake")) == 151  # the last row is in flight
    assert ProviderEvents(server).apply(of("c1", EventKind.BOUNCED, range(1, 150))).braked == {}
    assert harness.report().status is Status.RUNNING


def test_an_accounts_brake_looks_back_some_hours(server: Redis, harness: LedgerHarness, clock: Clock) -> None:
    limits = AccountBrake(5, None, 100, 2)
    sent(harness, "c1", "c2")
    subject = ProviderEvents(server, limits)
    subject.apply(of("c1", EventKind.DELIVERED, range(1, 99)))
    clock.advance(90 * 60_000)
    assert subject.apply(of("c2", EventKind.BOUNCED, range(1, 6))).braked_accounts == ()
    clock.advance(60 * 60_000)  # the deliveries are too old now
    assert subject.apply(of("c2", EventKind.BOUNCED, range(6, 11))).braked_accounts == ()
    words = "over all campaigns of the account default, 10 of 100 bounced within 2 h (10.0 %), the limit is 5 %"
    assert subject.apply(of("c2", EventKind.DELIVERED, range(11, 101))).braked_accounts == (words,)
    assert [harness.report(name).status for name in ("c1", "c2")] == [Status.PAUSED] * 2
    assert 0 < server.pttl(keys.reputation("default")) <= (2 * 60 + 15) * 60_000
    harness.controls.resume("c1", accept_brake=True)
    assert not server.exists(keys.reputation("default"))


def test_the_settings_of_the_server_are_the_limits_of_its_webhook(server: Redis, harness: LedgerHarness) -> None:
    sent(harness, "c1", "c2")
    environment = {"SENDGRID_WEBHOOK_PUBLIC_KEY": SIGNER.public_key, "BRAKE_COMPLAINT_PCT": "1", "BRAKE_AFTER": "50"}
    app = AppHarness(server, environment)
    batch = [event(str(row), "delivered") for row in range(1, 101)] + [event("1", "spamreport", "c2")]
    for rows, status in ((batch, "running"), ([event("2", "spamreport", "c2")], "paused")):
        body = json.dumps(rows).encode()
        assert app.web.post("/webhooks/sendgrid", body, SIGNER.headers(body)).status == 200
        assert app.web.get("/campaigns/c1/status").json()["status"] == status
    words = "over all campaigns of the account default, 2 of 100 complained within 24 h (2.0 %), the limit is 1 %"
    assert app.web.get("/campaigns/c1/status").json()["reason"] == f"brake: {words}"
    newest = app.web.get("/campaigns/c1/history").json()["history"][0]
    assert (newest["event"], newest["by"], newest["reason"]) == ("paused", "system", f"brake: {words}")
