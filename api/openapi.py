"""The API's description (OpenAPI 3.1), made from `api.operations` and the models that the handlers use."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.http.errors import MEDIA_TYPE as PROBLEM
from api.operations import JSON, OPERATIONS, Operation
from campaigns.models import CAMPAIGN_ID

#: The project's own, as in `pyproject.toml`, which is not there where the project is only copied; a test compares them.
VERSION: Final = "0.1.0"

_REF: Final = "#/components/schemas/{name}"
_ABOUT: Final = (
    "Sends one email to each row of a CSV, never above the campaign's rate. Put a campaign, upload its list, start it, "
    "watch it."
)
_AWAY: Final = 503


_PROBLEM_SCHEMA: Final = {
    "type": "object",
    "description": "RFC 9457. `detail` says what to do; a wrong state is named in `campaign_status`.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "campaign_status": {"type": "string"},
        "missing": {"type": "array", "items": {"type": "integer"}, "description": "numbers of the parts not there"},
        "wrong": {"type": "array", "items": {"type": "integer"}, "description": "numbers of the parts to send again"},
    },
}


def describe(_request: Request) -> Response:
    """The description as JSON."""
    return Response(_encoded(), media_type=JSON)


@cache
def _encoded() -> bytes:
    return msgspec.json.encode(document())


def document() -> dict[str, Any]:
    """The description."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Postrider", "version": VERSION, "description": _ABOUT},
        "paths": paths,
        "components": {
            "schemas": {**_schemas(_models()), "Problem": _PROBLEM_SCHEMA},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _models() -> list[type]:
    found = [model for operation in OPERATIONS for model in (*operation.answers.values(), operation.body)]
    return list(dict.fromkeys(model for model in found if isinstance(model, type)))


def _schemas(models: Sequence[type]) -> dict[str, Any]:
    return msgspec.json.schema_components(models, ref_template=_REF)[1]


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": _name(operation),
        "summary": operation.summary,
        "responses": {
            **{str(status): _answer(status, model) for status, model in operation.answers.items()},
            **{str(status): _problem(status) for status in (401, 403, *operation.errors, _AWAY)},
        },
    }
    parameters = [_parameter("query", name, schema) for name, schema in operation.query]
    if "{id}" in operation.path:
        parameters.insert(0, _parameter("path", "id", {"type": "string", "pattern": f"^{CAMPAIGN_ID.pattern}$"}))
    if parameters:
        described["parameters"] = parameters
    if isinstance(operation.body, dict):
        described["requestBody"] = operation.body
    elif operation.body is not None:
        described["requestBody"] = {"required": True, "content": _content(operation.body)}
    return described


def _name(operation: Operation) -> str:
    words = operation.path.replace("{id}", "one").replace("/", " ").replace(".", " ").replace("-", " ").split()
    return "_".join([operation.method, *words])


def _parameter(place: str, name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"in": place, "name": name, "required": place == "path", "schema": schema}


def _answer(status: int, model: type | str | None) -> dict[str, Any]:
    described: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if model is not None:
        described["content"] = _content(model)
    return described


def _content(model: type | str) -> dict[str, Any]:
    if isinstance(model, str):
        return {model: {"schema": {"type": "object"} if model == JSON else {"type": "string"}}}
    return {JSON: {"schema": {"$ref": _REF.format(name=model.__name__)}}}


def _problem(status: int) -> dict[str, Any]:
    content = {PROBLEM: {"schema": {"$ref": _REF.format(name="Problem")}}}
    return {"description": HTTPStatus(status).phrase, "content": content}
