"""What a scan tells of a list. Does not scan."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, Final

from lists.header import CsvDialect
from lists.index import Index
from lists.list_warnings import ListWarning
from lists.sample import ListSample

#: The code of the warning about rows with cells beyond the header.
SURPLUS_CELLS: Final = "surplus_cells"


@dataclass(slots=True)
class ScanResult:
    """The result of a scan.

    Attributes:
        dialect: how the file is written.
        index: the slices of the file.
        rows: the number of rows after the header, numbered from 1; blank lines do not count.
        total: the number of recipients.
        rejected: the number of rejected rows.
        rejected_bitmap: one bit per row, set for rejected and excluded rows, in Redis' order: row n is byte n >> 3,
            mask 0x80 >> (n & 7).
        report: the rejected rows in row order as UTF-8 CSV `row,email,reason`, a temporary file at position 0. Reasons
            are `invalid_email`, `invalid_email:WHY`, `duplicate:FIRST_ROW`, `suppressed`, `malformed:WHY` and
            `too_long`.
        excluded: the number of rows that `keep` excluded; `rows = total + rejected + excluded`.
        surplus_rows: the number of rows with cells beyond the header that are not blank. These cells are not used.
        reasons: the number of rejected rows per reason, without what follows a colon.
        sample: the first accepted rows, at most 5: column name to value, the address as it would be used.
        kept: what is kept to check templates: some rows, and the empty cells per column.
        warnings: what may be wrong with the list.
    """

    dialect: CsvDialect
    index: Index
    rows: int
    total: int
    rejected: int
    rejected_bitmap: bytearray
    report: IO[bytes]
    excluded: int = 0
    surplus_rows: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    sample: list[dict[str, str]] = field(default_factory=list)
    kept: ListSample = field(default_factory=ListSample)
    warnings: list[ListWarning] = field(default_factory=list)


def surplus_warning(rows: int) -> ListWarning:
    """The warning about rows with cells beyond the header."""
    have = "1 row has" if rows == 1 else f"{rows:,} rows have"
    message = (
        f"{have} more cells than the header. The cells beyond the header are not used: check that the header names "
        "every column, and that text with the delimiter stands in quotes."
    )
    return ListWarning(SURPLUS_CELLS, message, rows)
