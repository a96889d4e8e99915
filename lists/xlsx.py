"""Reads the rows of an XLSX workbook as text, through openpyxl's read-only mode. Does not write CSV.

What cannot be known: the result of a formula that no program has calculated yet (empty), and how a program in another
language shows a value (dates are ISO 8601, true is TRUE). Filtered and hidden rows are rows like others.
"""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Callable, Iterator
from typing import IO, Any, Final, TypeVar

from lists.cell_values import shown_moment, shown_number, shown_truth
from lists.errors import UnusableList
from lists.list_warnings import ListWarning

#: The member that makes a zip archive a workbook.
WORKBOOK: Final = "xl/workbook.xml"
#: The most bytes of a sheet's XML. The largest sheet, 1,048,576 rows, has 300 to 600 MB with ten columns.
MAX_SHEET_BYTES: Final = 2 * 1024 * 1024 * 1024
#: The most bytes of the table of different texts, which memory holds: about 2,500,000 addresses, in about 300 MB.
MAX_TEXTS_BYTES: Final = 192 * 1024 * 1024
#: The most bytes of each other part, which memory holds as a tree.
MAX_PART_BYTES: Final = 8 * 1024 * 1024

_TEXTS: Final = "xl/sharedStrings.xml"
_SHEETS: Final = "xl/worksheets/"
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

    book = _guarded(lambda: openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False))
    chosen = _chosen(book.worksheets, sheet, warnings)
    return _texts(chosen)


def check_sizes(archive: zipfile.ZipFile) -> None:
    """Refuse a workbook with parts that would fill the memory. A part never has more bytes than the archive names.

    Raises:
        UnusableList: a part is too large.
    """
    for entry in archive.infolist():
        limit = _limit(entry.filename)
        if entry.file_size > limit:
            raise UnusableList(
                f"The Excel workbook is too large: its part {entry.filename[:_NAME_CHARS]} has {entry.file_size:,} "
                f"bytes, the limit is {limit:,}. Save the sheet as CSV."
            )


def _limit(name: str) -> int:
    if name.startswith(_UNREAD):
        return MAX_SHEET_BYTES
    if name == _TEXTS:
        return MAX_TEXTS_BYTES
    return MAX_SHEET_BYTES if name.startswith(_SHEETS) and "/_rels/" not in name else MAX_PART_BYTES


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


def _texts(sheet: Any) -> Iterator[list[str]]:
    sheet.reset_dimensions()  # some programs write wrong ones
    cells = sheet.iter_rows()
    looks: dict[int, str] = {}
    while (row := _guarded(lambda: next(cells, None))) is not None:
        texts = [_text(cell, looks) for cell in row]
        while texts and not texts[-1]:
            texts.pop()
        yield texts


def _text(cell: Any, looks: dict[int, str]) -> str:
    """What a cell shows. `looks` remembers the number formats by the cells' styles."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return shown_truth(value=value)
    if isinstance(value, int | float):
        return shown_number(value, _format(cell, looks))
    if isinstance(value, dt.datetime | dt.date | dt.time | dt.timedelta):
        return shown_moment(value)
    return str(value)


def _format(cell: Any, looks: dict[int, str]) -> str:
    style: int = cell._style_id  # noqa: SLF001 - the public way looks three tables up for every cell
    if style not in looks:
        looks[style] = cell.number_format or "General"
    return looks[style]
