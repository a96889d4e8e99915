"""Reads the rows of an XLSX workbook as text, through openpyxl. Does not write CSV.

What cannot be known: the result of a formula that no program has calculated yet (empty), and how a program in another
language shows a value (dates are ISO 8601, true is TRUE). Filtered and hidden rows are rows like others.
"""

from __future__ import annotations

import datetime as dt
import re
import sys
import zipfile
from collections.abc import Callable, Iterator
from typing import IO, Any, Final, TypeVar
from warnings import filterwarnings

from lists.cell_values import shown_moment, shown_number, shown_truth
from lists.errors import UnusableList
from lists.list_warnings import ListWarning

#: The member that makes a zip archive a workbook.
WORKBOOK: Final = "xl/workbook.xml"
#: The most bytes of a sheet's XML. The largest sheet, 1,048,576 rows, has 300 to 600 MB with ten columns.
MAX_SHEET_BYTES: Final = 2 * 1024 * 1024 * 1024
#: The most bytes of the table of different texts, which memory holds: about 2,500,000 addresses, in about 220 MB.
MAX_TEXTS_BYTES: Final = 128 * 1024 * 1024
#: The most bytes of each other part, which memory holds as a tree.
MAX_PART_BYTES: Final = 8 * 1024 * 1024

#: The most rows and columns of a sheet (ECMA-376).
MAX_ROWS: Final = 1_048_576
MAX_COLUMNS: Final = 16_384

_TYPES: Final = "[Content_Types].xml"
#: The parts that are not read.
_UNREAD: Final = ("xl/media/", "xl/drawings/", "xl/pivot", "xl/embeddings/", "xl/charts/", "docProps/", "xl/comments")
_NAMED: Final = 10
_NAME_CHARS: Final = 40
_DAMAGED: Final = "The Excel workbook is damaged; open it, save it again as XLSX or CSV, and upload that."

_Result = TypeVar("_Result")


def rows(
    file: IO[bytes], archive: zipfile.ZipFile, sheet: str | None, warnings: list[ListWarning]
) -> Iterator[list[str]]:
    """The rows of the first visible sheet or of a named one; a row has no empty cells at its end.

    Args:
        file: the workbook.
        archive: the same, as a zip archive.
        sheet: the sheet's name, without regard to case.
        warnings: gets one if a sheet had to be chosen among several.

    Raises:
        UnusableList: the workbook is damaged or very large, or it has no such sheet; also while rows are read.
    """
    check_sizes(archive)
    import openpyxl  # noqa: PLC0415 - 15 MB that lists in CSV do not need

    # What openpyxl leaves out of a workbook (colours, drop-down lists) concerns no list, nor the operator's log.
    filterwarnings("ignore", module="openpyxl")
    book = _guarded(lambda: openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False))
    chosen = _chosen(book.worksheets, sheet, warnings)
    return _texts(archive, chosen)


def check_sizes(archive: zipfile.ZipFile) -> None:
    """Refuse a workbook with parts that would fill the memory. A part never has more bytes than the archive names.

    Raises:
        UnusableList: a part is too large.
    """
    texts = _texts_parts(archive)
    for entry in archive.infolist():
        limit = _limit(entry.filename, texts)
        if entry.file_size > limit:
            raise UnusableList(
                f"The Excel workbook is too large: its part {entry.filename[:_NAME_CHARS]} has {entry.file_size:,} "
                f"bytes, the limit is {limit:,}. Save the sheet as CSV."
            )


def _limit(name: str, texts: set[str]) -> int:
    if name.casefold() in texts:
        return MAX_TEXTS_BYTES
    if name.startswith(_UNREAD):
        return sys.maxsize
    return MAX_SHEET_BYTES if "worksheets/" in name and "_rels/" not in name else MAX_PART_BYTES


def _texts_parts(archive: zipfile.ZipFile) -> set[str]:
    """The parts with the table of texts, as the workbook names them (ECMA-376, part 2, 10.1)."""
    if _TYPES not in archive.namelist():
        raise UnusableList(_DAMAGED)
    with archive.open(_TYPES) as member:
        overrides = re.findall(rb"<[^>]*sharedStrings\+xml[^>]*>", member.read(MAX_PART_BYTES))
    names = (re.search(rb"""PartName=["']/?([^"']+)""", override) for override in overrides)
    return {name[1].decode(errors="replace").casefold() for name in names if name}


def _guarded(read: Callable[[], _Result]) -> _Result:
    """What a call of openpyxl returns; whatever it raises means a damaged file."""
    try:
        return read()
    except MemoryError:
        raise
    except Exception as error:
        raise UnusableList(_DAMAGED) from error


def _chosen(sheets: list[Any], name: str | None, warnings: list[ListWarning]) -> Any:
    visible = [sheet for sheet in sheets if sheet.sheet_state == "visible"] or sheets
    if not visible:
        raise UnusableList("The Excel workbook has no sheet with cells; add the list.")
    if name is None:
        if len(visible) > 1:
            warnings.append(other_sheets(visible[0].title))
        return visible[0]
    wanted = name.strip().casefold()
    found = next((sheet for sheet in sheets if sheet.title.strip().casefold() == wanted), None)
    if found is None:
        raise no_such_sheet(name, [sheet.title for sheet in sheets])
    return found


def other_sheets(title: str) -> ListWarning:
    """The warning that the first of several sheets was taken."""
    return ListWarning(
        "first_sheet",
        f"The workbook has several sheets; the first one, {_shown(title)}, is read. `sheet` names another.",
    )


def no_such_sheet(name: str, titles: list[str]) -> UnusableList:
    """The error for a workbook without the sheet that the caller named."""
    names = ", ".join(_shown(title) for title in titles[:_NAMED])
    return UnusableList(f"There is no sheet {_shown(name)}; the sheets are {names}.")


def _shown(title: str) -> str:
    return '"' + "".join(char if char.isprintable() else " " for char in title)[:_NAME_CHARS] + '"'


def _texts(file: zipfile.ZipFile, sheet: Any) -> Iterator[list[str]]:
    """The rows of a sheet, also those that are not in the file since they are empty.

    openpyxl's own iterator keeps the height of each row, about 600 bytes, until the sheet's end. Its parser without
    that is private, so that `pyproject.toml` pins openpyxl, and tests/unit/test_xlsx.py shows what is relied on.
    """
    from openpyxl.worksheet._reader import WorkSheetParser  # noqa: PLC0415 - see above

    book = sheet.parent
    looks: dict[int, str] = {}
    last = 0
    with file.open(sheet._worksheet_path) as source:  # noqa: SLF001 - see above
        parser = WorkSheetParser(
            source,
            sheet._shared_strings,  # noqa: SLF001
            data_only=True,
            epoch=book.epoch,
            date_formats=book._date_formats,  # noqa: SLF001
            timedelta_formats=book._timedelta_formats,  # noqa: SLF001
        )
        parsed = parser.parse()
        while (row := _guarded(lambda: next(parsed, None))) is not None:
            parser.row_dimensions.clear()
            number, cells = row
            _check_places(number, cells)
            yield from ([] for _ in range(last + 1, number))
            last = number
            yield _row(sheet, cells, looks)


def _check_places(row: int, cells: list[Any]) -> None:
    columns = [cell["column"] for cell in cells]
    if row > MAX_ROWS or (columns and columns[-1] > MAX_COLUMNS) or columns != sorted(columns):
        raise UnusableList(_DAMAGED)


def _row(sheet: Any, cells: list[Any], looks: dict[int, str]) -> list[str]:
    """What the cells of a row show, up to the last that is not empty."""
    texts: list[str] = []
    for cell in cells:
        if text := _text(sheet, cell["value"], cell["style_id"], looks):
            texts += [""] * (cell["column"] - 1 - len(texts))
            texts.append(text)
    return texts


def _text(sheet: Any, value: Any, style: int, looks: dict[int, str]) -> str:
    """What a cell shows. `looks` remembers the number formats by the cells' styles."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return shown_truth(value=value)
    if isinstance(value, int | float):
        if style not in looks:
            looks[style] = _number_format(sheet, style)
        return shown_number(value, looks[style])
    if isinstance(value, dt.datetime | dt.date | dt.time | dt.timedelta):
        return shown_moment(value)
    return str(value)


def _number_format(sheet: Any, style: int) -> str:
    from openpyxl.cell.read_only import ReadOnlyCell  # noqa: PLC0415 - as above

    return _guarded(lambda: ReadOnlyCell(sheet, 1, 1, None, style_id=style).number_format) or "General"
