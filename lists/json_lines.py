"""Converts JSON Lines (one JSON object per line) to rows of cells. Does not write the CSV.

A bad row never stops the file. Its cells are replaced by words that say why; no cell is an address then, so that the
row is rejected under its number and the report shows the reason.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any, Final

from lists.errors import UnusableList
from lists.list_warnings import ListWarning

#: The number of objects whose keys make the header.
HEADER_OBJECTS: Final = 1000
#: The most columns: as many as a spreadsheet can have.
_MAX_COLUMNS: Final = 16_384
#: The longest line, in bytes: the longest record of a CSV.
MAX_LINE_BYTES: Final = 1024 * 1024
_NAME_CHARS: Final = 40

#: A row, or the words for why a line is none.
_Read = dict[str, str] | str


def is_json_lines(head: str) -> bool:
    """Whether a text begins with a JSON object on one line.

    Args:
        head: the first characters of the file.

    Raises:
        UnusableList: the text is another form of JSON.
    """
    start = head.lstrip("\ufeff \t\r\n")
    if not start.startswith(("{", "[")):
        return False
    line = start.split("\n", 1)[0].strip()
    try:
        return isinstance(json.loads(line, parse_int=str), dict) or _refuse()
    except (ValueError, RecursionError):
        if start[1:].lstrip()[:1] in {'"', "{", "[", "}", "]"}:
            _refuse()
        return False


def _refuse() -> bool:
    raise UnusableList("The file is a JSON document, not JSON Lines; write one object per line, or save it as CSV.")


def rows(chunks: Iterable[bytes], warnings: list[ListWarning]) -> Iterator[list[str]]:
    """The header, which consists of the keys of the first `HEADER_OBJECTS` objects, and a row per line.

    Text stays as it is, numbers stay as they are written, true and false become TRUE and FALSE, null is empty.

    Args:
        chunks: the file as UTF-8.
        warnings: gets one for keys that come later, and one for lines that are no rows, once all rows have been read.

    Raises:
        UnusableList: the objects have no keys, or too many.
    """
    read = (_read(line) for line in _lines(chunks) if line.strip())
    first = list(islice(read, HEADER_OBJECTS))
    header = list(dict.fromkeys(key for row in first if isinstance(row, dict) for key in row))
    words = next((row for row in first if isinstance(row, str)), None)
    if not header and words is not None:
        raise UnusableList(
            "The file looks like JSON Lines, but no line is an object of texts, numbers, true, false and null: "
            f"{words} in the first one. Write each value under a key of its own."
        )
    if not 0 < len(header) <= _MAX_COLUMNS:
        raise UnusableList(
            f"The first {HEADER_OBJECTS:,} objects of the file have {len(header):,} different keys, which become the "
            f"columns; the file needs 1 to {_MAX_COLUMNS:,}."
        )
    yield header
    tally = _Tally(set(header))
    for number, row in enumerate(chain(first, read), 1):
        tally.add(number, row)
        yield [row] * len(header) if isinstance(row, str) else [row.get(key, "") for key in header]
    warnings += tally.warnings()


class _Tally:
    """Counts what did not fit into the table."""

    def __init__(self, known: set[str]) -> None:
        self._known = known
        self._late_rows = 0
        self._late_key = ""
        self._bad_rows = 0
        self._first_bad = 0

    def add(self, number: int, row: _Read) -> None:
        if isinstance(row, str):
            self._bad_rows += 1
            self._first_bad = self._first_bad or number
        elif not self._known.issuperset(row):
            self._late_rows += 1
            self._late_key = self._late_key or next(key for key in row if key not in self._known)

    def warnings(self) -> Iterator[ListWarning]:
        if self._late_rows:
            yield ListWarning(
                "json_keys_dropped",
                f"{self._late_rows:,} rows have keys that none of the first {HEADER_OBJECTS:,} rows has, such as "
                f"{_shown(self._late_key)}; their values are not used.",
                self._late_rows,
            )
        if self._bad_rows:
            yield ListWarning(
                "json_rows_refused",
                f"{self._bad_rows:,} lines are not a JSON object of texts, numbers, true, false and null, first row "
                f"{self._first_bad:,}; these rows are rejected.",
                self._bad_rows,
            )


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines; an over-long one comes out cut, so that it is no JSON."""
    held = b""
    for chunk in chunks:
        *lines, rest = chunk.split(b"\n")
        if lines:
            yield held + lines[0]
            yield from lines[1:]
            held = b""
        held = (held + rest)[: MAX_LINE_BYTES + 1]
    yield held


def _read(line: bytes) -> _Read:
    if len(line) > MAX_LINE_BYTES:
        return f"(the line is longer than {MAX_LINE_BYTES:,} bytes)"
    try:
        value = json.loads(line, parse_int=str, parse_float=str, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return "(the line is not JSON)"
    if not isinstance(value, dict):
        return "(the line is not a JSON object)"
    nested = next((key for key, cell in value.items() if isinstance(cell, dict | list)), None)
    if nested is not None:
        return f"(the value of {_shown(nested)} is nested)"
    return {key: _cell(cell) for key, cell in value.items()}


def _no_constant(name: str) -> str:
    raise ValueError(name)  # NaN and Infinity, which RFC 8259 does not have


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return str(value)


def _shown(key: str) -> str:
    plain = "".join(char if char.isprintable() and char != "@" else " " for char in key)
    return f'"{plain[:_NAME_CHARS]}"'
