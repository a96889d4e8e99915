"""The parameters of an upload that say how to read its list: their names, schemas and checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from api.http.endpoint import Schema
from api.http.errors import invalid
from api.uploads.bodies import MAX_COLUMN_NAME, MAX_OPTION
from lists.errors import UnusableList
from lists.list_options import ListOptions

#: The most characters of each parameter. All are recognised if they are missing.
_LENGTHS: Final = {
    "email_column": MAX_COLUMN_NAME,
    "encoding": MAX_OPTION,
    "delimiter": MAX_OPTION,
    "sheet": MAX_COLUMN_NAME,
}
#: The parameters as JSON schemas, for a query or the fields of a form.
SCHEMAS: Final[dict[str, Schema]] = {
    name: {"type": "string", "maxLength": length, "default": ""} for name, length in _LENGTHS.items()
}


def options(given: Mapping[str, str]) -> ListOptions:
    """The options in a query or form; other parameters are ignored.

    Raises:
        Problem: 422: one is too long or cannot be used.
    """
    for name, length in _LENGTHS.items():
        if len(given.get(name, "")) > length:
            raise invalid(f"{name}: at most {length} characters are possible.")
    return checked(ListOptions(**{name: given.get(name, "") for name in _LENGTHS}))


def checked(wanted: ListOptions) -> ListOptions:
    """The options as they are stored.

    Raises:
        Problem: 422: one cannot be used.
    """
    try:
        return wanted.checked()
    except UnusableList as error:
        raise invalid(error.detail) from None
