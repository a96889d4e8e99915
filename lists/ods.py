"""Reads the rows of an ODS spreadsheet (OpenDocument 1.3, part 3) as text, as a stream. Does not write CSV.

No kept reader streams ODS: odfpy builds a tree (last release 2020), python-calamine holds all cells. The format is
small, and each cell carries the text that the sheet shows, so the standard library's XML parser does it here.

What cannot be known: how a number with a format other than decimals, leading zeros and percent was meant (its value is
taken). Filtered and hidden rows are rows like others.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from typing import Final
from xml.parsers import expat

from lists import archives
from lists.cell_values import plain_number
from lists.errors import UnusableList
from lists.list_warnings import ListWarning
from lists.xlsx import MAX_COLUMNS, MAX_ROWS, no_such_sheet, other_sheets

#: The content of the member "mimetype".
MIME_TYPES: Final = (
    b"application/vnd.oasis.opendocument.spreadsheet",
    b"application/vnd.oasis.opendocument.spreadsheet-template",
)
CONTENT: Final = "content.xml"

_MANIFEST: Final = "META-INF/manifest.xml"
_MANIFEST_BYTES: Final = 1024 * 1024
_URN: Final = "urn:oasis:names:tc:opendocument:xmlns:"
_TABLE: Final = f"{_URN}table:1.0 "
_TEXT: Final = f"{_URN}text:1.0 "
_OFFICE: Final = f"{_URN}office:1.0 "
_CELLS: Final = {f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"}
_DURATION: Final = re.compile(r"PT(\d+)H(\d+)M(\d+)(?:[.,]\d+)?S")
_MOST_DECIMALS: Final = 9

_Attributes = dict[str, str]


def rows(archive: zipfile.ZipFile, sheet: str | None, warnings: list[ListWarning]) -> Iterator[list[str]]:
    """The rows of the first sheet or of a named one; neither empty cells at a row's end nor empty rows at the sheet's.

    Args:
        archive: the spreadsheet.
        sheet: the sheet's name, without regard to case.
        warnings: gets one, once all rows have been read, if the first of several sheets was taken.

    Raises:
        UnusableList: the file is damaged, encrypted or very large, or it has no such sheet; also while rows are read.
    """
    _refuse_encrypted(archive)
    reader = _Sheet(sheet)
    try:
        for piece in archives.content(archive, archive.getinfo(CONTENT)):
            reader.feed(piece)
            yield from reader.taken()
            if reader.finished:
                break
    except (expat.ExpatError, KeyError, ValueError, ArithmeticError) as error:
        raise UnusableList("The ODS file is damaged; open it, save it again, and upload that.") from error
    if not reader.found:
        if sheet is None:
            raise UnusableList("The ODS file has no sheet; add the list.")
        raise no_such_sheet(sheet, reader.titles)
    if sheet is None and len(reader.titles) > 1:
        warnings.append(other_sheets(reader.titles[0]))


def _refuse_encrypted(archive: zipfile.ZipFile) -> None:
    if _MANIFEST in archive.namelist():
        with archive.open(_MANIFEST) as manifest:
            if b"encryption-data" in manifest.read(_MANIFEST_BYTES):
                raise UnusableList("The ODS file is protected by a password; save it without the password.")


class _Cell:
    """A cell while it is read: its attributes, and the text that it shows."""

    def __init__(self, attributes: _Attributes) -> None:
        self.attributes = attributes
        self.text: list[str] = []
        self.paragraphs = 0
        self.in_paragraph = False

    def value(self) -> str:
        """What a list needs of the cell."""
        kind = self.attributes.get(f"{_OFFICE}value-type")
        shown = "".join(self.text)
        if kind == "date":
            return _moment(self.attributes[f"{_OFFICE}date-value"])
        if kind == "time":
            return _duration(self.attributes[f"{_OFFICE}time-value"])
        if kind == "boolean":
            return self.attributes[f"{_OFFICE}boolean-value"].upper()
        if kind in {"float", "currency"}:
            return _number(float(self.attributes[f"{_OFFICE}value"]), shown)
        return shown


class _Sheet:
    """Reads one sheet from pieces of XML.

    Attributes:
        titles: the names of the sheets so far.
        found: whether the wanted sheet has begun.
        finished: whether nothing more needs to be read.
    """

    def __init__(self, wanted: str | None) -> None:
        self.titles: list[str] = []
        self.found = False
        self.finished = False
        self._wanted = wanted.strip().casefold() if wanted is not None else None
        self._rows: list[tuple[list[str], int]] = []
        self._count = 0
        self._blank_rows = 0
        self._row: list[str] = []
        self._repeat = 1
        self._blank_cells = 0
        self._cell: _Cell | None = None
        self._depth = 0  # of tables: one inside a cell is no sheet
        self._reading = False
        self._notes = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = _no_doctype

    def feed(self, piece: bytes) -> None:
        self._parser.Parse(piece)

    def taken(self) -> Iterator[list[str]]:
        """The complete rows, which are forgotten."""
        complete, self._rows = self._rows, []
        for row, repeat in complete:
            for _ in range(repeat):
                yield row

    def _start(self, name: str, attributes: _Attributes) -> None:
        if name == f"{_TABLE}table":
            self._depth += 1
            if self._depth == 1:
                self._start_sheet(attributes.get(f"{_TABLE}name", ""))
        elif not self._reading or self._depth != 1:
            return
        elif name == f"{_TABLE}table-row":
            self._row, self._blank_cells = [], 0
            self._repeat = int(attributes.get(f"{_TABLE}number-rows-repeated", "1"))
        elif name in _CELLS:
            self._cell = _Cell(attributes)
        elif name == f"{_OFFICE}annotation":
            self._notes += 1
        elif self._cell is not None and not self._notes:
            self._start_text(self._cell, name, attributes)

    def _start_sheet(self, title: str) -> None:
        self.titles.append(title)
        if self.found:
            self.finished = True
        elif self._wanted is None or title.strip().casefold() == self._wanted:
            self.found = self._reading = True

    @staticmethod
    def _start_text(cell: _Cell, name: str, attributes: _Attributes) -> None:
        if name == f"{_TEXT}p":
            cell.paragraphs += 1
            cell.in_paragraph = True
            if cell.paragraphs > 1:
                cell.text.append("\n")
        elif name == f"{_TEXT}s":
            cell.text.append(" " * min(int(attributes.get(f"{_TEXT}c", "1")), 1000))
        elif name == f"{_TEXT}tab":
            cell.text.append("\t")
        elif name == f"{_TEXT}line-break":
            cell.text.append("\n")

    def _characters(self, text: str) -> None:
        if self._cell is not None and self._cell.in_paragraph and not self._notes:
            self._cell.text.append(text)

    def _end(self, name: str) -> None:
        if name == f"{_TABLE}table":
            self._depth -= 1
            self._reading = self._reading and self._depth > 0
        elif name == f"{_OFFICE}annotation":
            self._notes = max(self._notes - 1, 0)
        elif self._cell is not None and self._depth == 1 and name in {*_CELLS, f"{_TEXT}p"}:
            self._end_of_cell(self._cell, name)
        elif name == f"{_TABLE}table-row" and self._reading and self._depth == 1:
            self._end_row()

    def _end_of_cell(self, cell: _Cell, name: str) -> None:
        if name == f"{_TEXT}p":
            cell.in_paragraph = cell.in_paragraph and self._notes > 0
            return
        self._end_cell(cell)
        self._cell = None

    def _end_cell(self, cell: _Cell) -> None:
        repeat = int(cell.attributes.get(f"{_TABLE}number-columns-repeated", "1"))
        value = cell.value()
        if not value:
            self._blank_cells += repeat
            return
        if len(self._row) + self._blank_cells + repeat > MAX_COLUMNS:
            raise UnusableList(f"The sheet has more than {MAX_COLUMNS:,} columns; remove some.")
        self._row += [""] * self._blank_cells + [value] * repeat
        self._blank_cells = 0

    def _end_row(self) -> None:
        if not self._row:
            self._blank_rows += self._repeat
            return
        self._count += self._blank_rows + self._repeat
        if self._count > MAX_ROWS:
            raise UnusableList(f"The sheet has more than {MAX_ROWS:,} rows; save it as CSV.")
        if self._blank_rows:
            self._rows.append(([], self._blank_rows))
            self._blank_rows = 0
        self._rows.append((self._row, self._repeat))


def _no_doctype(*_: object) -> None:
    raise UnusableList("The ODS file is not valid: it declares a document type. Save it again with LibreOffice.")


def _moment(value: str) -> str:
    """An ISO date, with a time where it is not midnight."""
    day, _, time = value.partition("T")
    time = time.split(".")[0]
    time = time.removesuffix(":00") if time.count(":") > 1 else time
    return f"{day} {time}" if time and time != "00:00" else day


def _duration(value: str) -> str:
    """A time of day as 09:30, with seconds only where they are not 0."""
    found = _DURATION.fullmatch(value)
    if found is None:
        return value
    hours, minutes, seconds = (int(part) for part in found.groups())
    return f"{hours:02}:{minutes:02}" + (f":{seconds:02}" if seconds else "")


def _number(value: float, shown: str) -> str:
    """A number with the decimals or the leading zeros that the sheet shows."""
    shown = shown.strip()
    if re.fullmatch(r"-?\d+", shown) and float(shown) == round(value):
        return shown
    digits = re.sub(r"\D", "", shown)
    fixed = (f"{value:.{decimals}f}" for decimals in range(_MOST_DECIMALS + 1))
    return next((text for text in fixed if re.sub(r"\D", "", text) == digits), plain_number(value))
