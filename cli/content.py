"""A campaign's content from options and files, as the body of `PUT /campaigns/{id}`."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cli.errors import CommandError, ExitCode

#: The longest part of an id that comes from a file's name, in characters.
STEM_CHARS: Final = 40


def body_of(base: Path | None, pairs: list[str] | None = None, **fields: Any) -> dict[str, Any]:
    """The body: the JSON of `base`, over it the `FIELD=VALUE` words of `pairs`, and over these every field that is not
    None. A `Path` stands for its text.

    Raises:
        CommandError: a file cannot be read, or `base` holds no JSON object.
    """
    found = (_object(base) if base else {}) | fields_of(pairs)
    given = {name: value for name, value in fields.items() if value is not None}
    return found | {name: text_of(value) if isinstance(value, Path) else value for name, value in given.items()}


def text_of(file: Path) -> str:
    """The text of a template; a byte order mark is not part of it."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise _wrong(f"{file} is not UTF-8: save it as UTF-8.") from None
    except OSError as error:
        raise _wrong(f"{file} cannot be read: {error.strerror}.") from error


def headers_of(lines: list[str] | None) -> dict[str, str] | None:
    """Headers from `Name: value` lines; None: there are none."""
    if not lines:
        return None
    found = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise _wrong(f"--header {line!r} has no name: write 'Name: value'.")
        found[name.strip()] = value.strip()
    return found


def columns_of(pairs: list[str]) -> dict[str, str]:
    """Values of columns from `NAME=VALUE` words."""
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise _wrong(f"--column {pair!r} has no name: write NAME=VALUE.")
        found[name.strip()] = value
    return found


def fields_of(pairs: list[str] | None) -> dict[str, Any]:
    """Fields of a campaign from `FIELD=VALUE` words. A value that is JSON counts as such, any other one as a text."""
    found: dict[str, Any] = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise _wrong(f"--set {pair!r} has no field: write FIELD=VALUE.")
        try:
            found[name.strip()] = json.loads(value)
        except ValueError:
            found[name.strip()] = value
    return found


def id_for(file: Path, now: datetime) -> str:
    """An id for a campaign that gets none: the list's name and the time, such as `people-20261124-083000`."""
    stem = re.sub(r"[^A-Za-z0-9]+", "-", file.stem).strip("-")[:STEM_CHARS] or "campaign"
    return f"{stem}-{now:%Y%m%d-%H%M%S}"


def _object(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(text_of(file))
    except ValueError as error:
        raise _wrong(f"{file} is no JSON: {error}.") from error
    if not isinstance(found, dict):
        raise _wrong(f"{file} holds no JSON object: write {{...}} with the fields of PUT /campaigns/ID.")
    return found


def _wrong(detail: str) -> CommandError:
    return CommandError(detail, ExitCode.USAGE)
