"""Scripts that run several times in one round trip."""

from __future__ import annotations

from typing import Any

import fakeredis
import pytest
from redis import RedisError

from campaigns import scripts
from campaigns.scripts import Scripts

SOURCE = "return redis.call('INCRBY', KEYS[1], ARGV[1])"


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(scripts, "source", lambda _name: SOURCE)
    return fakeredis.FakeRedis()


def test_each_run_has_its_own_answer_and_a_refusal_stops_no_other(redis: Any) -> None:
    redis.set("word", "x")
    first, refused, last = Scripts(redis).each("add", [(["a"], [1]), (["word"], [1]), (["a"], [2])])
    assert (first, last) == (1, 3)
    assert isinstance(refused, RedisError)


def test_a_server_that_has_forgotten_the_script_gets_it_again_and_nothing_runs_twice(redis: Any) -> None:
    run = Scripts(redis)
    run.each("add", [(["a"], [1])])
    redis.script_flush()
    assert run.each("add", [(["a"], [1]), (["b"], [5])]) == [2, 5]
