"""Unknown query parameters are refused on every endpoint, except where others may add some to the URL."""

from __future__ import annotations

import pytest
from redis import Redis

from api.endpoints import ENDPOINTS
from api.http.endpoint import Endpoint
from tests.support.app_harness import AppHarness

OPEN = ("/u/", "/webhooks/", "/healthz", "/readyz", "/metrics", "/openapi.json")


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: f"{one.method} {one.path}")
def test_an_unknown_parameter_is_refused_by_name(fake_redis: Redis, endpoint: Endpoint) -> None:
    app = AppHarness(fake_redis)
    path = endpoint.path.replace("{", "").replace("}", "")
    answer = app.web.request(endpoint.method, f"{path}?nonsense=1&other=2")
    refused = answer.status == 422 and b"unknown parameters: 'nonsense', 'other'" in answer.body
    assert refused != endpoint.path.startswith(OPEN)


def test_known_parameters_are_named_and_pass(fake_redis: Redis) -> None:
    app = AppHarness(fake_redis)
    assert app.web.get("/campaigns?limit=1&offset=0").status == 200
    assert "use limit, offset, search, sort, status" in app.web.get("/campaigns?owner=ann").detail
    assert "this endpoint has none" in app.web.get("/accounts?name=default").detail
