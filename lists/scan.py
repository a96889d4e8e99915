"""Scans a CSV of recipients in one streaming pass, and reads a slice of it again. Bytes in, rows out.

Pure: no Redis, no object store, no settings, no templates. Memory grows only by one bit per row and 16 bytes per slice;
data that must be compared across the file are kept in temporary files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from lists import records
from lists.duplicates import Duplicates
from lists.fields import Malformed
from lists.header import CsvDialect, read_header
from lists.index import MAX_ROWS
from lists.lines import Lines, opened
from lists.list_warnings import ListWarning
from lists.rejections import Rejections
from lists.row_filters import NO_FILTERS, RowFilters
from lists.scan_result import ScanResult
from lists.scan_state import ScanState
from lists.temp_file import TempFile, temporary_file

__all__ = ["MAX_ROWS", "ListWarning", "ScanResult", "read_slice", "scan"]

#: The bytes read, or the rows checked later, between two calls of `on_progress`.
_PROGRESS_BYTES: Final = 1024 * 1024
_PROGRESS_ROWS: Final = 100_000

OnProgress = Callable[[int, int], None]


def scan(
    chunks: Iterable[bytes],
    *,
    email_column: str = "",
    on_progress: OnProgress | None = None,
    delimiter: str = "",
    filters: RowFilters = NO_FILTERS,
) -> ScanResult:
    """Read a whole file once. No sequence of bytes makes it fail, except as stated below.

    Temporary files take about 35 bytes per row; a small list needs none. Rows are judged in this order: malformed or
    too long, invalid address, excluded, suppressed, duplicate. An excluded or suppressed row makes no other row a
    duplicate.

    Args:
        chunks: the file's bytes, in chunks of about 1 MiB.
        email_column: the header of the column of addresses, or "" to recognise it (`lists.email_column.candidates`).
        on_progress: called with the bytes and rows read so far, about every MiB and while duplicates are searched; may
            raise to stop the scan.
        delimiter: the character between cells, or "" to recognise it.
        filters: what excludes or rejects rows with valid addresses. They get whole blocks of up to 1,000 rows.

    Raises:
        UnusableList: the file has no header with such a column or several of them, no row, too many rows, or its
            addresses are in another column.
    """
    progress = _Progress(on_progress)
    encoding, mark, rest = opened(progress.counted(chunks))
    lines = Lines(rest, encoding)
    dialect = read_header(lines, email_column.strip(), encoding, mark, delimiter)
    with TempFile() as addresses, TempFile() as rejections:
        index = Duplicates(addresses) if filters.duplicates == "reject" else None
        state = ScanState(dialect, filters, index, Rejections(rejections))
        for rows in records.read(lines, dialect.shape, encoding):
            state.add(rows)
            progress.rows = state.rows
        state.finish(progress.bytes, progress.on_rows)
        return state.result(temporary_file(), progress.on_rows)


def read_slice(data: bytes, dialect: CsvDialect, first_row: int) -> Iterator[tuple[int, list[str] | None]]:
    """The rows of a slice with their numbers, the same rows as in the scan; None for a malformed or too long row.

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
