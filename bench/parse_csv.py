"""Measures the speed and memory of the scan of a CSV, beside bare `csv.reader`. Rows are made on the fly.

Run from the repository root: `python -m bench.parse_csv [ROWS] [SHARE_OF_BAD_ROWS]`.
"""

from __future__ import annotations

import csv
import io
import resource
import sys
import time
from collections.abc import Iterable, Iterator

from lists.scan import scan

#: The rows per chunk. Each address contains its row number, so that none is a duplicate.
_ROWS_A_CHUNK = 12_000
_HEADER = b"email,first_name,last_name,city,customer_number\r\n"
_NAMES = ("Anna", "José", "Zoë", "Christopher", "Li", "Müller-Lüdenscheidt")


def chunks(rows: int, bad: float) -> Iterator[bytes]:
    """A CSV of five columns, about 66 bytes per row, in chunks of about 0.8 MiB."""
    yield _HEADER
    every = round(1 / bad) if bad else 0
    for start in range(0, rows, _ROWS_A_CHUNK):
        yield "".join(_row(number, every) for number in range(start, min(start + _ROWS_A_CHUNK, rows))).encode()


def _row(number: int, every: int) -> str:
    at = " at " if every and number % every == 0 else "@"
    name = _NAMES[number % len(_NAMES)]
    email = f"{name[:1]}{number * 7919 % 10**8}{at}mail{number % 97}.example.com"
    return f"{email},{name},Smith,Springfield {number % 50},{number}\r\n"


def bare(source: Iterable[bytes]) -> int:
    """The same with `csv.reader` alone: decode, split into fields, count."""
    return sum(sum(1 for _ in csv.reader(io.StringIO(chunk.decode(), newline=""))) for chunk in source)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _timed(source: Iterable[bytes], clock: list[float]) -> Iterator[bytes]:
    """The chunks; adds up the time that making them takes."""
    iterator = iter(source)
    while True:
        start = time.perf_counter()
        chunk = next(iterator, None)
        clock[0] += time.perf_counter() - start
        if chunk is None:
            return
        yield chunk


def main() -> None:
    """Print the rows per second of both, their ratio, and the growth of memory."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    bad = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    speeds = []
    for name, work in (("csv.reader", bare), ("scan", lambda source: scan(source).report.close())):
        before, making, start = _peak_mb(), [0.0], time.perf_counter()
        work(_timed(chunks(rows, bad), making))
        took = time.perf_counter() - start - making[0]
        speeds.append(rows / took)
        grown = _peak_mb() - before
        sys.stdout.write(f"{name:10} {rows / took:12,.0f} rows/s {took:8.2f} s   memory +{grown:.1f} MB\n")
    sys.stdout.write(f"scan / csv.reader: {speeds[1] / speeds[0]:.2f}\n")


if __name__ == "__main__":
    main()
