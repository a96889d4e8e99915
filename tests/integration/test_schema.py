"""Another layout in Redis: nothing is worked on, and one line says why; also where Redis came late or was replaced."""

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
from campaigns import keys, schema
from campaigns.schema import WrongSchema
from tests.support.doubles.loading_redis import loading_redis
from tests.support.stack import Stack

WORDS = "Redis holds data in layout '2' and this version of Postrider works with layout 1 alone"


@pytest.fixture
def client(valkey_url: str, redis_client: Redis) -> Iterator[Redis]:
    assert redis_client.ping()
    with connect(valkey_url) as found:
        yield found


def test_an_empty_redis_gets_the_version(client: Redis, redis_client: Redis) -> None:
    assert client.ping()
    assert redis_client.get(keys.SCHEMA) == schema.VERSION == b"1"
    client.connection_pool.disconnect()
    assert client.ping()


def test_another_version_fails_every_command_until_it_is_gone(client: Redis, redis_client: Redis) -> None:
    redis_client.set(keys.SCHEMA, "2")
    for _ in range(2):
        with pytest.raises(WrongSchema, match=WORDS):
            client.set("postrider:x", "1")
    assert redis_client.keys() == [keys.SCHEMA.encode()]
    redis_client.delete(keys.SCHEMA)
    assert client.ping()


def test_a_redis_that_was_replaced_is_noticed(client: Redis, redis_client: Redis) -> None:
    assert client.ping()
    # When the server behind the address changes, all connections to the one before are lost
    redis_client.set(keys.SCHEMA, "0")
    client.connection_pool.disconnect()
    with pytest.raises(WrongSchema, match="'0'"):
        client.ping()


def test_a_redis_that_refuses_everything_is_an_error_of_redis() -> None:
    """Given a connection whose health is due to be checked, when Redis answers LOADING, then that is what is raised."""
    with loading_redis() as port:
        made: Any = Connection
        connection = made(
            port=port, health_check_interval=1, redis_connect_func=schema.on_connect, retry=Retry(NoBackoff(), 2)
        )
        connection.next_health_check = -1
        with pytest.raises(BusyLoadingError):
            connection.connect()


def test_web_and_workers_refuse(tmp_path: Path) -> None:
    """Given web and a worker that started before Redis, and a Redis of another layout, then the web process says so and
    stays, and the worker ends; another worker ends at its boot.
    """
    with Stack.open(tmp_path, web=False) as stack:
        stack.redis_client().set(keys.SCHEMA, "2")
        stack.redis.stop()
        stack.web.start()
        early = stack.add_worker()
        assert early.logged("redis_away")
        # When Redis comes
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
