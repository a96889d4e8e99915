"""The headers that a campaign adds to its emails. A value with tags is a template, rendered for each row.

`mail.content` checks names and fixed values. What a template yields is checked here, since cells are part of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from mail.tags import replaced
from mail.template import TEXT, Template

#: The most characters of a value: with its name it fits in the line of RFC 5322, 2.1.1.
MAX_HEADER: Final = 900
#: What leads the name of a header in the field of its template.
FIELD: Final = "headers."

#: Printable ASCII: other characters need an encoding that some providers do not apply to headers.
_VALUE: Final = re.compile(r"[!-~]([ -~]*[!-~])?")


class InvalidHeader(Exception):
    """A header's value cannot be sent; the message says why, and what to do."""


def is_template(value: str) -> bool:
    """Whether a header's value has tags."""
    return "{{" in value or "{%" in value or "{#" in value


def is_sendable(value: str) -> bool:
    """Whether a value can be sent, as far as that is known before its tags are rendered."""
    fixed = replaced(value, lambda _number, _tag: "x") if is_template(value) else value
    return len(value) <= MAX_HEADER and _VALUE.fullmatch(fixed) is not None


class HeaderTemplates:
    """The headers of a campaign, compiled.

    Args:
        headers: names and values.

    Raises:
        InvalidCampaign: a value is an invalid template; the detail names the header.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._fixed = headers
        self._templates = {
            name: Template(TEXT, FIELD + name, value) for name, value in headers.items() if is_template(value)
        }

    @property
    def each(self) -> tuple[Template, ...]:
        """The templates among the values."""
        return tuple(self._templates.values())

    def rendered(self, render: Callable[[Template], str]) -> Mapping[str, str]:
        """The headers of one row.

        Args:
            render: renders a template for the row.

        Raises:
            InvalidHeader: a value cannot be sent. `render` may raise further errors.
        """
        if not self._templates:
            return self._fixed
        made = {name: _checked(template, render(template)) for name, template in self._templates.items()}
        return {**self._fixed, **made}


def _checked(template: Template, value: str) -> str:
    value = value.strip(" ")
    if not value:
        raise InvalidHeader(f"{template.field}: it is empty for this row: give a fallback with |default")
    if len(value) > MAX_HEADER:
        raise InvalidHeader(f"{template.field}: {len(value):,} characters are more than {MAX_HEADER}: shorten it")
    if not _VALUE.fullmatch(value) or "=?" in value:
        raise InvalidHeader(f"{template.field}: a value is printable ASCII on one line: put |urlencode behind a name")
    return value
