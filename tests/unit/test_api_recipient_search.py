"""GET /campaigns/{id}/recipients?email=: every row of an address with its state and events, in bounded time."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, strategies as st
from redis import Redis

from api import list_search
from lists.address_search import candidates
from tests.support.app_harness import AppHarness

LIST = (
    b"name,email\n"
    b"Ada,ada@shop.test\n"  # 1 done, delivered, complained
    b"Ada,ADA@shop.test\n"  # 2 rejected: duplicate
    b"Bob,bob@shop.test\n"  # 3 failed
    b"Cy,Cy <cy+x@shop.test>\n"  # 4 unknown
    b"Dan, dan@b\xc3\xbccher.test \n"  # 5 pending
    b"ada@shop.test,madada@shop.test\n"  # 6 done, dropped
    b"Eve,mailto:eve%40shop.test\n"  # 7 pending
)


@pytest.fixture
def app(fake_redis: Redis) -> AppHarness:
    """A running campaign with a row in each state."""
    made = AppHarness(fake_redis)
    made.ready(LIST)
    made.web.post("/campaigns/c1/start")
    redis, key = made.redis, "postrider:{c1}:"
    for name, row in (("done", 1), ("delivered", 1), ("complained", 1), ("failed", 3), ("done", 6)):
        redis.setbit(f"{key}{name}", row, 1)
    redis.zadd(f"{key}unknown", {"4": 1})
    redis.hset(f"{key}reasons", mapping={"3": "mailbox full", "4": "no answer"})
    redis.hset(f"{key}dropped", "6", "Bounced Address")
    return made


def search(app: AppHarness, email: str) -> list[dict[str, Any]]:
    answer = app.web.get(f"/campaigns/c1/recipients?email={quote(email)}")
    assert answer.status == 200
    found: list[dict[str, Any]] = answer.json()["recipients"]
    return found


def row(number: int, email: str, state: str, reason: str = "", *events: tuple[str, str | None]) -> dict[str, Any]:
    shown = [{"event": event, "reason": why} for event, why in events]
    return {"row": number, "email": email, "state": state, "reason": reason, "events": shown}


def test_every_row_of_an_address_has_its_state_and_its_events(app: AppHarness) -> None:
    assert search(app, " Ada@Shop.test ") == [
        row(1, "ada@shop.test", "done", "", ("delivered", None), ("complained", None)),
        row(2, "ADA@shop.test", "rejected", "duplicate:1"),
    ]
    assert search(app, "bob@shop.test") == [row(3, "bob@shop.test", "failed", "mailbox full")]
    assert search(app, "cy+x@shop.test") == [row(4, "cy+x@shop.test", "unknown", "no answer")]
    assert search(app, "dan@xn--bcher-kva.test") == search(app, "dan@b\u00fccher.test")
    assert search(app, "dan@b\u00fccher.test") == [row(5, "dan@xn--bcher-kva.test", "pending")]
    dropped = row(6, "madada@shop.test", "done", "Bounced Address", ("dropped", "Bounced Address"))
    assert search(app, "madada@shop.test") == [dropped]
    assert search(app, "eve@shop.test") == [row(7, "eve@shop.test", "pending")]
    assert search(app, "nobody@shop.test") == []
    assert search(app, "da@shop.test") == []


def test_only_slices_with_a_hit_are_read(fake_redis: Redis) -> None:
    # Given a list of several slices
    app = AppHarness(fake_redis)
    app.ready(b"name,email\n" + b"".join(b"P,p%05d@shop.test\n" % number for number in range(1, 5001)))
    app.store.reads.clear()
    # When an address of the last one is looked for, then one slice is read
    assert [one["row"] for one in search(app, "P04999@shop.test")] == [4999]
    assert len(app.store.reads) == 1
    # And none for an address that is not in the list
    assert search(app, "q@shop.test") == []
    assert len(app.store.reads) == 1


def test_excluded_rows_are_left_out(fake_redis: Redis) -> None:
    app = AppHarness(fake_redis)
    app.ready(LIST, where="name != 'Bob'")
    assert search(app, "bob@shop.test") == []


def test_a_search_beyond_its_bounds_says_so(fake_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    app = AppHarness(fake_redis)
    app.ready(b"name,email\n" + b"Ann,ann@shop.test\n" * 20, duplicates="keep")
    monkeypatch.setattr(list_search, "MAX_ROWS", 10)
    answer = app.web.get("/campaigns/c1/recipients?email=ann@shop.test")
    assert (answer.status, "More than 10 rows" in answer.detail) == (422, True)
    monkeypatch.setattr(list_search, "SEARCH_S", -1.0)
    answer = app.web.get("/campaigns/c1/recipients?email=ann@shop.test")
    assert (answer.status, "recipients.csv" in answer.detail) == (503, True)


@pytest.mark.parametrize("query", ["", "?email=", "?email=nobody", "?email=a@b@c.test"])
def test_a_query_without_an_address_is_422(app: AppHarness, query: str) -> None:
    assert app.web.get(f"/campaigns/c1/recipients{query}").status == 422


def test_a_campaign_without_a_parsed_list_is_409_and_an_unknown_one_404(fake_redis: Redis) -> None:
    app = AppHarness(fake_redis)
    assert app.web.get("/campaigns/c1/recipients?email=a@b.test").status == 404
    app.make()
    assert app.web.get("/campaigns/c1/recipients?email=a@b.test").status == 409


@given(
    local=st.from_regex(r"[a-z0-9+_-]{1,5}", fullmatch=True),
    before=st.text("ab@.,\n\u00e9", max_size=30),
    cut=st.integers(1, 20),
)
def test_a_place_is_found_wherever_the_chunks_are_cut(local: str, before: str, cut: int) -> None:
    prefix = f"{before},".encode()
    data = prefix + f"{local.upper()}@Shop.test\n".encode()
    chunks = [data[start : start + cut] for start in range(0, len(data), cut)]
    places = list(candidates(chunks, f"{local}@shop.test"))
    assert any(len(prefix) <= place <= len(prefix) + len(local) for place in places)
