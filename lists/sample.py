"""The first accepted rows of a list, as they would be used. Does not decide which rows are accepted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from lists.addresses import address
from lists.header import CsvDialect

#: The number of rows.
ROWS: Final = 5


class Sample:
    """Collects the first accepted rows.

    Args:
        dialect: how the file is written.
        distinct: whether a row that repeats an earlier address is not accepted.
    """

    def __init__(self, dialect: CsvDialect, *, distinct: bool) -> None:
        self.rows: list[dict[str, str]] = []
        self._dialect = dialect
        self._distinct = distinct
        self._addresses: set[str] = set()

    def add(self, rows: Iterable[Sequence[str]]) -> None:
        """Take the next rows, all of them acceptable but for duplicates."""
        for row in rows:
            if len(self.rows) == ROWS:
                return
            to = address(row[self._dialect.email_index]) or ""
            if not self._distinct or to.lower() not in self._addresses:
                self._addresses.add(to.lower())
                self.rows.append(self._used(row, to))

    def _used(self, row: Sequence[str], to: str) -> dict[str, str]:
        cells = dict(zip(self._dialect.columns, row, strict=True))
        cells[self._dialect.columns[self._dialect.email_index]] = to
        return {name: cell for name, cell in cells.items() if name}
