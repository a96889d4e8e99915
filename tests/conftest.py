"""What all tests share: a marker by folder, and fixtures with real servers.

A server starts once per run, when the first test asks for it, and a server that cannot start fails the test.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import fakeredis
import pytest
import redis
from hypothesis import HealthCheck, settings

from embedded import s3
from tests.support import services
from tests.support.ledger_harness import Clock, LedgerHarness

# A slow moment of the machine is not a counter-example. Each run draws other examples, in CI too: over time that finds
# more faults. Hypothesis prints what fails, so that it can be repeated.
settings.register_profile(
    "postrider",
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=False,
    print_blob=True,
)
#: `make quick` takes fewer examples of each property.
settings.register_profile("quick", parent=settings.get_profile("postrider"), max_examples=15)
settings.load_profile(os.environ.get("EXAMPLES", "postrider"))

#: The folders in the order in which they run: those that fail fast come first.
FOLDERS = ("unit", "property", "simulated", "integration", "acceptance", "chaos", "browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test with the name of its folder, and run the folders in their order."""
    tests = Path(__file__).parent
    for item in items:
        item.add_marker(item.path.relative_to(tests).parts[0])
    items.sort(key=lambda item: FOLDERS.index(item.path.relative_to(tests).parts[0]))


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real Valkey server that syncs every write to disk."""
    with services.valkey_server(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture
def redis_client(valkey_url: str) -> Iterator[redis.Redis]:
    """A client of the real server, which is empty when the test starts. Replies are bytes."""
    client = redis.Redis.from_url(valkey_url)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def fake_redis() -> Iterator[redis.Redis]:
    """An empty Redis inside this process, Lua included, for tests without servers. Replies are bytes."""
    client = fakeredis.FakeRedis(server=fakeredis.FakeServer())
    yield client
    client.close()


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real S3 server; boto3 finds only its credentials in the environment."""
    directory = tmp_path_factory.mktemp("s3")
    with pytest.MonkeyPatch.context() as environment, services.s3_server(directory) as url:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            environment.delenv(name)
        for name, value in s3.client_environment(services.S3_ACCESS_KEY, services.S3_SECRET_KEY).items():
            environment.setenv(name, value)
        yield url


@pytest.fixture
def bucket(s3_endpoint: str) -> str:  # noqa: ARG001 - a bucket without its server would be of no use
    """The name of a bucket that does not exist yet."""
    return f"test-{uuid.uuid4().hex[:16]}"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time that fakeredis tells its scripts; it stands still unless the test moves it."""
    clock = Clock()
    clock.install(monkeypatch)
    return clock


@pytest.fixture
def harness(fake_redis: redis.Redis, clock: Clock) -> LedgerHarness:  # noqa: ARG001 - the clock has to stand before the first step
    """The ledger on a Redis inside this process, at a time that stands still."""
    return LedgerHarness(fake_redis)
