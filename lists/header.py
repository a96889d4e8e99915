"""The header row of a CSV: delimiter, columns, and the column of the addresses. Knows nothing of the rows below."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from lists import header_errors, lines as csv_lines
from lists.email_column import candidates
from lists.errors import UnusableList
from lists.fields import ROW_RULES, Shape, alone
from lists.invisible import is_blank, without_marks
from lists.lines import Limits, Lines
from lists.records import first_record

#: The delimiters that are recognised; a file with one column counts as having the first.
DELIMITERS: Final = ",;\t|"
#: The most columns: as many as a spreadsheet can have.
MAX_COLUMNS: Final = 16_384
#: The number of lines in which a header below a title is looked for.
_TITLE_LINES: Final = 20

#: The line with which Excel declares the delimiter; Excel quotes it and adds delimiters when it saves such a file.
_DECLARATION: Final = re.compile(rf'"?sep=([^\s"])?(\t)?"?[{re.escape(DELIMITERS)}]*\s*', re.IGNORECASE).fullmatch
_DELETE_DELIMITERS: Final = dict.fromkeys(map(ord, DELIMITERS + '"'))


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """How a file is written, found from its first bytes and its header.

    Attributes:
        delimiter: the character between fields.
        encoding: `csv_lines.UTF_8`, `UTF_16_LE` or `UTF_16_BE`.
        columns: the template names by position, "" for a column without a usable name.
        email_index: the position of the address.
        start: the offset of the first record after the header, in bytes.
        skip_initial_space: whether spaces before a field do not belong to it: `a, "b, c"` has two fields.
        header: the header's cells as they stand in the file; not needed to read rows.
        row_rules: the rules for what counts as a row (`lists.fields.ROW_RULES`).
    """

    delimiter: str
    encoding: str
    columns: tuple[str, ...]
    email_index: int
    start: int
    skip_initial_space: bool = False
    header: tuple[str, ...] = ()
    row_rules: int = ROW_RULES

    @property
    def shape(self) -> Shape:
        return Shape(self.delimiter, len(self.columns), self.email_index, self.skip_initial_space, self.row_rules)


def column_names(header: Sequence[str]) -> tuple[str, ...]:
    """The names of a header's columns in templates.

    A name is in lower case, in Unicode's normal form C, and without invisible characters. `_` replaces characters that
    a name cannot have and precedes a leading digit; a repeated name gets `_2`, `_3` and so on. A column without a
    usable name gets "".
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
    composed = unicodedata.normalize("NFC", without_marks(cell).lower())
    name = "".join(char if ("_" + char).isidentifier() else "_" for char in composed)
    name = re.sub("_+", "_", name).strip("_")
    return name if not name or name.isidentifier() else "_" + name


class _Beginning(NamedTuple):
    """The lines of a file from its header on, and what precedes them: the size in bytes and the number of lines.

    `declared` is the delimiter that a `sep=` line names, or "".
    """

    texts: list[str]
    size: int
    lines: int
    declared: str


class _Reading(NamedTuple):
    """The header as one way of reading it gives it, its number of lines, and the candidates for the address column."""

    shape: Shape
    fields: list[str]
    used: int
    candidates: list[int]


def read_header(lines: Lines, email_column: str, encoding: str, start: int, delimiter: str = "") -> CsvDialect:
    """Read the header of a file, and take it from its lines.

    Args:
        lines: the file's lines.
        email_column: the header of the column of addresses, or "" to recognise it (`email_column.candidates`).
        encoding: the file's encoding.
        start: the offset at which the lines begin, in bytes.
        delimiter: the character between fields, or "" to recognise it.

    Raises:
        UnusableList: the file has no header, or the header has no such column, or several.
    """
    beginning = _beginning(lines, encoding)
    if delimiter:
        beginning = beginning._replace(declared=delimiter)
    reading = _best_reading(beginning, email_column)
    header = reading.fields
    if len(header) > MAX_COLUMNS:
        raise UnusableList(f"The header has {len(header):,} columns; remove some, the limit is {MAX_COLUMNS:,}.")
    if len(reading.candidates) > 1:
        raise header_errors.ambiguous(header, reading.candidates)
    size = csv_lines.raw_size(lines.take(Limits(reading.used, csv_lines.RECORD.size)).data, encoding)
    return CsvDialect(
        reading.shape.delimiter,
        encoding,
        column_names(header),
        reading.candidates[0],
        start + beginning.size + size,
        reading.shape.skip_initial_space,
        tuple(header),
    )


def _beginning(lines: Lines, encoding: str) -> _Beginning:
    """Take the lines that may precede the header: blank ones, and the one with which Excel declares the delimiter."""
    size = count = 0
    declared = ""
    while True:
        block = lines.take(csv_lines.RECORD)
        texts = csv_lines.decoded(block.lines)
        before = 0
        for text in map(without_marks, texts):
            declaration = _DECLARATION(text)
            if declaration:
                declared = _delimiter(declaration[1] or declaration[2] or "")
            elif not _is_blank_line(text):
                break
            before += 1
        size += csv_lines.raw_size(b"".join(block.lines[:before]), encoding)
        count += before
        if before < len(block.lines):
            lines.put_back(block.lines[before:])
            # A second byte order mark would hide a quote.
            first = texts[before].lstrip("\ufeff")
            return _Beginning([first, *texts[before + 1 :]], size, count, declared)
        if block.final:
            too_long = f"The header row is longer than {csv_lines.RECORD.size:,} bytes; shorten it."
            raise UnusableList(too_long if lines.overlong() else "The file is empty; it needs a header row.")


def _delimiter(declared: str) -> str:
    """A declared delimiter if it can be one, otherwise ""."""
    return declared if declared.isascii() and not declared.isalnum() else ""


def _is_blank_line(text: str) -> bool:
    return is_blank(text.translate(_DELETE_DELIMITERS)) and text.count('"') % 2 == 0


def _best_reading(beginning: _Beginning, email_column: str) -> _Reading:
    """The widest reading that has the column of addresses.

    Raises:
        UnusableList: no reading has it.
    """
    readings = list(_readings(beginning, email_column))
    if not readings:
        raise UnusableList("The header row has a quote that is never closed; close or remove it.")
    best = max(readings, key=lambda reading: (bool(reading.candidates), len(reading.fields)))
    if best.candidates:
        return best
    texts = beginning.texts
    for number, text in enumerate(texts[1:_TITLE_LINES], 1):
        if any(_is_header(alone(text, reading.shape)[0], email_column) for reading in readings):
            raise header_errors.below_a_title(best.fields, beginning.lines + number + 1, beginning.lines + 1)
    below = max((alone(text, reading.shape)[0] for reading in readings for text in texts[1:2]), key=len, default=[])
    raise header_errors.no_such_column(texts[0], best.fields, email_column, below)


def _readings(beginning: _Beginning, email_column: str) -> list[_Reading]:
    readings = []
    for delimiter in beginning.declared or DELIMITERS:
        shape = Shape(delimiter, 0, 0, _has_spaces_before_quotes(beginning.texts, delimiter))
        record = first_record(beginning.texts, shape)
        if record:
            readings.append(_Reading(shape, *record, candidates(record[0][:MAX_COLUMNS], email_column)))
    return readings


def _is_header(fields: Sequence[str], email_column: str) -> bool:
    """Whether a line below the first one is the header: it has the column of addresses, and no address."""
    return bool(candidates(fields, email_column)) and not any("@" in field for field in fields)


def _has_spaces_before_quotes(texts: Sequence[str], delimiter: str) -> bool:
    """Whether a field near the beginning of the file is quoted after spaces: `a@x.test, "Doe, Ann"`."""
    between = re.escape(delimiter)
    field = rf'(?:"(?:[^"]|"")*+"[^{between}]*+|[^"{between}][^{between}]*+|)'
    spaced = re.compile(rf'(?:{field}{between})*? +"(?:[^"]|"")*+" *(?:{between}|[\r\n])').match
    return any(f"{delimiter} " in text and '"' in text and spaced(text) for text in texts[: csv_lines.BLOCK.lines])
