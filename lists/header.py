"""The header row of a CSV: delimiter, columns and the one that holds the addresses. Knows nothing of the rows below."""

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

#: The delimiters that are recognised; the first one counts for a file with one column.
DELIMITERS: Final = ",;\t|"
#: As many columns as a spreadsheet can have.
MAX_COLUMNS: Final = 16_384

#: Files that are uploaded for a CSV by mistake, by their first bytes (read as cp1252).
_OTHER_FILES: Final = (
    ("PK\x03\x04", "an Excel workbook or a ZIP archive"),
    ("ÐÏ\x11à", "an old Excel workbook"),
    ("\x1f\u2039", "compressed with gzip"),
    ("%PDF", "a PDF"),
)
#: Columns named in a message, and characters of each.
_NAMED: Final = 20
_NAME_CHARS: Final = 40


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """How a file is written, as its first bytes and its header tell.

    Attributes:
        encoding: `csv_lines.UTF_8`, `UTF_16_LE` or `UTF_16_BE`.
        columns: template names by position, "" where a column has no usable name.
        email_index: position of the address.
        start: offset in bytes of the first record after the header.
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
    """The names by which templates know the columns of a header.

    Lower case, with `_` for whatever cannot be in a name, `_` in front of a leading digit, `_2`, `_3` for names that
    came before, and "" for a column without a usable name.
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
    """Take the header from the lines of a file of this encoding, which begin at byte `start`.

    `email_column` is compared without case and surrounding blanks.

    Raises:
        UnusableList: there is no header, or none with such a column.
    """
    before, texts = _first_lines(lines, encoding)
    header, delimiter, used = _header(texts, email_column)
    if len(header) > MAX_COLUMNS:
        raise UnusableList(f"The header has {len(header):,} columns; at most {MAX_COLUMNS:,} are possible.")
    email_index = _folded(header).index(_fold(email_column))
    size = csv_lines.raw_size(lines.take(Limits(used, csv_lines.RECORD.size)).data, encoding)
    return CsvDialect(delimiter, encoding, column_names(header), email_index, start + before + size)


def _first_lines(lines: Lines, encoding: str) -> tuple[int, list[str]]:
    """Take what may stand before the header: its size in bytes of the file, and the lines that follow it."""
    size = 0
    while True:
        block = lines.take(csv_lines.RECORD)
        before = sum(1 for _ in takewhile(_before_header, block.lines))
        size += csv_lines.raw_size(b"".join(block.lines[:before]), encoding)
        if before < len(block.lines):
            lines.put_back(block.lines[before:])
            return size, csv_lines.decoded(block.lines[before:])
        if block.final:
            too_long = f"The header row is longer than {csv_lines.RECORD.size:,} bytes."
            raise UnusableList(too_long if lines.overlong() else "The file is empty.")


def _before_header(line: bytes) -> bool:
    """Blank lines, and the line by which Excel notes the delimiter."""
    return not line.strip() or re.fullmatch(rb"sep=.\s*", line) is not None


def _header(texts: list[str], email_column: str) -> tuple[list[str], str, int]:
    """The header, its delimiter and its number of lines: of the readings with the wanted column the widest one."""
    readings = [(*record, delimiter) for delimiter in DELIMITERS if (record := first_record(texts, delimiter))]
    if not readings:
        raise UnusableList("The header row has a quote that is never closed.")
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
    """Why there is no column of addresses. Never repeats an address."""
    for start, kind in _OTHER_FILES:
        if line.startswith(start):
            return f"The file is not a CSV: it is {kind}. Save it as CSV first."
    if any("@" in cell for cell in header):
        return "The file seems to have no header row, since its first row holds an address: name the columns there."
    names = ", ".join(_shown(cell) for cell in header[:_NAMED])
    more = f" and {len(header) - _NAMED:,} more" if len(header) > _NAMED else ""
    return f"There is no column {_shown(email_column)}; the columns are {names}{more}."


def _shown(name: str) -> str:
    """A name as a message can show it: one line, no control characters, not too long."""
    plain = "".join(char if char.isprintable() else " " for char in name).strip()
    return f'"{plain[:_NAME_CHARS]}"'
