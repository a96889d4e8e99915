"""The first accepted rows of a list and its empty cells: for people, and to try templates. Accepts no rows itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from lists.addresses import address
from lists.header import CsvDialect

#: The number of rows that people see.
ROWS: Final = 5
#: The most rows that are kept to try templates, and the most bytes that they may take as JSON.
KEPT_ROWS: Final = 20
KEPT_BYTES: Final = 32 * 1024
#: The rows of a list among which the kept ones are chosen: a row that does not fit is passed over.
LOOKED_AT: Final = 1000
#: The columns whose empty cells are counted: the first ones of a wide list.
COUNTED_COLUMNS: Final = 200
#: The address in the kept rows: they hold no recipient's address in its column.
ADDRESS: Final = "ann@example.com"


class KeptRow(msgspec.Struct, frozen=True, array_like=True):
    """A row: its number, and the cells of all columns. In the column of addresses stands `ADDRESS`."""

    row: int
    cells: list[str]


class ListSample(msgspec.Struct, frozen=True):
    """What is kept of a list to check templates.

    Attributes:
        rows: some of the first recipients.
        empty: the number of recipients whose cell is empty, by template name; columns without such cells are left out.
            A cell of blanks is not counted, and a row that repeats an earlier address is.
        recipients: the number of rows that were counted.
    """

    rows: list[KeptRow] = []
    empty: dict[str, int] = {}
    recipients: int = 0

    @property
    def numbered(self) -> list[tuple[int, list[str]]]:
        """The rows as pairs of number and cells."""
        return [(kept.row, kept.cells) for kept in self.rows]


class Sample:
    """Collects the first accepted rows, and counts empty cells.

    Args:
        dialect: how the file is written.
        distinct: whether a row that repeats an earlier address is not accepted.
    """

    def __init__(self, dialect: CsvDialect, *, distinct: bool) -> None:
        self.rows: list[dict[str, str]] = []
        self._dialect = dialect
        self._distinct = distinct
        self._addresses: set[str] = set()
        self._kept: list[KeptRow] = []
        self._room = KEPT_BYTES
        self._recipients = 0
        self._looked_at = 0
        self._counted = [
            place
            for place, name in enumerate(dialect.columns[:COUNTED_COLUMNS])
            if name and place != dialect.email_index
        ]
        self._empty = [0] * len(self._counted)

    def add(self, rows: Sequence[Sequence[str]], numbers: Sequence[int]) -> None:
        """Take the next rows with their numbers, all of them acceptable but for duplicates."""
        if not rows:
            return
        self._recipients += len(rows)
        if not all(map(all, rows)):
            columns = list(zip(*(row for row in rows if not all(row)), strict=True))
            for at, place in enumerate(self._counted):
                self._empty[at] += columns[place].count("")
        if self._looked_at < LOOKED_AT and (len(self._kept) < KEPT_ROWS or len(self.rows) < ROWS):
            self._look(rows[: LOOKED_AT - self._looked_at], numbers)

    def _look(self, rows: Sequence[Sequence[str]], numbers: Sequence[int]) -> None:
        self._looked_at += len(rows)
        for number, row in zip(numbers, rows, strict=False):
            if len(self._kept) == KEPT_ROWS and len(self.rows) == ROWS:
                return
            to = address(row[self._dialect.email_index]) or ""
            if not self._distinct or to.lower() not in self._addresses:
                self._addresses.add(to.lower())
                if len(self.rows) < ROWS:
                    self.rows.append(self._used(row, to))
                self._keep(number, row)

    def _used(self, row: Sequence[str], to: str) -> dict[str, str]:
        cells = dict(zip(self._dialect.columns, row, strict=True))
        cells[self._dialect.columns[self._dialect.email_index]] = to
        return {name: cell for name, cell in cells.items() if name}

    def _keep(self, number: int, row: Sequence[str]) -> None:
        """Keep a row if it fits."""
        if len(self._kept) == KEPT_ROWS or sum(map(len, row)) + 3 * len(row) > self._room:
            return
        cells = [cell if name else "" for name, cell in zip(self._dialect.columns, row, strict=True)]
        cells[self._dialect.email_index] = ADDRESS
        kept = KeptRow(number, cells)
        size = len(msgspec.json.encode(kept)) + 1
        if size <= self._room:
            self._room -= size
            self._kept.append(kept)

    @property
    def kept(self) -> ListSample:
        """What is kept to check templates."""
        names = self._dialect.columns
        empty = {names[place]: count for place, count in zip(self._counted, self._empty, strict=True) if count}
        return ListSample(self._kept, empty, self._recipients)
