"""DELETE /recipients?email=: nothing keeps the address, nothing is sent to it, and every other row stays as it was."""

from __future__ import annotations

import csv
import gzip
import io
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from api import erasure
from campaigns import keys, messages
from campaigns.erasure import ErasureLease, without
from campaigns.ledger import requeued_entry
from consent.records import Reason
from lists.recipient import Recipient
from tests.support.app_harness import AppHarness
from tests.support.doubles.web import Answer
from tests.support.ledger_harness import Batch
from tests.support.suppressions import suppressions
from worker.prefetcher import Prefetcher

ANN = "ann@shop.test"
NEEDLES = (b"ann@shop.test", b"Annabel")
LIST = (
    b"name,email,note\r\n"
    b"Bob,bob@shop.test,\r\n"  # 1
    b'Annabel,"Ann@shop.test ","quoted,\nover lines"\r\n'  # 2
    b"Cy,cy@shop.test,knows ann@shop.test\r\n"  # 3
    b"Annabel,ann@SHOP.test,again\r\n"  # 4 rejected: duplicate
    b"Joann,joann@shop.test,\r\n"  # 5
)


@pytest.fixture
def app(fake_redis: Redis, tmp_path: Path) -> AppHarness:
    return AppHarness(fake_redis, {"OUTBOX_DIR": str(tmp_path)})


def erase(app: AppHarness, email: str = ANN) -> Answer:
    return app.web.request("DELETE", f"/recipients?email={email}")


def everything(app: AppHarness) -> Iterator[tuple[str, bytes]]:
    """All values of Redis and of the object store, and where they stand."""
    redis: Any = app.redis
    readers: dict[bytes, Callable[[bytes], Any]] = {
        b"string": redis.get,
        b"list": lambda key: redis.lrange(key, 0, -1),
        b"hash": redis.hgetall,
        b"set": redis.smembers,
        b"zset": lambda key: redis.zrange(key, 0, -1),
    }
    for key in redis.keys("*"):
        yield key.decode(), repr(readers[redis.type(key)](key)).encode()
        yield "the name of a key", key
    yield from app.store.objects.items()
    outbox = Path(app.starlette.state.components.settings.outbox_dir)
    for file in outbox.rglob("*.eml"):
        yield str(file), file.read_bytes()


def left(app: AppHarness, *needles: bytes) -> list[str]:
    found = []
    for place, value in everything(app):
        text = value.lower().replace(b"joann@shop.test", b"")
        if any(needle.lower() in text for needle in needles or NEEDLES):
            found.append(place)
    return found


def prefetch(app: AppHarness, campaign_id: str = "c1") -> None:
    campaign = app.harness.catalog.get(campaign_id)
    Prefetcher(app.harness.ledger, app.store, threading.Event()).prefetch(campaign)


def rows(app: AppHarness, campaign_id: str = "c1") -> dict[int, tuple[str, str, str]]:
    body = app.web.get(f"/campaigns/{campaign_id}/recipients.csv").body.decode()
    found = csv.DictReader(io.StringIO(body))
    return {int(row["row"]): (row["email"], row["state"], row["reason"]) for row in found}


def running(app: AppHarness, campaign_id: str = "c1", **content: Any) -> None:
    app.ready(LIST, campaign_id, text="{{ name }}", tpm=10_000_000, **content)
    assert app.web.post(f"/campaigns/{campaign_id}/start").status == 200


def test_an_address_disappears_from_everything(app: AppHarness, tmp_path: Path) -> None:
    """Given campaigns with the address among ready, requeued and held rows, in messages, reasons, reports and files."""
    running(app)
    prefetch(app)
    app.web.post("/campaigns/c1/pause")
    redis: Any = app.redis
    person = Recipient(2, "Ann@shop.test", ["Annabel"])
    redis.rpush(keys.of("c1", "requeued"), requeued_entry(1, person))
    redis.rpush(f"{keys.of('c1', 'held')}:shop.test", requeued_entry(0, person))
    redis.hset(keys.of("c1", "reasons"), "2", "550 <ann@shop.test> is full")
    redis.hset(keys.of("c1", "dropped"), "2", "ann@shop.test bounced")
    message = messages.encode(messages.SEND_EMAIL, "c1", "v", [[2, ANN, ["Annabel"]], [3, "cy@shop.test", ["Cy"]]])
    for queue in ("send_email", "send_email.DQ", "send_email.XQ"):
        redis.hset(f"dramatiq:{queue}.msgs", message.message_id, message.data)
    for place in ("c1/2.eml", "c1/3.eml", "_test/c1/a.eml", "_test/c1/b.eml"):
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(
            b"To: ann@shop.test\r\n" if place in {"c1/2.eml", "_test/c1/a.eml"} else b"To: x@shop.test\r\n"
        )
    app.ready(LIST, "c2")
    app.ready(b"email\nbob@shop.test\n", "c3")
    suppressions(redis, app.store).add([ANN], Reason.UNSUBSCRIBED, "asked as ann@shop.test")
    suppressions(redis, app.store).flush()
    assert left(app)
    ready_bytes = redis.hget(keys.of("c1", "progress"), "ready_bytes")

    answer = erase(app, "ANN@shop.test")

    assert (answer.status, answer.json()) == (200, {"campaigns": 2})
    assert left(app) == []
    assert sorted(file.name for file in tmp_path.rglob("*.eml")) == ["3.eml", "b.eml"]
    assert rows(app) == {
        1: ("bob@shop.test", "pending", ""),
        2: ("", "failed", "erased"),
        3: ("cy@shop.test", "pending", ""),
        4: ("", "rejected", "duplicate:2"),
        5: ("joann@shop.test", "pending", ""),
    }
    report = app.harness.report()
    assert (report.total, report.failed, report.pending, report.rejected) == (4, 1, 3, 1)
    assert redis.hget(keys.of("c1", "progress"), "ready_bytes") == ready_bytes
    # Its hash stays, so that it gets no email
    listed = app.web.get(f"/suppressions?email={ANN}").json()
    assert listed["suppressed"]
    assert [entry["what"] for entry in listed["entries"]] == ["unsubscribed", "manual", "erased"]
    [noted] = [one for one in app.web.get("/history").json()["history"] if one["event"] == "address_erased"]
    assert noted["details"] == {"campaigns": 2}
    # And again: nothing is found
    assert erase(app).json() == {"campaigns": 0}


def test_a_row_that_waits_is_never_sent_and_all_others_are(app: AppHarness) -> None:
    """Given a campaign that is paused while its rows wait, then the rest goes on after the erasure, and completes."""
    running(app, unsubscribe=False)
    prefetch(app)
    app.web.post("/campaigns/c1/pause")
    assert erase(app).json() == {"campaigns": 1}
    app.web.post("/campaigns/c1/resume")
    assert sorted(app.harness.drain()) == [1, 3, 5]
    report = app.harness.report()
    assert (report.status, report.done, report.failed, report.pending) == ("completed", 3, 1, 0)
    # And a retry of failed rows does not bring it back
    app.web.post("/campaigns/c1/reconcile", {"retry_failed": True})
    prefetch(app)
    assert app.harness.drain() == []
    assert left(app) == []


def test_the_last_row_of_a_running_campaign_completes_it(app: AppHarness) -> None:
    app.ready(b"name,email\nAnnabel,ann@shop.test\n")
    app.web.post("/campaigns/c1/start")
    assert erase(app).json() == {"campaigns": 1}
    assert app.harness.report().status == "completed"


def in_flight(app: AppHarness, row: int) -> Batch:
    """Send until this row is in flight; return its batch, whose other rows are done."""
    for _ in range(10):
        for batch in app.harness.batches():
            granted = app.harness.admit(batch).granted
            app.harness.settle(batch, sorted(granted - {row}), "accepted")
            if row in granted:
                return batch
    raise AssertionError("the row was not admitted")


def test_a_row_in_flight_is_waited_for(app: AppHarness) -> None:
    """Given an email on its way, then the response says so, and the next request also erases what came back of it."""
    running(app)
    prefetch(app)
    batch = in_flight(app, 2)
    answer = erase(app)
    assert (answer.status, answer.headers["retry-after"]) == (503, "60")
    assert "1 campaigns" in answer.detail
    app.harness.settle(batch, [2], "rejected", reason="550 <ann@shop.test> is unknown")
    assert erase(app).json() == {"campaigns": 1}
    assert left(app) == []
    assert app.harness.report().failed == 1


def test_a_list_that_is_being_parsed_is_waited_for(app: AppHarness) -> None:
    app.make()
    app.upload(LIST)
    answer = erase(app)
    assert (answer.status, "being parsed" in answer.detail) == (503, True)
    app.parse()
    # By then the parser has rejected it, for it is on the suppression list
    assert erase(app).json() == {"campaigns": 1}
    assert left(app) == []
    assert app.harness.report().rejected == 2


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: data.decode().replace("Cy", "Çy").encode("cp1252")])
def test_an_original_that_was_converted_is_deleted(app: AppHarness, pack: Callable[[bytes], bytes]) -> None:
    app.ready(pack(LIST))
    campaign = app.harness.catalog.get("c1")
    assert campaign.object_key != campaign.list_key
    assert erase(app).json() == {"campaigns": 1}
    assert campaign.object_key not in app.store.objects
    assert left(app) == []
    assert rows(app)[1][0] == "bob@shop.test"


@pytest.mark.parametrize(("csv_", "found"), [(b"name,note\nAnnabel,ann@shop.test\n", 1), (b"name,note\nBob,b\n", 0)])
def test_an_upload_that_could_not_be_used_is_deleted_if_it_has_the_address(
    app: AppHarness, csv_: bytes, found: int
) -> None:
    app.make()
    app.upload(csv_)
    app.parse()
    assert app.harness.report().status == "rejected"
    assert erase(app).json() == {"campaigns": found}
    assert len(app.store.objects) - (1 - found) == len([key for key in app.store.objects if "suppressions" in key])


def test_a_request_works_for_a_bounded_time_and_the_next_one_goes_on(
    app: AppHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        app.ready(LIST, f"c{number}")
    monkeypatch.setattr(erasure, "ERASE_S", -1.0)
    for done in (1, 2):
        answer = erase(app)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert f"{done} of 3" in answer.detail
        assert app.web.get(f"/suppressions?email={ANN}").json()["suppressed"]
    assert erase(app).json() == {"campaigns": 3}
    assert left(app) == []
    assert app.redis.keys("postrider:erasure*") == []


def test_one_erasure_at_a_time_rewrites_lists(app: AppHarness) -> None:
    app.ready(LIST)
    other = ErasureLease(app.redis)
    assert other.hold()
    assert erase(app).status == 503
    other.release()
    assert erase(app).json() == {"campaigns": 1}


def test_an_erasure_that_breaks_off_is_done_by_the_next_request(
    app: AppHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given an object store that fails at each of its writes in turn."""
    running(app)
    prefetch(app)
    put_file = app.store.put_file
    for broken in range(4):
        calls = iter(range(10))

        def sometimes(*args: Any, broken: int = broken, calls: Iterator[int] = calls, **more: Any) -> None:
            app.store.away = next(calls) == broken
            put_file(*args, **more)

        monkeypatch.setattr(app.store, "put_file", sometimes)
        erase(app)
        app.store.away = False
    assert erase(app).status == 200
    assert left(app) == []
    app.harness.report()


@pytest.mark.parametrize("query", ["", "?email=", "?email=nobody", "?mail=ann@shop.test"])
def test_a_request_without_an_address_is_422(app: AppHarness, query: str) -> None:
    assert app.web.request("DELETE", f"/recipients{query}").status == 422


def test_an_unknown_address_is_200(app: AppHarness) -> None:
    assert erase(app).json() == {"campaigns": 0}


def test_messages_that_are_not_ours_stay() -> None:
    for raw in (b"", b"\xff", b"[1]", b'{"args": []}', b'{"args": ["c", "v", "ann@shop.test"]}', b'{"args": 5}'):
        assert without(raw, ANN) is None
