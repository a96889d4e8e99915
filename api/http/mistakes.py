"""Finds all mistakes of a JSON body that does not match its model. `msgspec` stops at the first one."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

import msgspec

#: The most mistakes that a response names.
MAX_MISTAKES: Final = 100
#: The most characters of a field's name that a response shows.
_SHOWN_CHARS: Final = 50
#: The place that msgspec adds to its messages.
_PLACE: Final = re.compile(r" - at `(?:key in )?\$(.*)`$", re.DOTALL)


class Mistake(msgspec.Struct, frozen=True):
    """What is wrong with one field. It has the form of a finding about a campaign's content (`mail.check.Check`).

    Attributes:
        code: `unknown_field`, `missing_field` or `wrong_value`.
        message: what is wrong, and what to do.
        field: its place in the body, such as `ramp.to` or `parts[3].etag`; "" for the whole body.
        line: never known.
        column: never known.
        level: always `error`.
    """

    code: str
    message: str
    field: str
    line: None = None
    column: None = None
    level: str = "error"


def mistakes(model: Any, body: Any) -> list[Mistake]:
    """All mistakes in a decoded JSON body, up to `MAX_MISTAKES`; none if it matches the model."""
    found = []
    for mistake in _of_value(model, body, ""):
        found.append(mistake)
        if len(found) == MAX_MISTAKES:
            break
    return found


def _of_value(expected: Any, value: Any, place: str) -> Iterator[Mistake]:
    struct = _struct(expected)
    if struct is not None and isinstance(value, dict):
        yield from _of_object(struct, value, place)
        return
    item = _item(expected)
    if item is not None and isinstance(value, list) and _struct(item) is not None:
        before = False
        for number, element in enumerate(value):
            for mistake in _of_value(item, element, f"{place}[{number}]"):
                before = True
                yield mistake
        if before:
            return
    try:
        msgspec.convert(value, expected, strict=True)
    except msgspec.ValidationError as error:
        message, inner = _split(str(error))
        yield Mistake("wrong_value", message, (place + inner).lstrip("."))


def _of_object(struct: type[msgspec.Struct], value: dict[str, Any], place: str) -> Iterator[Mistake]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    hints = get_type_hints(struct, include_extras=True)
    before = f"{place}." if place else ""
    if struct.__struct_config__.forbid_unknown_fields:
        for name in value:
            if name not in fields:
                yield Mistake("unknown_field", _unknown(name, list(fields)), f"{before}{name[:_SHOWN_CHARS]}")
    for name, field in fields.items():
        if name in value:
            yield from _of_value(hints[field.name], value[name], f"{before}{name}")
        elif field.required:
            yield Mistake("missing_field", "It is missing: give a value.", f"{before}{name}")


def _unknown(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    advice = f"did you mean {close[0]}?" if close else f"use {', '.join(sorted(known))}."
    return f"There is no field {name[:_SHOWN_CHARS]!r}; {advice}"


def _split(message: str) -> tuple[str, str]:
    """The message of msgspec without the place, and the place."""
    found = _PLACE.search(message)
    return (f"{message[: found.start()]}.", found[1]) if found else (f"{message}.", "")


def _struct(expected: Any) -> type[msgspec.Struct] | None:
    """The model among the types that are possible here."""
    for kind in _possible(expected):
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return kind
    return None


def _item(expected: Any) -> Any:
    """The type of an array's elements; None: no array is possible here."""
    for kind in _possible(expected):
        if get_origin(kind) in {list, tuple}:
            return get_args(kind)[0]
    return None


def _possible(expected: Any) -> list[Any]:
    if get_origin(expected) is Annotated:
        return _possible(get_args(expected)[0])
    if get_origin(expected) in {Union, types.UnionType}:
        return [kind for each in get_args(expected) for kind in _possible(each)]
    return [expected]
