"""The page of Redis keys, checked against the module that builds them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from campaigns import keys

PAGE = (Path(__file__).parents[2] / "docs" / "redis-keys.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", keys.CAMPAIGN_KEYS)
def test_every_key_of_a_campaign_is_described(name: str) -> None:
    assert re.search(rf"^\|[^|]*`{name}`", PAGE, re.MULTILINE), name


def test_every_key_of_the_system_is_described() -> None:
    constants = [value for name, value in vars(keys).items() if name.isupper() and isinstance(value, str)]
    built = [keys.breaker("<account>"), keys.failing("<account>"), keys.account("<account>")]
    for key in [*constants, *built, keys.domain_prefix("<account>") + "<domain>", keys.reputation("<account>")]:
        if key != keys.PREFIX:
            assert f"`{key}`" in PAGE, key


def test_all_keys_of_a_campaign_share_its_hash_tag() -> None:
    assert all("{c1}" in keys.of("c1", name) for name in keys.CAMPAIGN_KEYS)
    with pytest.raises(KeyError):
        keys.of("c1", "nothing")


def test_several_keys_of_a_campaign_can_be_built_at_once() -> None:
    assert keys.named("c1", "done failed") == {"done": keys.of("c1", "done"), "failed": keys.of("c1", "failed")}
    with pytest.raises(KeyError, match="running"):
        keys.named("c1", "done running")
