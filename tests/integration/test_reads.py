"""Reading never writes: every GET returns the right figures while Redis refuses every write."""

from __future__ import annotations

import asyncio
import csv
import io
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis
from redis.exceptions import ResponseError

from api import components, dashboard
from api.endpoints import ENDPOINTS
from campaigns import keys
from campaigns.db.scripts import Scripts
from embedded.ports import free_port
from tests.support import services
from tests.support.app_harness import AppHarness
from tests.support.ledger_harness import recipient

CSV = b"name,email\nAda,ada@shop.test\nBob,bob@shop.test\nBad,nobody\nCy,cy@shop.test\nDan,dan@shop.test\n"
#: GET routes with tests of their own: readiness says what is wrong with Redis, `/u/` needs a signed token, the sender
#: check asks the DNS, an upload is there only until its list is complete, and an email of the outbox is a file.
OTHERS = {"/readyz", "/u/{token}", "/sender-check", "/campaigns/{id}/uploads/{upload_id}", "/outbox/{id}/{name}"}
#: Queries that a path needs.
QUERIES = {
    "/suppressions": "?email=a@shop.test",
    "/campaigns/{id}/recipients": "?email=ada@shop.test",
    "/recipients": "?email=ada@shop.test",
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "redis"
    made.mkdir()
    return made


@pytest.fixture
def client(directory: Path) -> Iterator[Any]:
    """A client, made as the web process makes it, of a separate server, since its refusals would outlive the test."""
    with services.valkey_server(directory) as url:
        made = components.connect(url)
        yield made
        made.config_set("save", "")  # a server with a snapshot to write would not end while it cannot write
        made.close()


def replica(client: Any, _directory: Path) -> None:
    client.execute_command("REPLICAOF", "127.0.0.1", free_port())


def no_memory(client: Any, _directory: Path) -> None:
    client.config_set("maxmemory", 1)


def no_replicas(client: Any, _directory: Path) -> None:
    client.config_set("min-replicas-to-write", 1)


def broken_disk(client: Any, directory: Path) -> None:
    """A snapshot that cannot be written."""
    client.config_set("save", "3600 1")
    shutil.rmtree(directory)
    client.bgsave()
    deadline = time.monotonic() + 30
    while client.info("persistence")["rdb_last_bgsave_status"] == "ok":
        assert time.monotonic() < deadline
        time.sleep(0.01)


def prepared(client: Any) -> AppHarness:
    """A paused campaign with a row in each state, whose window has buckets that no longer count."""
    app = AppHarness(client)
    campaign = app.ready(CSV, tpm=10_000_000)
    app.web.post("/campaigns/c1/start")
    app.harness.prove("c1")
    app.harness.ledger.prefetch("c1", campaign.list_version, 0, 5, [recipient(row) for row in (1, 2, 4, 5)])
    (batch,) = app.harness.batches()
    app.harness.admit(batch)
    app.harness.settle(batch, [1], "accepted")
    app.harness.settle(batch, [2], "rejected", reason="400: no")
    app.harness.settle(batch, [4], "unknown", reason="no answer")
    app.web.post("/campaigns/c1/pause")
    app.harness.reconciler.reconcile(app.harness.catalog.get("c1"))
    last = time.time_ns() // 1_000_000 + 600_000  # the window does not move within the test
    young, old = last // 100, last // 100 - 700
    window = {young: 3, old: 5, "sum": 8, "tail": old, "last": last}
    client.delete(keys.of("c1", "window"))
    client.hset(keys.of("c1", "window"), mapping=window)
    return app


def reading() -> list[str]:
    """Every path that is read."""
    paths = [endpoint.path for endpoint in ENDPOINTS if endpoint.method == "GET"]
    paths += [route.path for route in dashboard.ROUTES]
    named = [
        path.replace(":path", "").format(id="c1", name="app.js") + QUERIES.get(path, "")
        for path in paths
        if path not in OTHERS
    ]
    return [path for path in named if not path.endswith("/events")]


def first_event(app: AppHarness) -> dict[str, Any]:
    async def ask() -> dict[str, Any]:
        text = ""
        async with asyncio.timeout(30), aclosing(app.web.messages("GET", "/campaigns/c1/events", [b""])) as messages:
            async for message in messages:
                text += message.get("body", b"").decode()
                if "data: " in text:
                    found: dict[str, Any] = msgspec.json.decode(text.partition("data: ")[2].partition("\n\n")[0])
                    return found
        raise AssertionError(text)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("refuse", "words"),
    [(replica, "read only"), (no_memory, "OOM|maxmemory"), (no_replicas, "NOREPLICAS"), (broken_disk, "MISCONF")],
)
def test_every_get_returns_the_right_figures_while_redis_refuses_writes(
    client: Any, directory: Path, refuse: Callable[[Any, Path], None], words: str
) -> None:
    # Given a campaign, and a Redis that accepts no writes any more and knows no script
    before = prepared(client)
    client.script_flush()
    refuse(client, directory)
    with pytest.raises(ResponseError, match=words):
        client.set("x", "1")
    # When a client reads every path of a new web process
    with components.connect(_url(client)) as fresh:
        app = AppHarness(fresh, store=before.store)
        answers = {path: app.web.get(path) for path in reading()}
        event = first_event(app)
    # Then every response is right
    assert {path: answer.status for path, answer in answers.items()} == dict.fromkeys(answers, 200)
    status = answers["/campaigns/c1/status"].json()
    figures = {name: status[name] for name in ("done", "failed", "unknown", "in_flight", "pending", "total")}
    assert figures == {"done": 1, "failed": 1, "unknown": 1, "in_flight": 1, "pending": 2, "total": 4}
    assert (status["status"], status["rejected"], status["sent_last_minute"]) == ("paused", 1, 3)
    assert event == status
    [listed] = answers["/campaigns"].json()["campaigns"]
    assert listed["progress"] == status
    rows = list(csv.reader(io.StringIO(answers["/campaigns/c1/recipients.csv"].body.decode())))
    assert [row[2] for row in rows[1:]] == ["done", "failed", "rejected", "unknown", "pending"]
    assert b'postrider_sent_last_minute{campaign="c1"} 3.0' in answers["/metrics"].body
    assert b"postrider_up 1.0" in answers["/metrics"].body


@pytest.mark.parametrize("refuse", [replica, no_memory, no_replicas, broken_disk])
def test_an_empty_redis_that_refuses_writes_is_read_as_empty(
    client: Any, directory: Path, refuse: Callable[[Any, Path], None]
) -> None:
    client.config_set("min-replicas-to-write", 0)
    client.flushall()
    refuse(client, directory)
    with components.connect(_url(client)) as fresh:
        assert AppHarness(fresh).web.get("/campaigns").json()["campaigns"] == []


def test_a_script_that_only_reads_cannot_write_by_mistake(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "-- KEYS  key\nreturn redis.call('SET', key, '1')"
    monkeypatch.setattr("campaigns.db.scripts.text_of", lambda _name: text)
    with pytest.raises(ResponseError, match="Write commands are not allowed from read-only scripts"):
        Scripts(redis_client).read("write", {"key": "x"})
    assert not redis_client.exists("x")


def test_a_connection_that_was_lost_while_idle_costs_no_response(client: Any) -> None:
    """Without a health check, the client repeats the command that finds the connection lost on a new one."""
    app = prepared(client)
    with redis.Redis.from_url(_url(client)) as other:
        for path in reading():
            other.client_kill_filter(_type="normal", skipme=True)
            assert app.web.get(path).status == 200, path


def test_no_connection_of_the_web_process_is_tested_by_a_command_that_a_full_disk_refuses() -> None:
    """Redis answers PING with MISCONF then."""
    client = components.connect("redis://127.0.0.1:1/0")
    assert not client.connection_pool.connection_kwargs.get("health_check_interval")


def _url(client: Any) -> str:
    place = client.connection_pool.connection_kwargs
    return f"redis://{place['host']}:{place['port']}/0"
