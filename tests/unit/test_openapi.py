"""The description is valid OpenAPI 3.1 and describes all routes of the application and no others."""

from __future__ import annotations

import json
import re
import tomllib

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from redis import Redis
from starlette.routing import Route

from api import dashboard, openapi
from api.endpoints import ENDPOINTS
from api.http.endpoint import Endpoint
from campaigns.models import StatusReport
from tests.support.app_harness import CONTENT, AppHarness
from tests.support.services import ROOT


def test_the_description_is_valid() -> None:
    OpenAPIV31SpecValidator(openapi.document(ENDPOINTS)).validate()


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert openapi.document(ENDPOINTS)["info"]["version"] == project["version"]


def test_the_readmes_status_has_the_fields_of_a_status_in_their_order() -> None:
    [sample] = re.findall(r"^```json\n({\"done\".*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    shown = msgspec.json.decode(sample, type=StatusReport)
    assert list(json.loads(sample)) == [field.name for field in msgspec.structs.fields(StatusReport)]
    assert shown.done + shown.failed + shown.pending == shown.total


def test_every_route_is_described_and_nothing_else(fake_redis: Redis) -> None:
    paths = openapi.document(ENDPOINTS)["paths"]
    described = [(method.upper(), path) for path, operations in paths.items() for method in operations]
    assert len(described) == len(ENDPOINTS)
    routes = [route for route in AppHarness(fake_redis).starlette.routes if route not in dashboard.ROUTES]
    routed = [(method, route.path) for route in routes if isinstance(route, Route) for method in route.methods or ()]
    assert sorted(described) == sorted((method, path) for method, path in routed if method != "HEAD")


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(openapi.document(ENDPOINTS))
    schemas = openapi.document(ENDPOINTS)["components"]["schemas"]
    assert all(f'"{name}"' in text for name in schemas)
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= set(schemas)
    assert {"Content", "StatusReport", "Problem", "UploadInitResponse"} <= names


def test_the_campaigns_body_is_the_one_that_the_server_accepts() -> None:
    schema = openapi.document(ENDPOINTS)["components"]["schemas"]["Content"]
    assert set(schema["required"]) == {"from", "subject"}
    assert set(CONTENT) <= set(schema["properties"])


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: f"{one.method} {one.path}")
def test_every_campaign_endpoint_describes_its_404(endpoint: Endpoint) -> None:
    can_make = (endpoint.method, endpoint.path) == ("PUT", "/campaigns/{id}")
    needs = ("{id}" in endpoint.path and not can_make) or endpoint.path.startswith("/webhooks/")
    assert (404 in endpoint.errors) == needs


def test_the_description_is_served(fake_redis: Redis) -> None:
    answer = AppHarness(fake_redis).web.get("/openapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == json.loads(json.dumps(openapi.document(ENDPOINTS)))
