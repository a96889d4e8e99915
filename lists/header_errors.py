"""The messages for headers that cannot be used. Each says what is wrong and what to do, and contains no address."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Final

from lists.errors import UnusableList
from lists.invisible import is_blank, without_marks

#: Files that people upload as a CSV by mistake, by their first bytes (read as cp1252).
_OTHER_FILES: Final = (
    ("PK\x03\x04", "an Excel workbook or a ZIP archive"),
    ("ÐÏ\x11à", "an old Excel workbook"),
    ("\x1f\u2039", "compressed with gzip"),
    ("%PDF", "a PDF"),
)
#: The characters that a column's name may well have, and those that cannot be a delimiter.
_IN_NAMES: Final = frozenset(f"{string.ascii_letters}{string.digits} .@_-+'\"()/&")
#: The most columns that a message names, and the most characters of each name.
_NAMED: Final = 20
_NAME_CHARS: Final = 40


def shown(name: str) -> str:
    """A name in quotes for a message: one line, without invisible characters, shortened."""
    plain = "".join(char if char.isprintable() else " " for char in without_marks(name)).strip()
    return f'"{plain[:_NAME_CHARS]}"'


def ambiguous(header: Sequence[str], places: Sequence[int]) -> UnusableList:
    """The error for a header with several columns that can be the column of addresses."""
    first, second = places[:2]
    if header[first].strip() == header[second].strip():
        return UnusableList(
            f"Columns {first + 1} and {second + 1} are both called {shown(header[first])}. "
            "Rename one of them, and give the name of the column of addresses as email_column."
        )
    names = [f"{shown(header[place])} (column {place + 1})" for place in places[:_NAMED]]
    return UnusableList(
        f"These columns can all be the column of addresses: {', '.join(names)}. Give the right one as email_column."
    )


def below_a_title(header: Sequence[str], line: int, first_line: int) -> UnusableList:
    """The error for a file whose header stands below other lines.

    Args:
        header: the cells of the first line.
        line: the number of the line that is the header, from 1.
        first_line: the number of the first line that is not blank.
    """
    cells = sum(not is_blank(cell) for cell in header)
    count = "1 cell" if cells == 1 else f"{cells} cells"
    return UnusableList(
        f"Line {first_line} has {count} and is not the header; line {line} is. Delete the lines above the header."
    )


def no_such_column(line: str, header: Sequence[str], wanted: str, below: Sequence[str]) -> UnusableList:
    """The error for a header without the column of addresses.

    Args:
        line: the header's first line.
        header: its cells.
        wanted: the header that the user named, or "".
        below: the cells of the line below the header.
    """
    for start, kind in _OTHER_FILES:
        if line.startswith(start):
            return UnusableList(f"The file is not a CSV: it is {kind}. Save it as CSV first.")
    if any("@" in cell for cell in header):
        detail = "The file seems to have no header row: its first row contains an email address. Add a header row."
        return UnusableList(detail)
    names = ", ".join(shown(cell) for cell in header[:_NAMED])
    more = f" and {len(header) - _NAMED:,} more" if len(header) > _NAMED else ""
    detail = f"There is no column {shown(wanted or 'email')}; the columns are {names}{more}."
    if len(header) - sum(map(is_blank, header)) == 1 < len(below):
        return UnusableList(
            f"{detail} The first line has 1 cell, the next one has {len(below)}: if it is a title, delete the lines "
            "above the header."
        )
    if len(header) == 1 and (between := _delimiter_in(header[0])):
        return UnusableList(f"{detail} If {between!r} stands between the columns, give it as delimiter.")
    return UnusableList(f"{detail} Give the header of the column of addresses as email_column.")


def _delimiter_in(cell: str) -> str | None:
    """A character that may separate the columns of a header that was read as one cell: `email^name`."""
    inner = cell.strip()[1:-1]
    return next((char for char in inner if char.isascii() and char.isprintable() and char not in _IN_NAMES), None)
