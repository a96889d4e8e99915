"""Recipients unsubscribe while a campaign runs: once their request is answered, they are not admitted any more.

Given 2,000 recipients of whom 30 are on the suppression list before, two workers and an SMTP server.
When the campaign runs, and 50 recipients post to their links meanwhile.
Then the 30 are rejected, none of the 50 that was not claimed at the answer gets an email, and each other one gets one
with its own link in both headers.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from email import message_from_bytes
from pathlib import Path
from typing import Any, Final

from campaigns import keys
from campaigns.db.scripts import Scripts
from consent.links import Links, mark_of
from consent.suppressions import Suppressions
from storage import MissingObject
from tests.support.doubles.object_store import MemoryStore
from tests.support.doubles.smtp import SmtpDouble
from tests.support.stack import Stack
from tests.support.suppressions import NAMES

ROWS: Final = 2_000
BEFORE: Final = range(1, ROWS + 1, 67)
LEAVING: Final = range(305, ROWS + 1, 34)
KEY: Final = "k" * 32


def address(row: int) -> str:
    return f"ann.{row}@shop.test"


def test_who_unsubscribes_while_the_campaign_runs_gets_nothing_more(tmp_path: Path) -> None:
    with SmtpDouble().in_thread() as double:
        settings: dict[str, Any] = {
            "EMAIL_PROVIDER": "smtp",
            "SMTP_URL": double.url,
            "SEND_TIMEOUT_S": "60",
            "SECRET_KEY": KEY,
        }
        with Stack.open(tmp_path, **settings) as stack:
            stack.add_worker()
            stack.add_worker()
            stack.call("POST", "/suppressions", {"emails": [address(row) for row in BEFORE]})
            stack.put("spring", subject="Hi", text="{{ unsubscribe_url }}", html=None, tpm=12_000)
            stack.upload("spring", b"email\n" + "".join(f"{address(row)}\n" for row in range(1, ROWS + 1)).encode())
            stack.start("spring")
            stack.until("spring", lambda report: report["done"] > 0, "the first email")
            stopped = {row for row in LEAVING if leave(stack, row)}
            report = stack.until_status("spring", "completed")
            states = list(csv.DictReader(io.StringIO(stack.recipients("spring").decode())))
    arrived = Counter(row_of(message_from_bytes(one.data)["To"]) for one in double.arrivals)

    assert len(stopped) >= len(LEAVING) // 2, "the campaign was over too soon"
    assert arrived == Counter(set(range(1, ROWS + 1)) - set(BEFORE) - stopped)
    assert (report["rejected"], report["failed"]) == (len(BEFORE), len(stopped))
    assert {int(one["row"]) for one in states if one["reason"] == "suppressed"} == set(BEFORE) | stopped
    for one in double.arrivals:
        message = message_from_bytes(one.data)
        assert f"<{str(message.get_payload()).strip()}>" == message["List-Unsubscribe"]
        assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in one.data


def leave(stack: Stack, row: int) -> bool:
    """Post to the link of a recipient. Returns whether no worker has claimed the row by the answer."""
    redis = stack.redis_client()
    found: Any = redis.hget(keys.campaign("spring"), "list_version")
    version = found.decode()
    hashed = Suppressions(Scripts(redis), MemoryStore(), NAMES, MissingObject).hash_of(address(row))
    assert hashed is not None
    stack.call("POST", f"/u/{Links(KEY).token(mark_of(f'spring/{version}'), row, hashed)}")
    in_flight = redis.hexists(keys.of("spring", "in_flight"), str(row))
    return not in_flight and not redis.getbit(keys.of("spring", "done"), row)


def row_of(written: str) -> int:
    return int(written.partition("@")[0].rpartition(".")[2])
