"""Another schema in Redis: no process works on it, and one line says why, also if Redis started late or was replaced.
Schema 1 is migrated.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import BusyLoadingError, Connection, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from api.components import connect
from campaigns import keys
from campaigns.db import schema
from campaigns.db.schema import PreviousVersionRuns, WrongSchema
from campaigns.db.server import WrongRedis
from tests.support.doubles.loading_redis import loading_redis
from tests.support.stack import Stack

WORDS = "Redis holds schema '3', and this version of Postrider needs schema 2"


@pytest.fixture
def client(valkey_url: str, redis_client: Redis) -> Iterator[Redis]:
    assert redis_client.ping()
    with connect(valkey_url) as found:
        yield found


def test_an_empty_redis_gets_the_version(client: Redis, redis_client: Redis) -> None:
    assert client.ping()
    assert redis_client.get(keys.SCHEMA) == schema.VERSION == b"2"
    client.connection_pool.disconnect()
    assert client.ping()


def test_another_version_fails_every_command_until_it_is_gone(client: Redis, redis_client: Redis) -> None:
    redis_client.set(keys.SCHEMA, "3")
    for _ in range(2):
        with pytest.raises(WrongSchema, match=WORDS):
            client.set("postrider:x", "1")
    assert redis_client.keys() == [keys.SCHEMA.encode()]
    redis_client.delete(keys.SCHEMA)
    assert client.ping()


def test_a_redis_that_was_replaced_is_noticed(client: Redis, redis_client: Redis) -> None:
    assert client.ping()
    # When the server behind the address changes, all connections to the old one are lost
    redis_client.set(keys.SCHEMA, "0")
    client.connection_pool.disconnect()
    with pytest.raises(WrongSchema, match="'0'"):
        client.ping()


def as_schema_1(redis_client: Redis, heartbeat_age_ms: int) -> None:
    """A campaign as schema 1 kept it, and a worker with a heartbeat of this age."""
    seconds, microseconds = redis_client.time()
    redis_client.set(keys.SCHEMA, "1")
    redis_client.zadd(keys.CAMPAIGNS, {"c1": 1})
    redis_client.hset("postrider:{c1}:campaign", mapping={"status": "paused", "generation": "g"})
    redis_client.hset("postrider:{c1}:progress", mapping={"again": 1, "turn": "2.5", "parked": 1, "done": 3})
    redis_client.rpush("postrider:{c1}:deferred", '0|[7,"a@shop.test",[]]')
    redis_client.zadd("postrider:{c1}:parked", {"slow.test": 5})
    redis_client.rpush("postrider:{c1}:parked:slow.test", '0|[8,"a@slow.test",[]]')
    redis_client.hset("postrider:gate:sendgrid", "level", 1)
    redis_client.hset("postrider:ring", "ticked", 6)
    redis_client.zadd(keys.WORKERS, {"w1": seconds * 1000 + microseconds // 1000 - heartbeat_age_ms})


def test_the_previous_schema_is_migrated(client: Redis, redis_client: Redis) -> None:
    """Given schema 1 and no worker of it, when a connection is made, then keys and fields have their new names."""
    as_schema_1(redis_client, heartbeat_age_ms=11_000)
    client.connection_pool.disconnect()
    assert client.ping()
    assert redis_client.get(keys.SCHEMA) == b"2"
    assert redis_client.hgetall(keys.campaign("c1")) == {b"status": b"paused", b"list_version": b"g"}
    progress = redis_client.hgetall(keys.of("c1", "progress"))
    assert progress == {b"refeed": b"1", b"vtime": b"2.5", b"held": b"1", b"done": b"3"}
    assert redis_client.lrange(keys.of("c1", "requeued"), 0, -1) == [b'0|[7,"a@shop.test",[]]']
    assert redis_client.lrange(keys.of("c1", "held") + ":slow.test", 0, -1) == [b'0|[8,"a@slow.test",[]]']
    assert redis_client.hget(keys.breaker("sendgrid"), "level") == b"1"
    assert redis_client.hget(keys.DISPATCHER, "last_round") == b"6"
    assert redis_client.exists("postrider:ring", "postrider:gate:sendgrid", "postrider:{c1}:deferred") == 0


def test_nothing_is_migrated_while_a_worker_of_the_previous_version_lives(client: Redis, redis_client: Redis) -> None:
    as_schema_1(redis_client, heartbeat_age_ms=1_000)
    before = sorted(redis_client.keys())
    client.connection_pool.disconnect()
    with pytest.raises(PreviousVersionRuns, match="stop them"):
        client.ping()
    assert (sorted(redis_client.keys()), redis_client.get(keys.SCHEMA)) == (before, b"1")
    # When it has stopped
    redis_client.delete(keys.WORKERS)
    assert client.ping()
    assert redis_client.get(keys.SCHEMA) == b"2"


def test_a_process_of_the_previous_version_loses_its_connection(
    client: Redis, redis_client: Redis, valkey_url: str
) -> None:
    """Given a connection of a process of the previous version, when the data are migrated, then the connection
    is lost.
    """
    as_schema_1(redis_client, heartbeat_age_ms=11_000)
    client.connection_pool.disconnect()
    with Redis.from_url(valkey_url) as before:
        connection_id = before.client_id()
        assert before.client_id() == connection_id
        assert client.ping()
        assert before.client_id() != connection_id


def test_a_user_that_may_not_migrate_gets_an_error_that_says_so(redis_client: Redis, valkey_url: str) -> None:
    as_schema_1(redis_client, heartbeat_age_ms=11_000)
    redis_client.acl_setuser(
        "limited",
        enabled=True,
        nopass=True,
        keys=["*"],
        channels=["*"],
        categories=["+@all"],
        commands=["-client|kill"],
    )
    url = valkey_url.replace("redis://", "redis://limited:any@")
    with connect(url) as limited, pytest.raises(WrongRedis, match="CLIENT KILL"):
        limited.ping()
    assert redis_client.get(keys.SCHEMA) == b"1"
    redis_client.acl_deluser("limited")


def test_a_redis_that_refuses_everything_is_an_error_of_redis() -> None:
    """Given a connection that is due for a health check, when Redis answers LOADING, then the client raises
    that error.
    """
    with loading_redis() as port:
        made: Any = Connection
        connection = made(
            port=port, health_check_interval=1, redis_connect_func=schema.on_connect, retry=Retry(NoBackoff(), 2)
        )
        connection.next_health_check = -1
        with pytest.raises(BusyLoadingError):
            connection.connect()


def test_web_and_workers_refuse_another_schema(tmp_path: Path) -> None:
    """Given a web process and a worker that started before Redis, and a Redis of another schema, then the web process
    says so and continues to run, and the worker ends; another worker ends at its boot.
    """
    with Stack.open(tmp_path, web=False) as stack:
        stack.redis_client().set(keys.SCHEMA, "3")
        stack.redis.stop()
        stack.web.start()
        early = stack.add_worker()
        assert early.logged("redis_away")
        # When Redis starts
        stack.redis.start()
        # Then
        assert early.wait() == 1
        assert _lines(early.output()) == 1
        late = stack.add_worker(wait=False)
        assert late.wait() == 1
        assert _lines(late.output()) == 1
        assert "Traceback" not in late.output()
        assert not late.logged("worker_started")
        for method, path in (("GET", "/readyz"), ("GET", "/campaigns"), ("GET", "/campaigns/c1/status")):
            status, problem = stack.ask(method, path)
            assert (status, WORDS in json.loads(problem)["detail"]) == (503, True)
        assert stack.ask("GET", "/healthz")[0] == 200
        assert WORDS in stack.web.logged("redis_refused")[0]["reason"]
        assert stack.redis_client().keys() == [keys.SCHEMA.encode()]


def _lines(output: str) -> int:
    return output.count(f"postrider: {WORDS}")
