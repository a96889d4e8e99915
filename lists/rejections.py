"""The rejected rows and their report, in row order and in bounded memory. Does not decide which rows are rejected."""

from __future__ import annotations

import csv
import heapq
import io
from collections import Counter
from collections.abc import Iterator
from typing import IO, Final

from lists.addresses import MAX_CHARS
from lists.cells import guarded
from lists.invisible import written_out
from lists.temp_file import OnRows, TempFile

#: The report's columns.
HEADER: Final = ("row", "email", "reason")
#: The number of rejected rows that memory holds before they are sorted and written to the file.
_BUFFERED_ROWS: Final = 50_000
#: The memory for reading sorted runs back, shared by all runs, and the minimum per run, in bytes.
_READ_BYTES: Final = 2 * 1024 * 1024
_LEAST_READ_BYTES: Final = 4096
#: The number of report rows between two calls of `on_rows`.
_REPORTED_ROWS: Final = 10_000


class Rejections:
    """Collects rejected rows in any order, and writes them in row order.

    A full buffer is sorted and goes to the temporary file as a sorted run; writing the report merges the runs.

    Attributes:
        count: the number of rejected rows.
        reasons: the number per reason, without what follows a colon: `duplicate`, not `duplicate:3`.
    """

    def __init__(self, file: TempFile) -> None:
        self._file = file
        self._buffer: list[str] = []
        self._runs: list[tuple[int, int]] = []  # the start and end offset of each run
        self.count = 0
        self.reasons: Counter[str] = Counter()

    def add(self, row: int, email: str, reason: str) -> None:
        """Take a rejected row.

        The text of its address column is shortened, its invisible characters are written out, and it is made safe for a
        spreadsheet.
        """
        self._buffer.append(f"{row:012d}\t{_safe(email)}\t{reason}")
        self.count += 1
        self.reasons[reason.partition(":")[0]] += 1
        if len(self._buffer) >= _BUFFERED_ROWS:
            self._flush()

    def write(self, file: IO[bytes], on_rows: OnRows) -> None:
        """Write the report as UTF-8 CSV, and seek to the file's start."""
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
        text.write(f"{','.join(HEADER)}\n")
        for number, entry in enumerate(self._sorted(), 1):
            writer.writerow(entry)
            if number % _REPORTED_ROWS == 0:
                on_rows(_REPORTED_ROWS)
        text.flush()
        text.detach()
        file.seek(0)

    def _sorted(self) -> Iterator[tuple[int, str, str]]:
        self._buffer.sort()
        entries: Iterator[str] = iter(self._buffer)
        if self._runs:
            size = max(_READ_BYTES // len(self._runs), _LEAST_READ_BYTES)
            entries = heapq.merge(entries, *(self._run(start, end, size) for start, end in self._runs))
        for entry in entries:
            row, email, reason = entry.split("\t")
            yield int(row), email, guarded(reason)

    def _run(self, start: int, end: int, size: int) -> Iterator[str]:
        """The entries of a run, read `size` bytes at a time."""
        rest = b""
        while start < end:
            data = self._file.read(start, min(start + size, end))
            start += len(data)
            *lines, rest = (rest + data).split(b"\n")
            yield from map(bytes.decode, lines)

    def _flush(self) -> None:
        start = self._file.size
        self._buffer.sort()
        for entry in self._buffer:
            self._file.append(f"{entry}\n".encode())
        self._runs.append((start, self._file.size))
        self._buffer.clear()


def _safe(email: str) -> str:
    return guarded(written_out(email[:MAX_CHARS]).strip())
