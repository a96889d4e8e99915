"""The suppression list while a large campaign runs: whoever is on it when a request is answered is not admitted then.

Given 20,000 recipients of whom 300 are on the list before, and two workers.
When the campaign runs, 500 recipients post to their unsubscribe links, and SendGrid reports 50 bounces by the address
alone, all of them twice.
Then none of them is admitted after the answer to its request, all others get one email each, and the counts are exact.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest

from campaigns import keys
from consent.links import Links, mark_of
from tests.support.client import send
from tests.support.doubles.object_store import MemoryStore
from tests.support.doubles.sendgrid_events import Signer
from tests.support.stack import Stack
from tests.support.suppressions import suppressions

ROWS: Final = 20_000
BEFORE: Final = range(60, ROWS + 1, 66)
LEAVING: Final = range(4_001, ROWS + 1, 32)
BOUNCING: Final = range(4_003, ROWS + 1, 320)
KEY: Final = "k" * 32
SIGNER: Final = Signer()


def address(row: int) -> str:
    return f"ann.{row}@shop.test"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with Stack.open(tmp_path, SECRET_KEY=KEY, SENDGRID_WEBHOOK_PUBLIC_KEY=SIGNER.public_key) as stack:
        stack.add_worker()
        stack.add_worker()
        yield stack


def test_no_one_is_admitted_after_the_answer(stack: Stack) -> None:
    assert (len(BEFORE), len(LEAVING), len(BOUNCING)) == (303, 500, 50)
    stack.call("POST", "/suppressions", {"emails": [address(row).upper() for row in BEFORE]})
    stack.put("spring", subject="Hi", text="{{ unsubscribe_url }}", html=None, tpm=60_000)
    stack.upload("spring", b"email\n" + "".join(f"{address(row)}\n" for row in range(1, ROWS + 1)).encode())
    stack.start("spring")
    stack.until("spring", lambda report: report["done"] > 0, "the first email")
    people = People(stack)
    with ThreadPoolExecutor(4) as pool:
        left = [row for row, is_stopped in zip(LEAVING, pool.map(people.leave, LEAVING), strict=True) if is_stopped]
        groups = [list(BOUNCING[at : at + 5]) for at in range(0, len(BOUNCING), 5)]
        bounced = [row for group in pool.map(people.bounce, groups) for row in group]
    report = stack.until_status("spring", "completed")

    stopped = {*left, *bounced}
    assert len(stopped) >= (len(LEAVING) + len(BOUNCING)) // 2, "the campaign was over too soon"
    arrived = Counter(arrival.row for arrival in stack.double.arrivals())
    assert arrived == Counter(set(range(1, ROWS + 1)) - set(BEFORE) - stopped)
    figures = {name: report[name] for name in ("done", "failed", "rejected", "pending", "unknown", "in_flight")}
    assert figures == {
        "done": ROWS - len(BEFORE) - len(stopped), "failed": len(stopped), "rejected": len(BEFORE),
        "pending": 0, "unknown": 0, "in_flight": 0,
    }  # fmt: skip
    states = list(csv.DictReader(io.StringIO(stack.recipients("spring").decode())))
    assert {int(one["row"]) for one in states if one["reason"] == "suppressed"} == set(BEFORE) | stopped
    reasons = Counter(
        row["reason"] for row in csv.DictReader(io.StringIO(stack.ask("GET", "/suppressions.csv")[1].decode()))
    )
    assert reasons == {"manual": len(BEFORE), "unsubscribed": len(LEAVING), "bounced": len(BOUNCING)}
    assert "shop.test" not in stack.web.output()


class People:
    """The recipients of the campaign `spring`, who may be stopped while it runs."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._redis = stack.redis_client()
        found: Any = self._redis.hget(keys.campaign("spring"), "list_version")
        self._mark = mark_of(f"spring/{found.decode()}")
        self._hash_of = suppressions(self._redis, MemoryStore()).hash_of

    def leave(self, row: int) -> bool:
        """Post to a recipient's link. Returns whether no worker has claimed the row by the answer."""
        number = self._hash_of(address(row))
        assert number is not None
        for _ in range(2):
            self._stack.call("POST", f"/u/{Links(KEY).token(self._mark, row, number)}")
        return self._is_unclaimed(row)

    def bounce(self, rows: Sequence[int]) -> list[int]:
        """SendGrid reports late bounces, which have lost their custom arguments. Returns those that are unclaimed."""
        late = [
            {"event": "bounce", "email": address(row).title(), "sg_message_id": "", "type": "bounce"} for row in rows
        ]
        body = json.dumps([*late, *late]).encode()
        url = f"http://127.0.0.1:{self._stack.port}/webhooks/sendgrid"
        assert send("POST", url, body, SIGNER.headers(body))[0] == 200
        return [row for row in rows if self._is_unclaimed(row)]

    def _is_unclaimed(self, row: int) -> bool:
        in_flight = self._redis.hexists(keys.of("spring", "in_flight"), str(row))
        return not in_flight and not self._redis.getbit(keys.of("spring", "done"), row)
