"""A no is a no, with real processes: whoever says it while a campaign runs gets no email after the answer.

Given 20,000 recipients, of whom 300 are on the suppression list before, two workers, and SendGrid's double.
When the campaign runs, 500 recipients unsubscribe by POST, from four clients at once, and the provider reports late
bounces of 50 more by nothing but their addresses.
Then no email arrives at the provider's door after the answer to its recipient's request, except those that a worker had
claimed by then; every other recipient gets one email; and all counts are exact.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

from redis import Redis

from campaigns import keys
from campaigns.db.scripts import Scripts
from consent.links import Links, mark_of
from consent.suppressions import Suppressions
from storage import MissingObject
from tests.support.client import send
from tests.support.doubles.object_store import MemoryStore
from tests.support.doubles.sendgrid_events import Signer, event
from tests.support.stack import Stack
from tests.support.suppressions import NAMES

ROWS: Final = 20_000
KEY: Final = "k" * 32
SIGNER: Final = Signer()
EVERYONE: Final = frozenset(range(1, ROWS + 1))
BEFORE: Final = frozenset(range(7, ROWS, 66)[:300])
LEAVING: Final = [row for row in range(400, ROWS, 39) if row not in BEFORE][:500]
BOUNCING: Final = [row for row in range(6_000, ROWS, 270) if row not in BEFORE and row not in LEAVING][:50]
#: Both forms of RFC 8058, section 3.2.
BODIES: Final = (
    ("application/x-www-form-urlencoded", b"List-Unsubscribe=One-Click"),
    (
        "multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n',
    ),
)


class No(NamedTuple):
    """When the answer to a request came, in s since the epoch, and whether a worker had claimed the row by then."""

    at_s: float
    claimed: bool


def address(row: int) -> str:
    return f"ann.{row}@shop.test"


def test_nothing_is_sent_after_the_answer_to_a_no(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "SECRET_KEY": KEY,
        "SENDGRID_WEBHOOK_PUBLIC_KEY": SIGNER.public_key,
        "SEND_TIMEOUT_S": "60",
    }
    with Stack.open(tmp_path, **settings) as stack:
        stack.add_worker()
        stack.add_worker()
        stack.call("POST", "/suppressions", {"emails": [address(row) for row in sorted(BEFORE)]})
        stack.put("spring", tpm=40_000)
        stack.upload("spring", b"email\n" + "".join(f"{address(row)}\n" for row in sorted(EVERYONE)).encode())
        stack.start("spring")
        stack.until("spring", lambda report: report["done"] > 0, "the first email")
        answers = say_no(stack)
        report = stack.until_status("spring", "completed")
        states = list(csv.DictReader(io.StringIO(stack.recipients("spring").decode())))
        arrivals = stack.double.arrivals()
        listed = csv.DictReader(io.StringIO(stack.ask("GET", "/suppressions.csv")[1].decode()))
        logged = stack.web.output()

    stopped = {row for row, no in answers.items() if not no.claimed}
    assert len(stopped) > 300, "the campaign was over too soon"
    late = {one.row for one in arrivals if one.row in answers and one.time_s > answers[one.row].at_s}
    assert late <= {row for row, no in answers.items() if no.claimed}
    failed = {int(one["row"]) for one in states if (one["state"], one["reason"]) == ("failed", "suppressed")}
    assert stopped <= failed <= set(answers)
    assert Counter(one.row for one in arrivals) == Counter(EVERYONE - BEFORE - failed)
    assert {int(one["row"]) for one in states if one["state"] == "rejected"} == BEFORE
    reasons = {"manual": len(BEFORE), "unsubscribed": len(LEAVING), "bounced": len(BOUNCING)}
    assert Counter(one["reason"] for one in listed) == reasons
    assert "shop.test" not in logged
    assert (report["total"], report["rejected"]) == (ROWS - len(BEFORE), len(BEFORE))
    assert report["unsubscribed"] == len({row for row in LEAVING if row not in failed})
    assert (report["done"], report["failed"], report["pending"]) == (ROWS - len(BEFORE) - len(failed), len(failed), 0)


def say_no(stack: Stack) -> dict[int, No]:
    """All requests, from four clients at once; return the answers by row."""
    redis = stack.redis_client()
    version: Any = redis.hget(keys.campaign("spring"), "list_version")
    hashes = Suppressions(Scripts(redis), MemoryStore(), NAMES, MissingObject).hashes([address(row) for row in LEAVING])
    mark, links = mark_of(f"spring/{version.decode()}"), Links(KEY)
    tokens = {row: links.token(mark, row, one) for row, one in zip(LEAVING, hashes, strict=True)}

    def unsubscribe(row: int) -> list[tuple[int, No]]:
        kind, body = BODIES[row % 2]
        assert stack.ask("POST", f"/u/{tokens[row]}", body, content_type=kind)[0] == 200
        return answered(redis, [row])

    def bounce(rows: Sequence[int]) -> list[tuple[int, No]]:
        body = json.dumps([late_bounce(row) for row in rows]).encode()
        url = f"http://127.0.0.1:{stack.port}/webhooks/sendgrid"
        assert send("POST", url, body, SIGNER.headers(body))[0] == 200
        return answered(redis, rows)

    with ThreadPoolExecutor(4) as clients:
        reports = [clients.submit(bounce, BOUNCING[start : start + 10]) for start in range(0, len(BOUNCING), 10)]
        found = [clients.submit(unsubscribe, row) for row in LEAVING]
        return dict(pair for one in (*reports, *found) for pair in one.result())


def answered(redis: Redis, rows: Sequence[int]) -> list[tuple[int, No]]:
    """The time, and whether each row is claimed or has been sent: right after the answer."""
    at_s = time.time()
    with redis.pipeline(transaction=True) as pipeline:
        for row in rows:
            pipeline.hexists(keys.of("spring", "in_flight"), str(row))
            pipeline.getbit(keys.of("spring", "done"), row)
        found = pipeline.execute()
    return [(row, No(at_s, bool(found[2 * place] or found[2 * place + 1]))) for place, row in enumerate(rows)]


def late_bounce(row: int) -> dict[str, Any]:
    """A bounce as SendGrid reports some asynchronous ones: without custom arguments and message id."""
    found = event(row, "bounce", email=address(row), type="bounce", reason="550 no such user", sg_message_id="")
    return {name: value for name, value in found.items() if name not in {"campaign_id", "row", "smtp-id"}}
