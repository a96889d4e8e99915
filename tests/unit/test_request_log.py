"""Which requests have a line in the log at its usual level."""

from __future__ import annotations

import pytest
from redis import Redis
from structlog.testing import capture_logs

from tests.support.app_harness import AppHarness


@pytest.mark.parametrize(
    ("method", "path", "level"),
    [
        ("GET", "/campaigns/c1/status", "debug"),
        ("GET", "/campaigns/c1", "debug"),
        ("GET", "/campaigns", "debug"),
        ("GET", "/accounts", "debug"),
        ("GET", "/", "debug"),
        ("GET", "/healthz", "debug"),
        ("GET", "/campaigns/none/status", "info"),
        ("GET", "/campaigns?limit=x", "info"),
        ("GET", "/campaigns/c1/attachments", "info"),
        ("POST", "/campaigns/c1/pause", "info"),
        ("DELETE", "/campaigns/c1", "info"),
    ],
)
def test_what_an_open_page_asks_for_is_quiet_unless_it_fails(
    fake_redis: Redis, method: str, path: str, level: str
) -> None:
    app = AppHarness(fake_redis)
    app.make()
    with capture_logs() as lines:
        app.web.request(method, path)
    assert [line["log_level"] for line in lines if line["event"] == "request_answered"] == [level]
