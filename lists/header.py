"""The header row of a CSV: delimiter, columns, and the column of the addresses. Knows nothing of the rows below."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from lists import lines as csv_lines
from lists.errors import UnusableList
from lists.lines import Limits, Lines
from lists.records import Shape, first_record

#: The delimiters that are recognised; a file with one column counts as having the first.
DELIMITERS: Final = ",;\t|"
#: The most columns: as many as a spreadsheet can have.
MAX_COLUMNS: Final = 16_384

#: Files that people upload as a CSV by mistake, by their first bytes (read as cp1252).
_OTHER_FILES: Final = (
    ("PK\x03\x04", "an Excel workbook or a ZIP archive"),
    ("ÐÏ\x11à", "an old Excel workbook"),
    ("\x1f\u2039", "compressed with gzip"),
    ("%PDF", "a PDF"),
)
#: The most columns that a message names, and the most characters of each name.
_NAMED: Final = 20
_NAME_CHARS: Final = 40


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """How a file is written, found from its first bytes and its header.

    Attributes:
        delimiter: the character between fields.
        encoding: `csv_lines.UTF_8`, `UTF_16_LE` or `UTF_16_BE`.
        columns: the template names by position, "" for a column without a usable name.
        email_index: the position of the address.
        start: the offset of the first record after the header, in bytes.
    """

    delimiter: str
    encoding: str
    columns: tuple[str, ...]
    email_index: int
    start: int

    @property
    def shape(self) -> Shape:
        return Shape(self.delimiter, len(self.columns), self.email_index)


def column_names(header: Sequence[str]) -> tuple[str, ...]:
    """The names of a header's columns in templates.

    A name is in lower case. `_` replaces characters that a name cannot have and precedes a leading digit; a repeated
    name gets `_2`, `_3` and so on. A column without a usable name gets "".
    """
    last_number = {"": 0}
    names: list[str] = []
    for cell in header:
        name = base = _name(cell)
        while name and name in last_number:
            last_number[base] += 1
            name = f"{base}_{last_number[base]}"
        last_number[name] = 1
        names.append(name)
    return tuple(names)


def _name(cell: str) -> str:
    name = "".join(char if ("_" + char).isidentifier() else "_" for char in cell.lower())
    name = re.sub("_+", "_", name).strip("_")
    return name if not name or name.isidentifier() else "_" + name


def read_header(lines: Lines, email_column: str, encoding: str, start: int) -> CsvDialect:
    """Read the header of a file, and take it from its lines.

    Args:
        lines: the file's lines.
        email_column: the header of the column of addresses, compared without case and surrounding blanks.
        encoding: the file's encoding.
        start: the offset at which the lines begin, in bytes.

    Raises:
        UnusableList: the file has no header, or the header has no such column.
    """
    before, texts = _first_lines(lines, encoding)
    header, delimiter, used = _header(texts, email_column)
    if len(header) > MAX_COLUMNS:
        raise UnusableList(f"The header has {len(header):,} columns; remove some, the limit is {MAX_COLUMNS:,}.")
    email_index = _folded(header).index(_fold(email_column))
    size = csv_lines.raw_size(lines.take(Limits(used, csv_lines.RECORD.size)).data, encoding)
    return CsvDialect(delimiter, encoding, column_names(header), email_index, start + before + size)


def _first_lines(lines: Lines, encoding: str) -> tuple[int, list[str]]:
    """Take the lines that may precede the header; return their size in bytes of the file, and the lines after them."""
    size = 0
    while True:
        block = lines.take(csv_lines.RECORD)
        before = sum(1 for _ in takewhile(_before_header, block.lines))
        size += csv_lines.raw_size(b"".join(block.lines[:before]), encoding)
        if before < len(block.lines):
            lines.put_back(block.lines[before:])
            return size, csv_lines.decoded(block.lines[before:])
        if block.final:
            too_long = f"The header row is longer than {csv_lines.RECORD.size:,} bytes; shorten it."
            raise UnusableList(too_long if lines.overlong() else "The file is empty; it needs a header row.")


def _before_header(line: bytes) -> bool:
    """Whether a line may precede the header: a blank line, or the line with which Excel declares the delimiter."""
    return not line.strip() or re.fullmatch(rb"sep=.\s*", line) is not None


def _header(texts: list[str], email_column: str) -> tuple[list[str], str, int]:
    """The header, its delimiter and its number of lines. The widest reading that has the email column wins."""
    readings = [(*record, delimiter) for delimiter in DELIMITERS if (record := first_record(texts, delimiter))]
    if not readings:
        raise UnusableList("The header row has a quote that is never closed; close or remove it.")
    wanted = _fold(email_column)
    fields, used, delimiter = max(readings, key=lambda reading: (wanted in _folded(reading[0]), len(reading[0])))
    if wanted not in _folded(fields):
        raise UnusableList(_no_such_column(texts[0], fields, email_column))
    return fields, delimiter, used


def _fold(name: str) -> str:
    return name.strip().casefold()


def _folded(header: Iterable[str]) -> list[str]:
    return [_fold(name) for name in header]


def _no_such_column(line: str, header: Sequence[str], email_column: str) -> str:
    """The message for a header without the email column. It never contains an address."""
    for start, kind in _OTHER_FILES:
        if line.startswith(start):
            return f"The file is not a CSV: it is {kind}. Save it as CSV first."
    if any("@" in cell for cell in header):
        return "The file seems to have no header row: its first row contains an email address. Add a header row."
    names = ", ".join(_shown(cell) for cell in header[:_NAMED])
    more = f" and {len(header) - _NAMED:,} more" if len(header) > _NAMED else ""
    return f"There is no column {_shown(email_column)}; the columns are {names}{more}."


def _shown(name: str) -> str:
    """A name in quotes for a message: one line, without control characters, shortened."""
    plain = "".join(char if char.isprintable() else " " for char in name).strip()
    return f'"{plain[:_NAME_CHARS]}"'
