"""Finds the column that has the addresses when the column of addresses has none. Looks at the first rows alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from lists.errors import UnusableList
from lists.header import CsvDialect
from lists.header_errors import shown
from lists.invisible import is_blank

#: The number of rows to look at.
_ROWS: Final = 1000
_LIKE_AN_ADDRESS: Final = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+").fullmatch


class AddressColumns:
    """Counts, by column, the cells like an address in rows without a usable address."""

    def __init__(self, dialect: CsvDialect) -> None:
        self._dialect = dialect
        self._rows = 0
        self._filled = 0
        self._counts: Counter[int] = Counter()

    def add(self, row: Sequence[str]) -> None:
        """Take a row without a usable address in the column of addresses."""
        if self._rows >= _ROWS:
            return
        self._rows += 1
        self._filled += not is_blank(row[self._dialect.email_index])
        self._counts.update(place for place, cell in enumerate(row) if "@" in cell and _LIKE_AN_ADDRESS(cell.strip()))

    def check(self) -> None:
        """Call this if no row has a usable address.

        Raises:
            UnusableList: half of the rows or more have something like an address in another column.
        """
        del self._counts[self._dialect.email_index]
        for place, count in self._counts.most_common(1):
            if 2 * count >= self._rows:
                raise UnusableList(self._message(place))

    def _message(self, place: int) -> str:
        header, chosen = self._dialect.header, self._dialect.email_index
        state = "has no valid address" if self._filled else "is empty in all rows"
        other = shown(header[place])
        return f"The column {shown(header[chosen])} {state}, but {other} has addresses. Give {other} as email_column."
