"""Fills the JSON schemas of the models with what only their docstrings and names say: descriptions and formats."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

#: Fields that hold a time in RFC 3339. `start_at` is none: it may be a local time.
_TIME: Final = re.compile(r"(?!start_at$)([a-z_]+_)?at")
_NAMES: Final = r"`\w+`(?: \([^)]*\))?"
#: "`a`: ...", or "`a`, `b` and `c`: ..." in a docstring.
_CLAUSE: Final = re.compile(rf"((?:{_NAMES}(?:, and |, | and ))*{_NAMES}): ")
#: The section of a docstring that goes to the properties.
_SECTION: Final = re.compile(r"\s*(?:Attributes|Args):\s*\n")
#: "name: ..." in the section "Attributes:" of a docstring.
_ATTRIBUTE: Final = re.compile(r"^ +(\w+): (.*)$")


def improve(schemas: dict[str, Any]) -> None:
    """Add descriptions and formats to the properties of these schemas."""
    for schema in schemas.values():
        text = schema.get("description", "")
        texts = dict(described(text))
        if text:
            schema["description"] = _SECTION.split(text)[0]
        for name, found in schema.get("properties", {}).items():
            if name in texts and "$ref" not in found:
                found.setdefault("description", texts[name])
            if _TIME.fullmatch(name):
                _mark_time(found)


def described(docstring: str) -> Iterator[tuple[str, str]]:
    """The names of fields and what a docstring says of each."""
    for line in docstring.splitlines():
        if attribute := _ATTRIBUTE.match(line):
            yield attribute[1], attribute[2]
    words = " ".join(docstring.split())
    pieces = _CLAUSE.split(words)
    for names, text in zip(pieces[1::2], pieces[2::2], strict=True):
        for name in re.findall(r"`(\w+)`", names):
            yield name, text.strip().rstrip(";")


def _mark_time(schema: dict[str, Any]) -> None:
    for one in (schema, *schema.get("anyOf", ())):
        if one.get("type") == "string":
            one["format"] = "date-time"
