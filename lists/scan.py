"""Scans a CSV of recipients in one streaming pass, and reads a slice of it again. Bytes in, rows out.

Pure: no Redis, no object store, no settings, no templates. Memory grows only by one bit per row and 16 bytes per slice;
data that must be compared across the file are kept in temporary files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Final

from lists import records
from lists.addresses import address, all_ordinary
from lists.duplicates import Duplicates
from lists.errors import UnusableList
from lists.header import CsvDialect, read_header
from lists.index import Index
from lists.lines import Lines, opened
from lists.records import Malformed, Row, Rows, none_malformed
from lists.rejections import Rejections
from lists.temp_file import OnRows, TempFile, temporary_file

#: The most rows: row numbers have 32 bits, in the index and in Redis' bitmaps.
MAX_ROWS: Final = 2**32 - 1
#: The bytes read, or the rows checked later, between two calls of `on_progress`.
_PROGRESS_BYTES: Final = 1024 * 1024
_PROGRESS_ROWS: Final = 100_000

OnProgress = Callable[[int, int], None]


@dataclass(slots=True)
class ScanResult:
    """The result of a scan.

    Attributes:
        dialect: how the file is written.
        index: the slices of the file.
        rows: the number of rows after the header, numbered from 1; blank lines do not count.
        total: the number of recipients.
        rejected: the number of rejected rows; `rows = total + rejected`.
        skip: one bit per row, set for rejected rows, in Redis' order: row n is byte n >> 3, mask 0x80 >> (n & 7).
        report: the rejected rows in row order as UTF-8 CSV `row,email,reason`, a temporary file at position 0. Reasons
            are `invalid_email`, `duplicate:FIRST_ROW` and `malformed:WHY`.
    """

    dialect: CsvDialect
    index: Index
    rows: int
    total: int
    rejected: int
    skip: bytearray
    report: IO[bytes]


def scan(
    chunks: Iterable[bytes],
    *,
    email_column: str = "email",
    on_progress: OnProgress | None = None,
) -> ScanResult:
    """Read a whole file once. No sequence of bytes makes it fail, except as stated below.

    Temporary files take about 35 bytes per row; a small list needs none.

    Args:
        chunks: the file's bytes, in chunks of about 1 MiB.
        email_column: the header of the column of addresses, compared without case and surrounding blanks.
        on_progress: called with the bytes and rows read so far, about every MiB and while duplicates are searched; may
            raise to stop the scan.

    Raises:
        UnusableList: the file has no header with such a column, no row, or too many rows.
    """
    progress = _Progress(on_progress)
    encoding, mark, rest = opened(progress.counted(chunks))
    lines = Lines(rest, encoding)
    dialect = read_header(lines, email_column.strip() or "email", encoding, mark)
    with TempFile() as addresses, TempFile() as rejections:
        state = _ScanState(dialect, Duplicates(addresses), Rejections(rejections))
        for rows in records.read(lines, dialect.shape, encoding):
            state.add(rows)
            progress.rows = state.rows
        state.finish(progress)
        return state.result(temporary_file(), progress.on_rows)


def read_slice(data: bytes, dialect: CsvDialect, first_row: int) -> Iterator[tuple[int, list[str] | None]]:
    """The rows of a slice with their numbers, the same rows as in the scan; None for a malformed row.

    Args:
        data: the file's bytes from the slice's `offset` to its `end`.
        dialect: how the file is written.
        first_row: the number of the slice's first row.
    """
    row = first_row
    for rows in records.read(Lines([data], dialect.encoding), dialect.shape, dialect.encoding):
        for record in rows.rows:
            yield row, None if isinstance(record, Malformed) else record
            row += 1


class _Progress:
    """Counts bytes and rows, and reports them at intervals."""

    def __init__(self, on_progress: OnProgress | None) -> None:
        self.bytes = 0
        self.rows = 0
        self._on_progress = on_progress
        self._reported_bytes = 0
        self._looked_at = 0

    def counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.bytes += len(chunk)
            yield chunk
            if self.bytes - self._reported_bytes >= _PROGRESS_BYTES:
                self.report()

    def on_rows(self, rows: int) -> None:
        """Count rows that were checked again after all bytes had been read."""
        self._looked_at += rows
        if self._looked_at >= _PROGRESS_ROWS:
            self._looked_at = 0
            self.report()

    def report(self) -> None:
        self._reported_bytes = self.bytes
        if self._on_progress:
            self._on_progress(self.bytes, self.rows)


class _ScanState:
    """What the scan has found so far."""

    def __init__(self, dialect: CsvDialect, duplicates: Duplicates, rejections: Rejections) -> None:
        self.rows = 0
        self._dialect = dialect
        self._offset = dialect.start
        self._index = Index()
        self._skip = bytearray()
        self._duplicates = duplicates
        self._rejections = rejections

    def add(self, found: Rows) -> None:
        """Take the next rows of the file."""
        first_row = self.rows + 1
        self.rows += len(found.rows)
        if self.rows > MAX_ROWS:
            raise UnusableList(f"The file has more than {MAX_ROWS:,} rows; split it into several lists.")
        self._index.add(self._offset, first_row, len(found.rows))
        self._offset += found.size
        self._skip += bytes((self.rows >> 3) + 1 - len(self._skip))
        self._classify(first_row, found.rows)

    def _classify(self, first_row: int, rows: Sequence[Row]) -> None:
        numbers = range(first_row, first_row + len(rows))
        column = self._dialect.email_index
        if none_malformed(rows):
            emails = [row[column] for row in rows]
            if all_ordinary(emails):
                self._duplicates.add(list(map(str.lower, emails)), numbers)
                return
        sendable: list[tuple[str, int]] = []
        for number, row in zip(numbers, rows, strict=True):
            if isinstance(row, Malformed):
                self._reject(number, row.email, f"malformed:{row.why}")
            elif (recipient := address(row[column])) is None:
                self._reject(number, row[column], "invalid_email")
            else:
                sendable.append((recipient.lower(), number))
        self._duplicates.add([recipient for recipient, _ in sendable], [number for _, number in sendable])

    def _reject(self, row: int, email: str, reason: str) -> None:
        self._rejections.add(row, email, reason)
        self._skip[row >> 3] |= 0x80 >> (row & 7)

    def finish(self, progress: _Progress) -> None:
        """Find the duplicates among all rows of the file.

        Raises:
            UnusableList: the file has no rows.
        """
        if not self.rows:
            raise UnusableList("The file has a header but no rows; add the recipients.")
        self._index.end = progress.bytes
        for duplicate in self._duplicates.found(progress.on_rows):
            self._reject(duplicate.row, duplicate.address, f"duplicate:{duplicate.first_row}")

    def result(self, report: IO[bytes], on_rows: OnRows) -> ScanResult:
        """Write the report, and return the result."""
        try:
            self._rejections.write(report, on_rows)
        except BaseException:
            report.close()
            raise
        rejected = self._rejections.count
        return ScanResult(self._dialect, self._index, self.rows, self.rows - rejected, rejected, self._skip, report)
