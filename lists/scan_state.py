"""Classifies the rows of a scan: recipients, rejected and excluded rows. Reads no bytes and finds no columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from operator import not_
from typing import IO, NamedTuple, cast

from lists.address_columns import AddressColumns
from lists.addresses import address, folded, rejection
from lists.duplicates import Duplicates
from lists.errors import UnusableList
from lists.fields import Malformed, Row
from lists.header import CsvDialect
from lists.index import MAX_ROWS, Index
from lists.records import Rows
from lists.rejections import Rejections
from lists.row_filters import RowFilters
from lists.sample import Sample
from lists.scan_result import ScanResult, surplus_warning
from lists.temp_file import OnRows


class _Valid(NamedTuple):
    """Rows with valid addresses: their numbers, their cells, and the addresses in ASCII and lower case."""

    numbers: Sequence[int]
    rows: Sequence[list[str]]
    addresses: Sequence[str]

    def where(self, flags: Sequence[bool]) -> _Valid:
        """Those rows whose flag is true."""
        return _Valid(
            list(compress(self.numbers, flags)), list(compress(self.rows, flags)), list(compress(self.addresses, flags))
        )


class ScanState:
    """What a scan has found so far.

    Args:
        dialect: how the file is written.
        filters: what excludes or rejects rows with valid addresses.
        duplicates: finds duplicates; None accepts them.
        rejections: collects the rejected rows.
    """

    def __init__(
        self, dialect: CsvDialect, filters: RowFilters, duplicates: Duplicates | None, rejections: Rejections
    ) -> None:
        self.rows = 0
        self._dialect = dialect
        self._filters = filters
        self._keep = filters.keep(dialect) if filters.keep else None
        self._duplicates = duplicates
        self._rejections = rejections
        self._offset = dialect.start
        self._index = Index()
        self._rejected_bitmap = bytearray()
        self._valid = 0
        self._excluded = 0
        self._surplus = 0
        self._sample = Sample(dialect, distinct=duplicates is not None)
        self._columns = AddressColumns(dialect)

    def add(self, found: Rows) -> None:
        """Take the next rows of the file.

        Raises:
            UnusableList: the file has too many rows.
        """
        first_row = self.rows + 1
        self.rows += len(found.rows)
        if self.rows > MAX_ROWS:
            raise UnusableList(f"The file has more than {MAX_ROWS:,} rows; split it into several lists.")
        self._index.add(self._offset, first_row, len(found.rows))
        self._offset += found.size
        self._rejected_bitmap += bytes((self.rows >> 3) + 1 - len(self._rejected_bitmap))
        self._surplus += found.surplus
        if found.addresses is None:
            valid = self._valid_rows(first_row, found.rows)
        else:
            rows = cast("Sequence[list[str]]", found.rows)
            valid = _Valid(range(first_row, self.rows + 1), rows, list(map(str.lower, found.addresses)))
        self._valid += len(valid.rows)
        self._accept(self._filtered(valid))

    def _valid_rows(self, first_row: int, rows: Sequence[Row]) -> _Valid:
        """The rows with valid addresses; rejects the others."""
        malformed = [isinstance(row, Malformed) for row in rows]
        numbers: Sequence[int] = range(first_row, first_row + len(rows))
        if any(malformed):
            for number, row in zip(numbers, rows, strict=True):
                if isinstance(row, Malformed):
                    self._reject(number, row.email, row.reason)
            readable = list(map(not_, malformed))
            numbers, rows = list(compress(numbers, readable)), list(compress(rows, readable))
        return self._with_addresses(numbers, cast("Sequence[list[str]]", rows))

    def _with_addresses(self, numbers: Sequence[int], rows: Sequence[list[str]]) -> _Valid:
        column = self._dialect.email_index
        addresses = folded([row[column] for row in rows])
        valid = [address is not None for address in addresses]
        for number, row in compress(zip(numbers, rows, strict=True), map(not_, valid)):
            self._reject(number, row[column], rejection(row[column]))
            self._columns.add(row)
        return _Valid(numbers, rows, cast("list[str]", addresses)).where(valid)

    def _filtered(self, valid: _Valid) -> _Valid:
        """The rows that are neither excluded nor suppressed."""
        if self._keep and valid.rows:
            valid = valid.where(
                [self._keeps(number, row) for number, row in zip(valid.numbers, valid.rows, strict=True)]
            )
        if self._filters.excluded and valid.rows:
            excluded = list(self._filters.excluded(valid.addresses))
            for number in compress(valid.numbers, excluded):
                self._exclude(number)
            valid = valid.where(list(map(not_, excluded)))
        if self._filters.suppressed and valid.rows:
            suppressed = list(self._filters.suppressed(valid.addresses))
            rows = zip(valid.numbers, valid.addresses, suppressed, strict=True)
            if stopped := [(number, recipient) for number, recipient, one in rows if one]:
                for number, recipient in stopped:
                    self._reject(number, recipient, "suppressed")
                valid = valid.where(list(map(not_, suppressed)))
        return valid

    def _keeps(self, number: int, row: list[str]) -> bool:
        """Whether the condition keeps a row; otherwise the row is excluded, or rejected if the condition fails."""
        assert self._keep is not None  # noqa: S101 - the caller has checked it
        cells = [*row]
        cells[self._dialect.email_index] = address(row[self._dialect.email_index]) or ""
        kept = self._keep(cells)
        if isinstance(kept, str):
            self._reject(number, row[self._dialect.email_index], kept)
            return False
        if not kept:
            self._exclude(number)
        return kept

    def _exclude(self, number: int) -> None:
        self._mark(number)
        self._excluded += 1

    def _accept(self, valid: _Valid) -> None:
        self._sample.add(valid.rows, valid.numbers)
        if self._duplicates:
            self._duplicates.add(valid.addresses, valid.numbers)

    def _reject(self, row: int, email: str, reason: str) -> None:
        self._rejections.add(row, email, reason)
        self._mark(row)

    def _mark(self, row: int) -> None:
        self._rejected_bitmap[row >> 3] |= 0x80 >> (row & 7)

    def finish(self, end: int, on_rows: OnRows) -> None:
        """Find the duplicates among all rows of the file.

        Args:
            end: the file's size in bytes.
            on_rows: called with the number of rows just checked.

        Raises:
            UnusableList: the file has no rows, or another column has the addresses.
        """
        if not self.rows:
            raise UnusableList("The file has a header but no rows; add the recipients.")
        if not self._valid:
            self._columns.check()
        self._index.end = end
        for duplicate in self._duplicates.found(on_rows) if self._duplicates else ():
            self._reject(duplicate.row, duplicate.address, f"duplicate:{duplicate.first_row}")

    def result(self, report: IO[bytes], on_rows: OnRows) -> ScanResult:
        """Write the report, and return the result."""
        try:
            self._rejections.write(report, on_rows)
        except BaseException:
            report.close()
            raise
        rejected = self._rejections.count
        return ScanResult(
            dialect=self._dialect,
            index=self._index,
            rows=self.rows,
            total=self.rows - rejected - self._excluded,
            rejected=rejected,
            rejected_bitmap=self._rejected_bitmap,
            report=report,
            excluded=self._excluded,
            surplus_rows=self._surplus,
            reasons=dict(self._rejections.reasons),
            sample=self._sample.rows,
            kept=self._sample.kept,
            warnings=[surplus_warning(self._surplus)] if self._surplus else [],
        )
