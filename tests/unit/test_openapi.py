"""The description is valid OpenAPI 3.1 and describes all routes of the application and no others."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from redis import Redis
from starlette.routing import Route

from api import dashboard, manual, openapi
from api.endpoints import ENDPOINTS
from api.examples import EXAMPLES
from api.http.endpoint import Endpoint
from api.http.problem_types import ProblemType
from api.operations import TAGS
from campaigns.models import StatusReport
from tests.support.app_harness import CONTENT, AppHarness
from tests.support.services import ROOT


def test_the_description_is_valid() -> None:
    OpenAPIV31SpecValidator(openapi.document(ENDPOINTS)).validate()


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert openapi.document(ENDPOINTS)["info"]["version"] == project["version"]


def test_the_status_shown_has_the_fields_of_a_status_in_their_order() -> None:
    [sample] = re.findall(
        r"^```json\n({\"done\".*?)^```$", (ROOT / "docs" / "curl.md").read_text(), re.MULTILINE | re.DOTALL
    )
    shown = msgspec.json.decode(sample, type=StatusReport)
    assert list(json.loads(sample)) == [field.name for field in msgspec.structs.fields(StatusReport)]
    assert shown.done + shown.failed + shown.pending == shown.total


def test_every_route_is_described_and_nothing_else(fake_redis: Redis) -> None:
    paths = openapi.document(ENDPOINTS)["paths"]
    described = [(method.upper(), path) for path, operations in paths.items() for method in operations]
    assert len(described) == len(ENDPOINTS)
    routes = [
        route for route in AppHarness(fake_redis).starlette.routes if route not in (*dashboard.ROUTES, *manual.ROUTES)
    ]
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


OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in openapi.document(ENDPOINTS)["paths"].items()
    for method, operation in operations.items()
}
MODELS = {
    model.__name__: model
    for endpoint in ENDPOINTS
    for model in (endpoint.body, *endpoint.responses.values())
    if isinstance(model, type)
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_every_operation_has_a_name_a_subject_and_a_description(operation: dict[str, Any]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", operation["operationId"])
    assert len(operation["description"]) > 5
    assert operation["tags"][0] in TAGS
    for parameter in operation.get("parameters", ()):
        assert parameter["description"], parameter


def test_names_of_operations_are_unique() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_is_a_body_of_its_model(name: str) -> None:
    if issubclass(MODELS[name], msgspec.Struct):
        msgspec.json.decode(msgspec.json.encode(EXAMPLES[name]), type=MODELS[name])


def test_every_json_request_has_an_example() -> None:
    bodies = [each.body for each in ENDPOINTS if isinstance(each.body, type)]
    assert [body.__name__ for body in bodies if body.__name__ not in EXAMPLES] == []


def test_times_and_fields_are_described() -> None:
    schemas = openapi.document(ENDPOINTS)["components"]["schemas"]
    assert schemas["UploadInitResponse"]["properties"]["expires_at"]["format"] == "date-time"
    finished = schemas["StatusReport"]["properties"]["finished_at"]["anyOf"]
    assert {"type": "string", "format": "date-time"} in finished
    assert schemas["Content"]["properties"]["tpm"]["description"] == "transactions per minute."
    assert "each row counted once" in schemas["StatusReport"]["properties"]["bounced"]["description"]
    assert "the campaign may send per minute" in schemas["StatusReport"]["properties"]["limit_now"]["description"]


def test_no_two_models_have_one_name() -> None:
    """Msgspec puts the module in front of such names, and generated clients get ugly ones."""
    schemas = openapi.document(ENDPOINTS)["components"]["schemas"]
    assert [name for name in schemas if not re.fullmatch(r"[A-Za-z]+", name)] == []
    assert "Attributes:" not in json.dumps(schemas)


@pytest.mark.parametrize("kind", ProblemType)
def test_every_type_of_problem_is_described(kind: ProblemType) -> None:
    docs = (ROOT / "docs" / "problems.md").read_text(encoding="utf-8")
    assert f"\n### {kind}\n" in docs


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: f"{one.method} {one.path}")
def test_every_campaign_endpoint_describes_its_404(endpoint: Endpoint) -> None:
    can_make = (endpoint.method, endpoint.path) == ("PUT", "/campaigns/{id}")
    needs = ("{id}" in endpoint.path and not can_make) or endpoint.path.startswith(("/webhooks/", "/outbox"))
    assert (404 in endpoint.errors) == needs


def test_the_description_is_served(fake_redis: Redis) -> None:
    answer = AppHarness(fake_redis).web.get("/openapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == json.loads(json.dumps(openapi.document(ENDPOINTS)))
