"""One finding about a campaign's content: what is wrong, where, what to do, and how much it stops."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """What a finding stops."""

    #: The content is refused.
    ERROR = "error"
    #: The campaign does not start.
    STOPS_START = "stops_start"
    #: The campaign starts once a person has acknowledged the finding.
    ACKNOWLEDGE = "acknowledge"
    #: Nothing.
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Check:
    """A finding.

    Attributes:
        code: its stable name, such as `missing_column`.
        message: what is wrong, with the value, and what to do.
        field: the field of the campaign: `from`, `reply_to`, `subject`, `html`, `text`, or `headers.` and a name.
        line: the line in that field, from 1; None: the whole field.
        column: the character in that line, from 1; None: the whole line.
        level: what it stops.
    """

    code: str
    message: str
    field: str
    line: int | None
    column: int | None
    level: Level

    def __str__(self) -> str:
        where = self.field if self.line is None else f"{self.field}, line {self.line}"
        return f"{where}: {self.message}"


def place(source: str, offset: int) -> tuple[int, int]:
    """The line and the column of a character, both from 1."""
    return source.count("\n", 0, offset) + 1, offset - source.rfind("\n", 0, offset)
