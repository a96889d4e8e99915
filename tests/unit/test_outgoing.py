"""Outgoing events: signature, delivery, retries, and receivers that must not be reached."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec
import pytest
from redis import Redis

from api.outgoing import post as post_module
from api.outgoing.delivery import WAITS_S, Delivery
from api.outgoing.post import PostFailed, post
from api.outgoing.signing import headers
from campaigns import announcements, keys
from campaigns.announcements import Announcements
from tests.support import lua_settings
from tests.support.ledger_harness import Clock, LedgerHarness

URL = "https://hooks.shop.test/in"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass
class Receiver:
    """Answers with these statuses, the last one again and again; 0: no answer."""

    statuses: list[int] = field(default_factory=lambda: [204])
    got: list[tuple[dict[str, Any], Mapping[str, str]]] = field(default_factory=list)

    def __call__(self, body: bytes, signed: Mapping[str, str]) -> int:
        expected = headers(SECRET, signed["webhook-id"], int(signed["webhook-timestamp"]), body)
        assert signed["webhook-signature"] == expected["webhook-signature"]
        self.got.append((msgspec.json.decode(body), signed))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        if not status:
            raise PostFailed("nobody is there")
        return status


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    clock.install(monkeypatch)
    return clock


@pytest.fixture
def harness(fake_redis: Redis, clock: Clock) -> LedgerHarness:  # noqa: ARG001 - the clock has to stand first
    return LedgerHarness(fake_redis)


def delivery(harness: LedgerHarness, receiver: Receiver, secret: str = SECRET) -> Delivery:
    made = Delivery(Announcements(harness.redis, URL, secret), URL, secret, send=receiver)
    made.deliver_due()
    return made


def test_the_signature_is_that_of_the_specification() -> None:
    signed = headers(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_changes_of_state_are_told_once_in_their_order(harness: LedgerHarness) -> None:
    # Given a receiver, and a campaign that starts, is paused by the system, and is cancelled
    receiver = Receiver()
    made = delivery(harness, receiver)
    campaign = harness.make()
    harness.controls.start("c1")
    harness.controls.set_rate("c1", 5)
    harness.ledger.halt("c1", campaign.list_version, "401 for news@shop.test")
    harness.controls.cancel("c1")
    # When the events are delivered
    for _ in range(2):
        made.deliver_due()
    # Then each change of state is told once, with what the history says
    told = [body for body, _signed in receiver.got]
    assert [body["type"] for body in told] == [
        "campaign.list_parsed", "campaign.started", "campaign.paused", "campaign.cancelled",
    ]  # fmt: skip
    assert told[2] == {
        "type": "campaign.paused",
        "timestamp": "2027-01-15T08:00:00.000+00:00",
        "data": {
            "campaign_id": "c1", "number": told[2]["data"]["number"], "by": "system", "reason": "401 for (address)",
            "from": "running", "to": "paused",
        },
    }  # fmt: skip
    assert len({signed["webhook-id"] for _body, signed in receiver.got}) == 4


def test_without_a_receiver_nothing_waits(harness: LedgerHarness) -> None:
    harness.make()
    harness.controls.start("c1")
    assert not harness.redis.exists(keys.EVENTS_WAITING)


def test_a_failed_attempt_is_repeated_with_growing_waits_for_a_day(harness: LedgerHarness, clock: Clock) -> None:
    receiver = Receiver([0, 500, 302, 404])
    made = delivery(harness, receiver)
    harness.make()
    for wait_s in WAITS_S:
        assert made.deliver_due() == 1
        clock.advance(wait_s * 1000 - 1)
        assert made.deliver_due() == 0
        clock.advance(1)
    assert list(WAITS_S) == sorted(WAITS_S)
    assert 22 * 3600 < sum(WAITS_S) < 25 * 3600
    # The last attempt: the same event each time, and then it is given up
    assert made.deliver_due() == 1
    assert made.deliver_due() == 0
    assert len(receiver.got) == len(WAITS_S) + 1
    assert len({signed["webhook-id"] for _body, signed in receiver.got}) == 1
    assert b"event_given_up" in harness.redis.lindex(keys.HISTORY, -1)
    assert not harness.redis.exists(keys.EVENTS_WAITING, keys.EVENTS_DUE, keys.EVENTS_ATTEMPTS)


def test_gone_turns_the_events_off_until_the_receiver_is_another_one(harness: LedgerHarness) -> None:
    receiver = Receiver([410, 204])
    made = delivery(harness, receiver)
    harness.make()
    harness.controls.start("c1")
    assert made.deliver_due() == 1
    assert b"events_disabled" in harness.redis.lindex(keys.HISTORY, -1)
    # No event waits now, also for a process that starts later
    harness.controls.pause("c1")
    assert delivery(harness, receiver).deliver_due() == 0
    assert not harness.redis.exists(keys.EVENTS_WAITING)
    # Another secret is another receiver
    harness.redis.delete(keys.EVENTS_LEASE)
    other = Receiver()
    changed = Delivery(Announcements(harness.redis, URL, "whsec_" + "B" * 32), URL, SECRET, send=other)
    changed.deliver_due()
    harness.controls.resume("c1")
    changed.deliver_due()
    assert [body["type"] for body, _signed in other.got] == ["campaign.resumed"]


def test_one_process_delivers_and_another_takes_over(harness: LedgerHarness, clock: Clock) -> None:
    first, second = Receiver(), Receiver()
    one, two = delivery(harness, first), delivery(harness, second)
    harness.make()
    assert (two.deliver_due(), one.deliver_due()) == (0, 1)
    harness.controls.start("c1")
    clock.advance(lua_settings.setting("EVENTS_LEASE_MS") + 1)
    assert two.deliver_due() == 1


def test_what_waits_is_bounded(harness: LedgerHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    lua_settings.change_setting(monkeypatch, "OUTGOING_MOST", 3)
    delivery(harness, Receiver())
    harness.make()
    for _ in range(3):
        harness.controls.start("c1")
        harness.controls.pause("c1")
        harness.controls.resume("c1")
    assert harness.redis.hlen(keys.EVENTS_WAITING) == 3
    found = announcements.waiting(harness.redis)
    assert found.waiting == 3
    assert found.dropped > 0


# The POST itself


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers 202, redirects `/moved`, and hangs on `/hangs`."""

    bodies: ClassVar[list[bytes]] = []

    def do_POST(self) -> None:
        if self.path == "/hangs":
            self.wfile.write(b"HTTP/1.1 200")
            time.sleep(20)
            return
        self.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(302 if self.path == "/moved" else 202)
        self.send_header("Location", "/other")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    made.daemon_threads = True
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    made.server_close()


def test_a_body_is_posted_and_no_redirect_is_followed(server: str) -> None:
    assert post(f"{server}/in?a=1", b"x", {"A": "b"}, allow_private=True) == 202
    assert post(f"{server}/moved", b"y", {}, allow_private=True) == 302
    assert Answering.bodies == [b"x", b"y"]


def test_a_receiver_that_never_ends_its_answer_is_cut_off(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post_module, "DEADLINE_S", 0.2)
    with pytest.raises(PostFailed, match="did not answer"):
        post(f"{server}/hangs", b"x", {}, allow_private=True)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "192.168.1.1", "169.254.169.254", "[::]", "[::ffff:127.0.0.1]",
     "[fe80::1]", "[2002:7f00:1::]", "224.0.0.1"],
)  # fmt: skip
def test_a_private_address_is_refused(host: str) -> None:
    with pytest.raises(PostFailed, match="has the private address"):
        post(f"https://{host}/", b"x", {}, allow_private=False)


def test_a_host_without_an_address_fails() -> None:
    with pytest.raises(PostFailed, match="has no address"):
        post("https://nowhere.invalid/", b"x", {}, allow_private=False)
