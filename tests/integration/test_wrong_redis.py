"""A Redis that cannot serve: the start stops with one line, or a client that asks gets the reason of Redis."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from api import components
from campaigns import keys
from campaigns.db.server import WrongRedis
from embedded import ports, valkey
from tests.support import services
from tests.support.app_harness import AppHarness
from tests.support.ledger_harness import LedgerHarness
from tests.support.stack import Stack, free_port
from tests.support.waiting import until

#: Options of a wrong Redis, and what the line says to change. A cluster listens on a second port, by default one of
#: those that the kernel gives to outgoing connections.
WRONG = {
    "cluster": (["--cluster-enabled", "yes", "--cluster-port", str(free_port())], "use one with 'cluster-enabled no'"),
    "eviction": (["--maxmemory-policy", "allkeys-lru"], "set 'maxmemory-policy noeviction'"),
    "no AOF": (["--appendonly", "no"], "set 'appendonly yes' and 'appendfsync always'"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_redis_stops_the_start_of_web_and_workers_with_one_line(tmp_path: Path, wrong: str) -> None:
    options, advice = WRONG[wrong]
    with _started(tmp_path, options) as stack:
        worker = stack.add_worker(wait=False)
        stack.web.start(wait=False)
        for program in (worker, stack.web):
            assert program.wait() > 0
            output = program.output()
            assert (output.count("postrider: Redis"), output.count(advice)) == (1, 1), output
            assert "Traceback" not in output
        assert stack.redis_client().dbsize() == 0


def test_the_risk_of_no_append_only_file_can_be_accepted(tmp_path: Path) -> None:
    with _started(tmp_path, WRONG["no AOF"][0], ALLOW_UNSAFE_REDIS="true") as stack:
        stack.add_worker()
        stack.web.start()
        until(stack.ready, "readyz")


def test_a_redis_that_becomes_wrong_is_noticed_with_the_next_connection(valkey_url: str, redis_client: Any) -> None:
    with components.connect(valkey_url) as client:
        assert client.ping()
        redis_client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            client.connection_pool.disconnect()
            for _ in range(2):
                with pytest.raises(WrongRedis, match="allkeys-lru"):
                    client.set("postrider:x", "1")
        finally:
            redis_client.config_set("maxmemory-policy", "noeviction")
        assert client.ping()


def test_a_user_that_may_not_run_info_is_accepted(valkey_url: str, redis_client: Any) -> None:
    redis_client.acl_setuser("plain", enabled=True, nopass=True, keys=["*"], channels=["*"], categories=["+@all"])
    redis_client.execute_command("ACL", "SETUSER", "plain", "-info")
    try:
        with components.connect(valkey_url.replace("redis://", "redis://plain:any@")) as client:
            assert client.ping()
    finally:
        redis_client.acl_deluser("plain")


@pytest.mark.parametrize("words", ["OOM", "READONLY", "NOREPLICAS", "MISCONF"])
def test_readyz_and_every_campaign_that_waits_show_the_words_of_redis(tmp_path: Path, words: str) -> None:
    # Given a running campaign, one being parsed, and one that is ready
    with _server(tmp_path) as (url, admin), components.connect(url) as client:
        app = AppHarness(client)
        app.ready(campaign_id="running")
        app.make("parsing")
        app.upload(campaign_id="parsing")
        app.ready(campaign_id="ready")
        LedgerHarness(client).controls.start("running")
        assert app.web.get("/readyz").status == 200
        assert _reasons(app) == {"running": None, "parsing": None, "ready": None}
        # When Redis refuses to write
        _refuse(admin, words)
        # Then
        answer = app.web.get("/readyz")
        assert (answer.status, f"Redis refuses to write ({words} " in answer.detail) == (503, True), answer.detail
        assert "cannot be reached" not in answer.detail
        until(lambda: _reasons(app)["running"], "the reason")
        found = _reasons(app)
        assert found["ready"] is None
        assert all(str(found[name]).startswith(f"Redis refuses to write: {words} ") for name in ("running", "parsing"))
        refused = app.web.post("/campaigns/running/rate-limit", {"tpm": 7})
        said = f"Redis refuses this request ({words} " in refused.detail
        assert (refused.status, said) == (503, True), refused.detail
        # And when it accepts writes again
        _allow(admin, words)
        assert app.web.get("/readyz").status == 200
        until(lambda: set(_reasons(app).values()) == {None}, "no reason any more")
        assert client.exists(keys.PROBE) == 0


def _reasons(app: AppHarness) -> dict[str, str | None]:
    progress = app.starlette.state.components.progress
    return {name: progress.report(name).reason for name in ("running", "parsing", "ready")}


@contextlib.contextmanager
def _started(directory: Path, options: list[str], **settings: str) -> Iterator[Stack]:
    """A stack with S3 and with a Redis that has these options."""
    stack = Stack(directory, settings)
    stack.redis.command = [*stack.redis.command, *options]
    try:
        stack.redis.start()
        stack.s3.start()
        yield stack
    finally:
        stack.close()


@contextlib.contextmanager
def _server(directory: Path) -> Iterator[tuple[str, Any]]:
    """A separate server whose snapshots fail, since a directory is in their place; its address, and a client."""
    (directory / "taken").mkdir()
    port = ports.free_port()
    command = [*valkey.command(port, directory), "--dbfilename", "taken"]
    url = f"redis://{ports.LOOPBACK}:{port}/0"
    with services.running(command, port, directory / "valkey.log"), redis.Redis.from_url(url) as admin:
        yield url, admin


def _refuse(admin: Any, words: str) -> None:
    match words:
        case "OOM":
            admin.config_set("maxmemory", "1mb")
        case "READONLY":
            admin.replicaof(ports.LOOPBACK, "1")
        case "NOREPLICAS":
            admin.config_set("min-replicas-to-write", "1")
        case "MISCONF":
            admin.config_set("save", "3600 1")
            admin.bgsave()
            until(lambda: admin.info("persistence")["rdb_last_bgsave_status"] == "err", "a snapshot that failed")


def _allow(admin: Any, words: str) -> None:
    match words:
        case "OOM":
            admin.config_set("maxmemory", "0")
        case "READONLY":
            admin.replicaof("NO", "ONE")
        case "NOREPLICAS":
            admin.config_set("min-replicas-to-write", "0")
        case "MISCONF":
            admin.config_set("save", "")
