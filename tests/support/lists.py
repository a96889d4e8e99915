"""What tests of the CSV parser share: a scan of bytes, and reading the rows again as the prefetcher does."""

from __future__ import annotations

import csv
import io

from lists.scan import ScanResult, read_slice, scan


def parse(
    data: bytes, email_column: str = "email", chunk: int = 1 << 20
) -> tuple[ScanResult, dict[int, tuple[str, str]]]:
    """The scan of a file and its rejected rows: number -> (text in place of an address, reason), from the report."""
    result = scan((data[i : i + chunk] for i in range(0, len(data), chunk)), email_column=email_column)
    with result.report as report:
        header, *rows = csv.reader(io.StringIO(report.read().decode(), newline=""))
    assert header == ["row", "email", "reason"]
    assert [int(row) for row, _, _ in rows] == sorted({int(row) for row, _, _ in rows})
    return result, {int(row): (email, reason) for row, email, reason in rows}


def rows_of(data: bytes, result: ScanResult) -> list[list[str] | None]:
    """All rows of a file, slice by slice; None for a malformed one."""
    slices = [result.index[k] for k in range(len(result.index))]
    parts = (read_slice(data[part.offset : part.end], result.dialect, part.first_row) for part in slices)
    numbered = [pair for part in parts for pair in part]
    assert [number for number, _ in numbered] == list(range(1, result.rows + 1))
    return [row for _, row in numbered]
