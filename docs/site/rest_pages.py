"""The REST reference as Markdown pages, one per subject, from the API's description."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from api import openapi
from api.endpoints import ENDPOINTS

Schema = Mapping[str, Any]


def pages() -> dict[str, str]:
    """The pages, by file name."""
    document = openapi.document(ENDPOINTS)
    found = {"index.md": _index(document)}
    for tag in document["tags"]:
        found[_file(tag["name"])] = "\n".join([*_tag(document, tag), ""])
    found["models.md"] = "\n".join([*_models(document["components"]["schemas"]), ""])
    return found


def _file(tag: str) -> str:
    return f"{tag.lower().replace(' ', '-')}.md"


def _operations(document: Schema) -> Iterator[tuple[str, str, Schema]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield method.upper(), path, operation


def _index(document: Schema) -> str:
    lines = ["# The REST API", "", document["info"]["description"], ""]
    lines += [
        "`GET /openapi.json` is this description for programs: OpenAPI 3.1. Errors: [problems](../problems.md).", "",
        "| operation | does |", "|---|---|",
    ]  # fmt: skip
    for method, path, operation in _operations(document):
        target = f"{_file(operation['tags'][0])}#{operation['operationId']}"
        lines.append(f"| [`{method} {path}`]({target}) | {operation['summary']} |")
    return "\n".join([*lines, "", "[All models](models.md)", ""])


def _tag(document: Schema, tag: Schema) -> Iterator[str]:
    yield from (f"# {tag['name']}", "", tag["description"], "")
    for method, path, operation in _operations(document):
        if operation["tags"] == [tag["name"]]:
            yield from _operation(method, path, operation)


def _operation(method: str, path: str, operation: Schema) -> Iterator[str]:
    name = operation["operationId"]
    yield from (f"## {name} {{ #{name} }}", "", f"`{method} {path}`", "", f"{operation['summary']}.", "")
    yield from (operation["description"], "")
    if parameters := operation.get("parameters"):
        yield from ("| parameter | in | type | meaning |", "|---|---|---|---|")
        for one in parameters:
            required = "" if one["in"] == "path" or not one["required"] else ", required"
            kind = _type(one["schema"])
            yield f"| `{one['name']}` | {one['in']}{required} | {kind} | {one.get('description', '')} |"
        yield ""
    if body := operation.get("requestBody"):
        yield from ("**Request**", "", *_bodies(body["content"]))
    yield from ("**Responses**", "")
    for status, response in operation["responses"].items():
        content = response.get("content", {})
        if "application/problem+json" in content:
            continue
        yield from (f"`{status}` {response['description']}", "", *_bodies(content))
    problems = [
        status for status, one in operation["responses"].items() if "application/problem+json" in one.get("content", {})
    ]
    if problems:
        yield from (f"[Problems](../problems.md): {', '.join(problems)}.", "")


def _bodies(content: Schema) -> Iterator[str]:
    for media_type, found in content.items():
        yield from (f"`{media_type}`: {_type(found['schema'])}", "")
        if "example" in found:
            yield from ("```json", json.dumps(found["example"], indent=2, ensure_ascii=False), "```", "")


def _models(schemas: Schema) -> Iterator[str]:
    yield from ("# Models", "")
    for name, schema in sorted(schemas.items()):
        yield from (f"## {name} {{ #{name.lower()} }}", "", _plain(schema.get("description", "")), "")
        if "enum" in schema:
            yield from (", ".join(f"`{value}`" for value in schema["enum"]), "")
        if properties := schema.get("properties"):
            required = schema.get("required", ())
            yield from ("| field | type | meaning |", "|---|---|---|")
            for field, one in properties.items():
                star = " (required)" if field in required else ""
                yield f"| `{field}`{star} | {_type(one)} | {_plain(one.get('description', ''))} |"
            yield ""


def _type(schema: Schema | bool) -> str:
    """A schema in a few words, with links to models. `true` is the schema of any value."""
    if isinstance(schema, bool):
        return "any"
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](models.md#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"array of {_type(schema.get('items', {}))}"
    limits = [f"{words} {schema[key]}" for key, words in _LIMITS.items() if key in schema]
    return ", ".join(word for word in (kind, schema.get("format", ""), *limits) if word)


_LIMITS = {"minimum": "at least", "maximum": "at most", "maxLength": "characters at most"}


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
