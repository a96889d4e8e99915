"""The description is valid OpenAPI 3.1, and describes the routes that there are: all of them, and no others."""

from __future__ import annotations

import json
import re
import tomllib

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from redis import Redis

from api import openapi, operations
from api.routes import ROUTES
from campaigns.models import StatusReport
from tests.support.app_harness import CONTENT, AppHarness
from tests.support.services import ROOT


def test_the_description_is_valid() -> None:
    OpenAPIV31SpecValidator(openapi.document()).validate()


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert openapi.document()["info"]["version"] == project["version"]


def test_the_readmes_status_has_the_fields_of_a_status_in_their_order() -> None:
    [sample] = re.findall(r"^```json\n({\"done\".*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    shown = msgspec.json.decode(sample, type=StatusReport)
    assert list(json.loads(sample)) == [field.name for field in msgspec.structs.fields(StatusReport)]
    assert shown.done + shown.failed + shown.pending == shown.total


def test_every_route_is_described_and_nothing_else() -> None:
    described = {(operation.method.upper(), operation.path) for operation in operations.OPERATIONS}
    assert len(described) == len(operations.OPERATIONS)
    routed = {(method, route.path) for route in ROUTES for method in route.methods or () if method != "HEAD"}
    assert described == routed


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(openapi.document())
    schemas = openapi.document()["components"]["schemas"]
    assert all(f'"{name}"' in text for name in schemas)
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= set(schemas)
    assert {"Content", "StatusReport", "Problem", "UploadPlan"} <= names


def test_the_campaigns_body_is_the_one_that_is_taken() -> None:
    schema = openapi.document()["components"]["schemas"]["Content"]
    assert set(schema["required"]) == {"from", "subject"}
    assert set(CONTENT) <= set(schema["properties"])


@pytest.mark.parametrize("operation", operations.OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_every_campaign_endpoint_tells_of_404(operation: operations.Operation) -> None:
    needs = ("{id}" in operation.path and operation.method != "put") or operation.path.startswith("/webhooks/")
    assert (404 in operation.errors) == needs


def test_it_is_served(fake_redis: Redis) -> None:
    answer = AppHarness(fake_redis).web.get("/openapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == json.loads(json.dumps(openapi.document()))
