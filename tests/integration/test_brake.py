"""The brake and the suppression list under a storm of events, with real processes and a real server.

Nothing may be sent after the answer to the event that says so, but for what was on its way to the provider then.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import send
from tests.support.doubles.sendgrid_events import Signer, event
from tests.support.stack import Stack
from tests.support.waiting import until

SIGNER = Signer()
#: The rows of a small campaign.
FEW = 8_000
#: Events of one POST; SendGrid sends more at once, and the storm then is over sooner.
BATCH = 250
PAUSED_WITHIN_S = 5.0


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with Stack.open(tmp_path, SENDGRID_WEBHOOK_PUBLIC_KEY=SIGNER.public_key) as stack:
        yield stack


def post(stack: Stack, events: Sequence[dict[str, Any]]) -> None:
    body = json.dumps(events).encode()
    status, _answer, _headers = send(
        "POST", f"http://127.0.0.1:{stack.port}/webhooks/sendgrid", body, SIGNER.headers(body)
    )
    assert status == 200


def running(stack: Stack, *names: str, rows: int = 30_000) -> None:
    """Campaigns that send 500 emails per second, and have sent some."""
    stack.add_worker()
    for name in names:
        stack.put(name, tpm=30_000)
        stack.upload(name, b"email\n" + b"".join(b"r%d@shop.test\n" % row for row in range(1, rows + 1)))
        stack.start(name)
    for name in names:
        stack.until(name, lambda status: status["done"] >= 1500, "some are sent")


def given(stack: Stack, name: str) -> list[int]:
    """The rows of a campaign that the provider has got, in that order."""
    return [arrival.row for arrival in stack.double.arrivals() if arrival.campaign_id == name]


def admitted(status: dict[str, Any]) -> int:
    """How many rows have been given to the provider, or are on their way."""
    found: int = status["done"] + status["failed"] + status["in_flight"] + status["unknown"]
    return found


def test_a_storm_of_events_pauses_the_campaign_within_five_seconds_and_nothing_is_admitted_after_that(
    stack: Stack,
) -> None:
    """Given two campaigns that send, when 20,000 events about both come in eight threads, in any order and partly
    twice, and the bounces of one pass its limit, then that campaign is paused, and the other one goes on.
    """
    running(stack, "c1", "c2")
    sent, others = given(stack, "c1")[:1000], given(stack, "c2")[:1000]
    events = [event(str(row), "processed") for row in sent]
    events += [event(str(row), "bounce" if place % 10 == 0 else "delivered") for place, row in enumerate(sent)] * 6
    events += [event(str(row), "open", sg_event_id=f"x{row}") for row in sent] * 6
    events += [event(str(row), "delivered", campaign_id="c2") for row in others] * 7
    assert len(events) == 20_000
    random.Random(7).shuffle(events)
    storm = Storm(stack)
    storm.run(events)
    # Then it is paused, and was so within 5 s of the events that passed the limit
    found = stack.status("c1")
    assert found["status"] == "paused"
    assert found["reason"].startswith("brake: ")
    assert storm.paused_after_s() <= PAUSED_WITHIN_S
    # and nothing is admitted any more, but for what the first status of the pause shows on its way
    ended = stack.until("c1", lambda status: status["in_flight"] == 0, "what was on its way has arrived")
    assert admitted(ended) == storm.admitted_when_paused
    assert (ended["delivered"], ended["bounced"], ended["opened"]) == (900, 100, 1000)
    assert len(given(stack, "c1")) == ended["done"]
    assert stack.status("c2")["status"] == "running"
    refused, problem = stack.ask("POST", "/campaigns/c1/resume")
    assert (refused, "accept_brake" in json.loads(problem)["detail"]) == (409, True)


class Storm:
    """Posts events in eight threads and watches when the campaign `c1` is paused.

    `admitted_when_paused`: of the first status that shows the pause.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._lock = threading.Lock()
        self._bounced: set[str] = set()
        self._reported: set[str] = set()
        self._passed_at = 0.0
        self._paused_at = 0.0
        self.admitted_when_paused = 0

    def run(self, events: Sequence[dict[str, Any]]) -> None:
        """Post all events, and wait until the campaign is paused."""
        watch = threading.Thread(target=self._watch)
        watch.start()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._post, [events[at : at + BATCH] for at in range(0, len(events), BATCH)]))
        watch.join()

    def paused_after_s(self) -> float:
        """How long after the answer to the events that passed the limit the pause was seen."""
        return self._paused_at - self._passed_at

    def _post(self, events: list[dict[str, Any]]) -> None:
        post(self._stack, events)
        with self._lock:
            for one in (one for one in events if one["campaign_id"] == "c1"):
                if one["event"] in {"bounce", "delivered"}:
                    self._reported.add(one["row"])
                if one["event"] == "bounce":
                    self._bounced.add(one["row"])
            is_passed = len(self._reported) >= 100 and len(self._bounced) > 0.05 * len(self._reported)
            if is_passed and not self._passed_at:
                self._passed_at = time.monotonic()

    def _watch(self) -> None:
        def is_paused() -> bool:
            status = self._stack.status("c1")
            if status["status"] == "paused":
                self.admitted_when_paused = admitted(status)
                self._paused_at = time.monotonic()
            return bool(self._paused_at)

        until(is_paused, "the campaign is paused")


def test_an_event_that_is_answered_has_its_effect(stack: Stack) -> None:
    """Given a campaign that sends, when one event passes the limit, then the status after its answer shows the pause;
    and when it is resumed and an address complains that has no row, then no email goes to that address.
    """
    running(stack, "c1", rows=FEW)
    sent = given(stack, "c1")
    post(stack, [event(str(row), "delivered") for row in sent[:1000]])
    post(stack, [event(str(row), "bounce") for row in sent[1000:1053]])
    assert stack.status("c1")["reason"] == "brake: 53 of 1053 bounced (5.0 %), the limit is 5 %"
    stack.call("POST", "/campaigns/c1/resume", {"accept_brake": True})
    late = range(FEW - 49, FEW + 1)
    post(stack, [{"event": "bounce", "email": f"R{row}@shop.test", "sg_message_id": ""} for row in late])
    stack.rate("c1", 10_000_000)
    ended = stack.until_status("c1", "completed")
    assert (ended["done"], ended["failed"]) == (FEW - 50, 50)
    assert set(given(stack, "c1")) == set(range(1, FEW - 49))
    assert b'"r8000@shop.test","failed","suppressed"' in stack.recipients("c1", "failed")
    assert "shop.test" not in stack.web.output()
