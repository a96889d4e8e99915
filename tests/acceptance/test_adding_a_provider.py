"""A sixth provider, the example of `docs/adding-a-provider.md`, through a whole campaign with real processes."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Final

from tests.support.chaos import audit
from tests.support.doubles.postbox import TOKEN, Answer, PostboxDouble
from tests.support.stack import Stack
from tests.support.waiting import until

ROWS: Final = 2_000
REJECTED: Final = frozenset(range(50, ROWS, 400))
LOST: Final = frozenset((77, 700, 1500))
THROTTLED: Final = frozenset((120, 900))
FLAKY: Final = frozenset(range(33, ROWS, 401))


def answer(row: int, times: int) -> Answer:
    if row in REJECTED:
        return 422, {}
    if row in LOST:
        return 0, {}
    if row in THROTTLED and times == 1:
        return 429, {"Retry-After": "1"}
    return (503, {}) if row in FLAKY and times == 1 else (200, {})


def test_the_example_is_short() -> None:
    lines = (Path(__file__).parents[1] / "support" / "postbox.py").read_text().splitlines()
    assert len(lines) < 100


def test_a_whole_campaign_through_the_sixth_provider(tmp_path: Path) -> None:
    """Given 2,000 recipients and a Postbox that rejects, throttles, fails, and loses responses, with a wrong key first.
    Then the first request pauses the campaign, and with the right key each recipient gets the right email exactly once,
    but for those that it rejected; the lost ones are unknown.
    """
    with PostboxDouble.running() as double:
        double.answer = answer
        settings = {"EMAIL_PROVIDER": "postbox", "POSTBOX_URL": double.url, "POSTBOX_TOKEN": "wrong"}
        settings |= {"RETRY_MIN_BACKOFF_S": "0.2", "RETRY_MAX_BACKOFF_S": "0.5"}
        with Stack.open(tmp_path, web=False, **settings) as stack:
            command = ["tests.support.postbox_web:app" if part == "api:app" else part for part in stack.web.command]
            stack.web.command = command
            assert sys.executable in command
            stack.web.start()
            until(stack.ready, "readyz")
            worker = stack.add_worker(module="tests.support.postbox_worker")
            csv = b"email\n" + b"".join(b"r%d@shop.test\n" % row for row in range(1, ROWS + 1))
            audit.launch(stack, "c1", csv, reply_to="help@shop.test", headers={"X-List": "spring"})
            assert "401" in stack.until_status("c1", "paused")["reason"]
            worker.terminate()
            worker.wait()
            stack.environment["POSTBOX_TOKEN"] = TOKEN
            stack.add_worker(module="tests.support.postbox_worker")
            stack.resume("c1")
            report = stack.until_status("c1", "completed")
        assert (report["failed"], report["unknown"]) == (len(REJECTED), len(LOST))
        assert report["done"] == ROWS - len(REJECTED) - len(LOST)
        sent = Counter(int(email["Metadata"]["row"]) for email in double.emails)
        assert sent == Counter(set(range(1, ROWS + 1)) - REJECTED)
        assert double.wrong == []
        first = next(email for email in double.emails if email["Metadata"]["row"] == "1")
        assert (first["To"], first["Subject"], first["TextBody"]) == (
            "r1@shop.test", "Hello r1@shop.test", "Dear r1@shop.test"
        )  # fmt: skip
        assert first["ReplyTo"] == "help@shop.test"
        assert {"Name": "X-List", "Value": "spring"} in first["Headers"]
