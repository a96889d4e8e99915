"""Measures the suppression list: Redis' memory per entry, and the speed of a parse with the list beside one without.

    python -m bench.suppressions [ENTRIES] [ROWS]

CPU of this process alone, the least of several short turns: on a shared machine, times by the clock say little. To read
the bytes from the object store is not part of either.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from redis import Redis

from bench.parse_csv import chunks
from bench.report import line, table
from consent.records import Reason
from consent.suppressions import Suppressions
from lists.row_filters import RowFilters
from lists.scan import scan
from tests.support.doubles.object_store import MemoryStore
from tests.support.services import valkey_server
from tests.support.suppressions import suppressions

ENTRIES: Final = 1_000_000
ROWS: Final = 1_000_000
#: The rows of one turn, and the turns.
TURN_ROWS: Final = 100_000
TURNS: Final = 12
#: Addresses per call; each call's records are thrown away, because the object store's part is not measured.
_BLOCK: Final = 100_000


def fill(redis: Redis, found: Suppressions, entries: int) -> None:
    """Put so many addresses on the list, none of them in the lists that are parsed."""
    for start in range(0, entries, _BLOCK):
        found.add([f"gone{number}@example.com" for number in range(start, min(start + _BLOCK, entries))], Reason.MANUAL)
        redis.delete("postrider:suppressions_journal")


def cpu_s(work: Callable[[], object]) -> float:
    """The CPU seconds of this process for one run of the work."""
    start = time.process_time()
    work()
    return time.process_time() - start


def parse(made: Sequence[bytes], filters: RowFilters) -> None:
    """Parse one list."""
    scan(iter(made), filters=filters).report.close()


def compare(found: Suppressions, entries: int, rows: int) -> list[str]:
    """Parse a list with and without the suppression list, in short turns; return the row of the table."""
    made = list(chunks(TURN_ROWS, 0.0))
    without, with_list, loads = [], [], []
    for _ in range(TURNS):
        screening = found.screening(expected=entries)
        loads.append(cpu_s(lambda: screening.suppressed(["nobody@example.com"])))  # noqa: B023 - called at once
        without.append(cpu_s(lambda: parse(made, RowFilters())))
        with_list.append(cpu_s(lambda: parse(made, RowFilters(suppressed=screening.suppressed))))  # noqa: B023
    mine, theirs = min(with_list) / TURN_ROWS, min(without) / TURN_ROWS
    whole = theirs * rows / (mine * rows + min(loads))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        f"{entries:,}", f"{theirs * 1e6:.2f}", f"{mine * 1e6:.2f}", f"{min(loads):.2f}",
        f"**{whole:.2f}**", f"{theirs / mine:.2f}", f"{peak:.0f}",
    ]  # fmt: skip


def main() -> None:
    """Print the memory per entry, and the table of the parses."""
    entries, rows = (int(argument) for argument in [*sys.argv[1:], *map(str, (ENTRIES, ROWS)[len(sys.argv) - 1 :])])
    with tempfile.TemporaryDirectory() as directory, valkey_server(Path(directory), keeps=False) as url:
        redis = Redis.from_url(url)
        found = suppressions(redis, MemoryStore())
        before = redis.info("memory")
        fill(redis, found, entries)
        after = redis.info("memory")
        used, resident = (after[name] - before[name] for name in ("used_memory", "used_memory_rss"))
        line(f"{entries:,} entries: {used / entries:.1f} B each in Redis, {resident / entries:.1f} B resident")
        head = f"entries|us per row without|us with|s to read the entries|ratio at {rows:,} rows|without end|peak, MB"
        table(head.split("|"), [compare(found, entries, rows)])


if __name__ == "__main__":
    main()
