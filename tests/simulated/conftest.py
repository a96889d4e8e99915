"""Minutes and hours of sending in seconds: a real Valkey that keeps nothing on disk. The test sets the time that its
scripts read.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from tests.support import services
from tests.support.ledger_harness import Clock, LedgerHarness, ServerClock


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with services.valkey_server(tmp_path_factory.mktemp("simulated"), keeps=False) as url:
        yield url


@pytest.fixture
def server(server_url: str) -> Iterator[Redis]:
    """A client of the server, which is empty when the test starts. Replies are bytes."""
    client = Redis.from_url(server_url)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def clock(server: Redis, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time that the scripts read; it stands still unless the test moves it."""
    clock = ServerClock(server)
    clock.install(monkeypatch)
    return clock


@pytest.fixture
def harness(server: Redis, clock: Clock) -> LedgerHarness:  # noqa: ARG001 - the clock has to stand before the first step
    """The ledger on the server, at a time that stands still."""
    return LedgerHarness(server)
