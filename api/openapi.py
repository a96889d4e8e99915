"""The API's description (OpenAPI 3.1), generated from the table of endpoints and its models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec

from api.examples import EXAMPLES, PROBLEM as PROBLEM_EXAMPLE
from api.http.endpoint import Endpoint, ResponseBody
from api.http.errors import MEDIA_TYPE as PROBLEM
from api.http.problem_types import PREFIX, ProblemType
from api.http.responses import JSON
from api.operations import TAGS, operation
from api.schema_texts import improve
from campaigns.models import CAMPAIGN_ID
from mail.attachment import MAX_NAME_BYTES
from mail.outbox_files import NAME

#: The project's version, repeated here because an installation may lack `pyproject.toml`; a test compares the two.
VERSION: Final = "0.1.0"

_REF: Final = "#/components/schemas/{name}"
_ABOUT: Final = (
    "Postrider sends one email to each recipient of a CSV, never faster than the campaign's rate limit. Create a "
    "campaign with PUT, upload its list, start it, and follow its status.\n\n"
    "Errors are problem objects (RFC 9457). Their `type` never changes its meaning; `detail` is a sentence for people "
    "that says what to do. Every request may be repeated. After 429 and 503, wait for `Retry-After` seconds."
)
#: The parameters in paths, as JSON schemas.
_PATH_PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "id": {"type": "string", "pattern": f"^{CAMPAIGN_ID.pattern}$"},
    "email": {"type": "string"},
    "token": {"type": "string"},
    "upload_id": {"type": "string"},
    "name": {"type": "string", "pattern": f"^({NAME.pattern})$"},
    "filename": {"type": "string", "maxLength": MAX_NAME_BYTES},
}
#: Parameters with an example and a description.
_PARAMETER_TEXTS: Final[dict[str, tuple[str, Any]]] = {
    "id": ("The campaign's id. The client chooses it.", "spring"),
    "email": ("An email address.", "ann@example.com"),
    "token": ("The signed part of an unsubscribe link.", "AbC"),
    "upload_id": ("The id that the upload got when it began.", "Ab3"),
    "filename": ("The file's name, as the email shows it.", "offer.pdf"),
    "name": ("A row's number, or the name of a test email.", "12"),
    "offset": ("How many campaigns or emails to leave out.", 0),
    "search": ("A part of id, recipient or subject, in any case.", "spring"),
    "status": ("Only campaigns in this state.", "running"),
    "sort": ("The order.", "newest"),
    "after": ("Only campaigns after this one: take it from `next`.", "spring"),
    "before": ("Only entries with a lower number; 0: all.", 0),
    "limit": ("The most campaigns or entries on this page.", 50),
    "state": ("The rows to download.", "failed"),
    "from": ("The sender: an address with or without a name, or a domain.", "news@example.com"),
    "selector": ("The DKIM selector; left out: those that the provider uses.", "s1"),
    "reason": ("Why the addresses are on the list, or why one is removed.", "manual"),
    "dry_run": ("Only say how the list would be read; keep nothing.", True),
    "email_column": ("The header of the column of addresses; left out: recognised.", "Email"),
    "encoding": ("The list's encoding; left out: recognised.", "utf-8"),
    "delimiter": ("The character between cells; left out: recognised.", ";"),
    "sheet": ("The sheet of a workbook; left out: the first one.", "Sheet1"),
}
_IN_BRACES: Final = re.compile(r"{(\w+)}")
#: The problems of every endpoint: no token, not allowed, Redis or the object store unavailable.
_COMMON: Final = (401, 403, 503)
#: The further problems of every endpoint with a request body: too slow, too large, compressed, invalid.
_READING: Final = (408, 413, 415, 422)

_PROBLEM_SCHEMA: Final = {
    "type": "object",
    "description": "RFC 9457. `detail` says what is wrong and what to do; `campaign_status` names a state that does "
    "not allow the request.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {
            "type": "string",
            "format": "uri-reference",
            "enum": [f"{PREFIX}{kind}" for kind in ProblemType] + ["about:blank"],
            "description": "what kind of error it is: programs decide by this",
        },
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "campaign_status": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {"$ref": _REF.format(name="Check")},
            "description": "all mistakes of the body, each with its field; `detail` is about the first",
        },
        "unaccepted": {
            "type": "array",
            "items": {"type": "string"},
            "description": "codes of the warnings that a person must accept before the campaign starts",
        },
        "missing": {"type": "array", "items": {"type": "integer"}, "description": "numbers of the missing parts"},
        "wrong": {"type": "array", "items": {"type": "integer"}, "description": "numbers of the parts to send again"},
    },
}


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The OpenAPI document of these endpoints."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    schemas = _schemas(_models(endpoints))
    improve(schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Postrider",
            "version": VERSION,
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "this server"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Problem": _PROBLEM_SCHEMA},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _models(endpoints: Sequence[Endpoint]) -> list[type]:
    found = [model for endpoint in endpoints for model in (*endpoint.responses.values(), endpoint.body)]
    return list(dict.fromkeys(model for model in found if model is not None and not isinstance(model, str | dict)))


def _schemas(models: Sequence[type]) -> dict[str, Any]:
    return msgspec.json.schema_components(models, ref_template=_REF)[1]


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    name, tag, about = operation(endpoint)
    described: dict[str, Any] = {
        "operationId": name,
        "summary": endpoint.summary,
        "description": about,
        "tags": [tag],
        "responses": {
            **{str(status): _response(status, model) for status, model in endpoint.responses.items()},
            **{str(status): _problem(status) for status in _problems(endpoint)},
        },
    }
    parameters = [_parameter("query", name, schema) for name, schema in endpoint.query.items()]
    for name in reversed(_IN_BRACES.findall(endpoint.path)):
        parameters.insert(0, _parameter("path", name, _PATH_PARAMETERS[name]))
    if parameters:
        described["parameters"] = parameters
    if isinstance(endpoint.body, dict):
        described["requestBody"] = endpoint.body
    elif endpoint.body is not None:
        required = any(field.required for field in msgspec.structs.fields(endpoint.body))
        described["requestBody"] = {"required": required, "content": _content(endpoint.body)}
    return described


def _problems(endpoint: Endpoint) -> list[int]:
    query = () if endpoint.any_query else (422,)
    return sorted({*_COMMON, *query, *endpoint.errors, *(_READING if endpoint.body is not None else ())})


def _parameter(place: str, name: str, schema: dict[str, Any]) -> dict[str, Any]:
    described = {"in": place, "name": name, "required": place == "path", "schema": schema}
    if name in _PARAMETER_TEXTS:
        described["description"], described["example"] = _PARAMETER_TEXTS[name]
    return described


def _response(status: int, model: ResponseBody) -> dict[str, Any]:
    described: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if model is not None:
        described["content"] = _content(model)
    return described


def _content(model: type | str) -> dict[str, Any]:
    if isinstance(model, str):
        return {model: {"schema": {"type": "object"} if model == JSON else {"type": "string"}}}
    content: dict[str, Any] = {"schema": msgspec.json.schema_components((model,), ref_template=_REF)[0][0]}
    if model.__name__ in EXAMPLES:
        content["example"] = EXAMPLES[model.__name__]
    return {JSON: content}


def _problem(status: int) -> dict[str, Any]:
    content: dict[str, Any] = {PROBLEM: {"schema": {"$ref": _REF.format(name="Problem")}}}
    if status == PROBLEM_EXAMPLE["status"]:
        content[PROBLEM]["example"] = PROBLEM_EXAMPLE
    return {"description": HTTPStatus(status).phrase, "content": content}
