"""The fields of single lines and records, and what makes them look like a row. Knows nothing of blocks or slices."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from lists import lines as csv_lines
from lists.invisible import is_blank, trimmed

#: An end mark appended to lines: it comes back as a separate record unless a quote is still open before it.
END: Final = "end"

#: What looks like an address. It only decides which lines make a row, not which addresses are valid: a row must keep
#: its number when the rules for addresses change.
_LIKE_AN_ADDRESS: Final = re.compile(r"""[^\s@"<>():,;]+@[^\s@"<>():,;]+""").fullmatch

# The limit of the csv module holds for the whole process. No field is longer than a record, so it must never apply.
csv.field_size_limit(max(csv.field_size_limit(), 2 * csv_lines.RECORD.size))


#: The rules by which lists are scanned. A list that was scanned by other rules is read by those, so that its rows keep
#: their numbers. Rules 1 counted rows in which nothing can be seen, except empty lines, and every line of a record that
#: is longer than a record may be.
ROW_RULES: Final = 2


class Shape(NamedTuple):
    """What the rows of a file have in common.

    Attributes:
        delimiter: the character between fields.
        width: the number of fields.
        email_index: the position of the address.
        skip_initial_space: whether spaces before a field do not belong to it, so that a quote may follow them.
        row_rules: the rules for what counts as a row, see `ROW_RULES`.
    """

    delimiter: str
    width: int
    email_index: int
    skip_initial_space: bool = False
    row_rules: int = ROW_RULES

    @property
    def csv(self) -> dict[str, Any]:
        """The options for `csv.reader`."""
        return {"delimiter": self.delimiter, "skipinitialspace": self.skip_initial_space}


@dataclass(frozen=True, slots=True)
class Malformed:
    """A row that cannot be read: the reason for the report, and the text in place of the address, if any."""

    reason: str
    email: str = ""


Row = list[str] | Malformed


def alone(text: str, shape: Shape) -> tuple[list[str], bool]:
    """Read one line leniently as a whole record; return its fields, and whether its quotes are closed."""
    records = list(csv.reader([text, END], **shape.csv))
    return records[0], records[-1] == [END]


def email_of(fields: Sequence[str], shape: Shape) -> str:
    """The cell of the address; "" if the record ends before it."""
    return fields[shape.email_index] if shape.email_index < len(fields) else ""


def has_surplus(fields: Sequence[str], width: int) -> bool:
    """Whether a field beyond the header's number of fields is not blank."""
    return len(fields) > width and not all(map(is_blank, fields[width:]))


def is_full(fields: Sequence[str], shape: Shape) -> bool:
    """Whether the fields are as many as the header's; blank ones beyond these do not count."""
    return len(fields) >= shape.width and not has_surplus(fields, shape.width)


def looks_like_a_row(text: str, shape: Shape, *, full: bool) -> bool:
    """Whether one line by itself is a row with something like an address; `full`: with as many fields as the header."""
    fields, closed = alone(text, shape)
    likely = closed and _LIKE_AN_ADDRESS(trimmed(email_of(fields, shape))) is not None
    return likely and (not full or is_full(fields, shape))
