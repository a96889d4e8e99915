"""The error texts of Redis, and whether each concerns one campaign or all of them."""

from __future__ import annotations

from typing import Any

import pytest
from redis import ConnectionError as RedisConnectionError, TimeoutError as RedisTimeoutError
from redis._parsers.base import BaseParser

from campaigns.db import refusals

#: What Redis and Valkey append.
IN_SCRIPT = (" script: 9e107d9d372bb6826bd81d3542a419d6aaaaaaaa, on @user_script:54.", " script: on @user_script:54.")


@pytest.mark.parametrize(
    ("answer", "alone"),
    [
        ("OOM command not allowed when used memory > 'maxmemory'.", False),
        ("MISCONF Errors writing to the AOF file: No space left on device", False),
        ("READONLY You can't write against a read only replica.", False),
        ("NOREPLICAS Not enough good replicas to write.", False),
        ("LOADING Redis is loading the dataset in memory", False),
        ("BUSY Redis is busy running a script.", False),
        ("CLUSTERDOWN Hash slot not served", False),
        ("MASTERDOWN Link with MASTER is down", False),
        ("NOAUTH Authentication required.", False),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", True),
        ("NOTANINTEGER of some kind", True),
    ],
)
def test_a_refusal_is_quoted_and_its_extent_recognised(answer: str, alone: bool) -> None:
    parser: Any = BaseParser
    for text in (answer, *(answer + where for where in IN_SCRIPT)):
        error = parser.parse_error(text)
        assert (refusals.words(error), refusals.is_of_one_campaign(error)) == (answer, alone)


@pytest.mark.parametrize("error", [RedisConnectionError("to 10.0.0.1"), RedisTimeoutError(), OSError(), ValueError()])
def test_an_error_that_is_no_reply_of_redis_has_no_words(error: Exception) -> None:
    assert refusals.words(error) is None
    assert not refusals.is_of_one_campaign(error)


def test_words_are_bounded_and_on_one_line() -> None:
    parser: Any = BaseParser
    assert len(refusals.words(parser.parse_error("MISCONF " + "x" * 5000)) or "") == 300
    assert refusals.words(parser.parse_error("ERR a\r\nb")) == "a b"
