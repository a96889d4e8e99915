"""Compares ParseCsv with bare `csv.reader` over the same object in S3, and measures the memory of the parser and Redis.

    python -m bench.parsing [ROWS...]

Each measurement runs in a separate process, so that its memory is separate. The time counts from the first request to
S3 until the campaign is ready.
"""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from bench.lists import CONTENT, chunks
from bench.report import line, table
from bench.stack import BenchStack
from tests.support.services import ROOT

SIZES: Final = (1_000_000, 10_000_000)
KEY: Final = "bench/list.csv"
#: The longest that one scan may take, in seconds.
PATIENCE_S: Final = 600


def list_scan(campaign_id: str, list_version: str) -> None:
    """What the ParseCsv actor does with a new list."""
    import threading  # noqa: PLC0415 - all of this is imported in the child's process alone, with its environment

    from campaigns.catalog import Catalog  # noqa: PLC0415
    from worker.list_scan import ListScan  # noqa: PLC0415
    from worker.redis_client import connect  # noqa: PLC0415

    redis = connect(os.environ["REDIS_URL"])
    campaign = Catalog(redis, 1000).get(campaign_id)
    assert campaign.list_version == list_version  # noqa: S101
    ListScan(redis, _store(), threading.Event(), threading.BoundedSemaphore(1)).run(campaign)


def bare() -> None:
    """The same with `csv.reader` alone: decode the object, split into fields, count."""
    text = io.TextIOWrapper(io.BufferedReader(_Body(_store()), 1 << 20), encoding="utf-8", newline="")
    sum(1 for _ in csv.reader(text))


class _Body(io.RawIOBase):
    """The object as a file."""

    def __init__(self, store: Any) -> None:
        self._chunks = store.stream(KEY)
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._left = self._left or next(self._chunks, b"")
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count


def _store() -> Any:
    from storage import ObjectStore  # noqa: PLC0415

    return ObjectStore(os.environ.get("S3_BUCKET", "my-bucket"), os.environ["S3_ENDPOINT_URL"])


def child(work: str, *arguments: str) -> None:
    """Do one measurement in this process and print it."""
    _store().size(KEY)  # the client is made, the modules are there
    before = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()
    list_scan(*arguments) if work == "list_scan" else bare()
    took_s, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    sys.stdout.write(json.dumps({"took_s": took_s, "cpu_s": cpu_s, "peak_mb": after.ru_maxrss / 1024}) + "\n")


def measure(stack: BenchStack, work: str, *arguments: str) -> dict[str, float]:
    """Run one measurement in a separate process."""
    command = [sys.executable, "-m", "bench.parsing", "--child", work, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=stack.environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    if done.returncode:
        raise AssertionError(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(stack: BenchStack, rows: int) -> list[str]:
    """Run both over one list, in turns; return the row of the table."""
    from campaigns.catalog import Catalog  # noqa: PLC0415

    store = stack.object_store()
    with tempfile.TemporaryFile() as file:
        for chunk in chunks(rows):
            file.write(chunk)
        size = file.tell()
        file.seek(0)
        store.put_file(KEY, file)
    redis = stack.redis_client()
    ours, theirs, grown = [], [], 0
    for attempt in range(3 if rows <= SIZES[0] else 1):
        theirs.append(measure(stack, "bare"))
        campaign_id = f"rows-{rows}-{attempt}"  # a campaign does not parse the same object twice
        stack.put(campaign_id, **CONTENT)
        list_version, _ = Catalog(redis, 1000).accept_list(
            campaign_id, object_key=KEY, size=size, filename="list.csv", email_column="email"
        )
        before = redis.info("memory")["used_memory"]
        ours.append(measure(stack, "list_scan", campaign_id, list_version))
        grown = redis.info("memory")["used_memory"] - before
        line(f"  {rows:,} rows: csv.reader {theirs[-1]['took_s']:.1f} s, ParseCsv {ours[-1]['took_s']:.1f} s")
    mine, other = min(item["took_s"] for item in ours), min(item["took_s"] for item in theirs)
    cpu = min(item["cpu_s"] for item in ours) / min(item["cpu_s"] for item in theirs)
    peak = max(item["peak_mb"] for item in ours)
    status = stack.status(campaign_id)
    assert (status["status"], status["total"]) == ("ready", rows)  # noqa: S101 - what has been timed was done
    return [
        f"{rows:,}", f"{size / 1e6:,.0f}", f"{rows / other:,.0f}", f"{rows / mine:,.0f}", f"**{other / mine:.2f}**",
        f"{1 / cpu:.2f}", f"{peak:.0f}", f"{grown / 1e6:.2f} ({grown / rows:.2f} B per row)",
    ]  # fmt: skip


def main() -> None:
    """Measure lists of these lengths and print the table."""
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
        return
    sizes = [int(size) for size in sys.argv[1:]] or list(SIZES)
    with tempfile.TemporaryDirectory() as directory, BenchStack.open(Path(directory)) as stack:
        rows = [compare(stack, size) for size in sizes]
    head = "rows|MB|csv.reader, rows/s|ParseCsv, rows/s|ratio|ratio by CPU|parser's peak memory, MB|Redis grew by, MB"
    table(head.split("|"), rows)


if __name__ == "__main__":
    main()
