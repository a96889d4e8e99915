"""Finds the end of a record that is longer than a record may be. Holds one block at a time; keeps no field.

The record is one row, which is rejected. It ends with the line that closes its quotes, before lines that look like
rows, or with the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lists import lines as csv_lines
from lists.fields import Shape, alone, is_full, looks_like_a_row
from lists.invisible import is_blank
from lists.lines import Lines

#: Lines are rows, and not a long text, if at least one in this number looks like a row with an address. A text hardly
#: has lines with a bare address in the right place.
_LINES_PER_ADDRESS: Final = 10
#: They are rows as well if at least one in this number has as many fields as a header of so many fields or more.
_LINES_PER_FULL_ROW: Final = 2
_TELLING_WIDTH: Final = 3


def are_rows(texts: Sequence[str], shape: Shape) -> bool:
    """Whether enough of the lines look like rows, so that a quote open before them is a stray quote."""
    lines = sum(not is_blank(text) for text in texts)
    addresses = sum(looks_like_a_row(text, shape, full=False) for text in texts)
    full = sum(_is_full_line(text, shape) for text in texts)
    return (addresses > 0 and addresses * _LINES_PER_ADDRESS >= lines) or (
        full > 0 and full * _LINES_PER_FULL_ROW >= lines
    )


def skip_rest(lines: Lines, shape: Shape, encoding: str) -> int:
    """Skip the lines of a record that began earlier and has an open quote.

    Returns:
        Their size in bytes of the file; 0 if the next lines are rows, or if the file ends.
    """
    size = 0
    while True:
        block = lines.take(csv_lines.BLOCK)
        used, ended = _within(csv_lines.decoded(block.lines), shape)
        size += csv_lines.raw_size(b"".join(block.lines[:used]), encoding)
        if used < len(block.lines):
            lines.put_back(block.lines[used:])
        if ended or block.final:
            return size


def _within(texts: Sequence[str], shape: Shape) -> tuple[int, bool]:
    """The number of lines that belong to the record, and whether it ends with them."""
    closing = next((place for place, text in enumerate(texts) if alone(f'"{text}', shape)[1]), None)
    looked_at = texts if closing is None else texts[: closing + 1]
    if are_rows(looked_at, shape):
        return next(place for place, text in enumerate(texts) if _may_be_row(text, shape)), True
    return len(looked_at), closing is not None


def _may_be_row(text: str, shape: Shape) -> bool:
    return looks_like_a_row(text, shape, full=False) or _is_full_line(text, shape)


def _is_full_line(text: str, shape: Shape) -> bool:
    """Whether one line by itself has the fields of a header that is wide enough to tell rows from text."""
    if shape.width < _TELLING_WIDTH:
        return False
    fields, closed = alone(text, shape)
    return closed and is_full(fields, shape) and not all(map(is_blank, fields))
