"""The server gives up a body that comes too slowly; it accepts one that keeps the least speed, however long
that takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from starlette.types import Message, Receive, Scope, Send

from api.http import slow_bodies
from api.http.errors import Problem
from api.http.slow_bodies import SlowBodies


def read(pieces: Sequence[bytes], monkeypatch: pytest.MonkeyPatch, *, piece_s: float = 0, gap_s: float = 60) -> bytes:
    """What an application gets of a body whose pieces take `piece_s` each by the test's clock; after the last one
    nothing comes.
    """
    now, found, left = 0.0, bytearray(), list(pieces)
    monkeypatch.setattr(slow_bodies, "GAP_S", gap_s)
    monkeypatch.setattr("api.http.slow_bodies.time", SimpleNamespace(monotonic=lambda: now))

    async def receive() -> Message:
        nonlocal now
        if not left:
            await asyncio.Event().wait()
        now += piece_s
        return {"type": "http.request", "body": left.pop(0), "more_body": True}

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        while len(found) < sum(map(len, pieces)) + 1:
            found.extend((await receive())["body"])

    async def send(_message: Message) -> None: ...

    with pytest.raises(Problem) as refused:
        asyncio.run(SlowBodies(app)({"type": "http"}, receive, send))
    assert refused.value.status == 408
    assert refused.value.headers == {"Connection": "close"}
    return bytes(found)


def test_a_silent_client_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read([b"ab", b"c"], monkeypatch, gap_s=0.05) == b"abc"


def test_a_client_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a byte every 9 s, which is never a gap of 10 s
    assert len(read([b"x"] * 100, monkeypatch, piece_s=9, gap_s=10)) <= 3


def test_a_slow_but_steady_client_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given 10 minutes of body at twice the least speed, and silence after that
    pieces = [b"x" * 16 * 1024] * 600
    monkeypatch.setattr("api.http.slow_bodies.asyncio", SimpleNamespace(timeout=_hurried))
    assert len(read(pieces, monkeypatch, piece_s=1, gap_s=10)) == 600 * 16 * 1024


def _hurried(allowed_s: float) -> asyncio.Timeout:
    return asyncio.timeout(allowed_s / 200)


def test_the_server_waits_for_the_client_once_the_response_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given an application that streams, and waits for its client to disconnect all the while
    monkeypatch.setattr(slow_bodies, "GAP_S", 0.01)
    left = asyncio.Event()

    async def receive() -> Message:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None: ...

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        waiting = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        await send({"type": "http.response.start", "status": 200})
        await asyncio.wait({waiting}, timeout=0.1)
        assert not waiting.done()
        left.set()
        assert (await waiting)["type"] == "http.disconnect"

    asyncio.run(SlowBodies(app)({"type": "http"}, receive, send))
