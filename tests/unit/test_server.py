"""Which Redis servers Postrider accepts, judged by their INFO."""

from __future__ import annotations

from typing import Any

import pytest
from redis import ConnectionError as RedisConnectionError, Redis
from redis._parsers.base import BaseParser

from campaigns import keys
from campaigns.db import server
from campaigns.db.server import Writing, WrongRedis

GOOD = {
    "redis_version": "7.2.4",
    "valkey_version": "9.1.2",
    "cluster_enabled": "0",
    "maxmemory_policy": "noeviction",
    "aof_enabled": "1",
}


@pytest.mark.parametrize(
    "info",
    [GOOD, {}, {"redis_version": "7.0.0"}, {"redis_version": "8.4.0"}, {"redis_version": "unstable"}],
)
def test_a_suitable_server_passes_even_if_info_leaves_fields_out(info: dict[str, str]) -> None:
    server.check(info, allow_unsafe=False)


@pytest.mark.parametrize(
    ("changed", "advice"),
    [
        ({"cluster_enabled": "1"}, "use one with 'cluster-enabled no'"),
        ({"maxmemory_policy": "allkeys-lru"}, "allkeys-lru.*set 'maxmemory-policy noeviction'"),
        ({"aof_enabled": "0"}, "set 'appendonly yes'.*ALLOW_UNSAFE_REDIS=true"),
        ({"valkey_version": "7.1.9"}, "Valkey is of version 7.1.9: use Valkey 7.2 or later"),
    ],
)
def test_an_unsuitable_server_is_refused_in_one_line_that_says_what_to_change(
    changed: dict[str, str], advice: str
) -> None:
    with pytest.raises(WrongRedis, match=advice) as found:
        server.check(GOOD | changed, allow_unsafe=False)
    assert "\n" not in str(found.value)


def test_an_old_redis_is_named() -> None:
    with pytest.raises(WrongRedis, match=r"Redis is of version 6\.2\.14: use Redis 7\.0 or later"):
        server.check({"redis_version": "6.2.14"}, allow_unsafe=False)


def test_only_the_risk_of_no_append_only_file_can_be_accepted() -> None:
    server.check(GOOD | {"aof_enabled": "0"}, allow_unsafe=True)
    for wrong in ({"cluster_enabled": "1"}, {"maxmemory_policy": "volatile-lru"}):
        with pytest.raises(WrongRedis):
            server.check(GOOD | wrong, allow_unsafe=True)


def test_info_is_read_by_field(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Any] = []
    monkeypatch.setattr(server.log, "warning", lambda _event, **more: said.append(more["missing"]))
    server._warn_once.cache_clear()
    text = "# Server\r\nredis_version:7.4.1\r\n\r\n# Memory\r\nmaxmemory_policy:noeviction\r\n"
    for _ in range(2):
        assert server.parsed(text) == {"redis_version": "7.4.1", "maxmemory_policy": "noeviction"}
    assert said == [("cluster_enabled", "aof_enabled")], "the warning comes once"


@pytest.fixture
def asked(fake_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What Redis replies in turn when it is asked for a write."""
    answers: list[Any] = []

    def lpushx(_key: str, _value: str) -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return int(answer)

    monkeypatch.setattr(fake_redis, "lpushx", lpushx)
    return answers


def test_a_refusal_is_quoted_and_asked_again_and_a_success_is_remembered(fake_redis: Redis, asked: list[Any]) -> None:
    parser: Any = BaseParser
    refused = [parser.parse_error("OOM command not allowed"), parser.parse_error("READONLY You can't write")]
    asked += [*refused, 0, RedisConnectionError()]
    writing = Writing(fake_redis)
    assert [writing.refusal(60) for _ in range(3)] == ["OOM command not allowed", "READONLY You can't write", None]
    assert writing.refusal(60) is None
    writing.forget()
    with pytest.raises(RedisConnectionError):
        writing.refusal(60)


def test_asking_writes_nothing(fake_redis: Redis) -> None:
    assert Writing(fake_redis).refusal() is None
    assert fake_redis.keys() == []
    assert fake_redis.exists(keys.PROBE) == 0
