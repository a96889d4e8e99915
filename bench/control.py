"""Measures the web process while a campaign runs at full speed.

It compares the times of `status` and `pause` with those of an empty route and of a bare `PING` to the same Redis from
the measuring process, for both ways in which Redis can write to its disk. It also compares an upload of 1 GB through
presigned URLs with one to the object store alone.

    python -m bench.control [MB]        MB: the size of the upload, by default 1000
"""

from __future__ import annotations

import http.client
import os
import socket
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bench.lists import CONTENT, small_list
from bench.report import line, table
from bench.stack import PROCESSES, BenchStack, median, resident_mb, until_quiet
from embedded.ports import LOOPBACK
from tests.support.client import send

THREADS: Final = 10
#: The samples per route, and the repetitions; the figure is the median of the repetitions' p99.
SAMPLES: Final = 400
REPEAT: Final = 3
#: Enough to run for as long as the samples take.
EMAILS: Final = 600_000
#: The parts of an upload that are sent at the same time.
AT_ONCE: Final = 4
UPLOADS: Final = 4


class Route:
    """One route, requested repeatedly over one connection."""

    def __init__(self, stack: BenchStack, method: str, path: str) -> None:
        self._connection = http.client.HTTPConnection(LOOPBACK, stack.port, timeout=30)
        self._method, self._path = method, path

    def ask_ms(self) -> float:
        """Ask once; return how long it took, in ms."""
        started = time.perf_counter()
        self._connection.request(self._method, self._path)
        answer = self._connection.getresponse()
        answer.read()
        took = (time.perf_counter() - started) * 1000
        if answer.status != 200:
            raise AssertionError(f"{self._path}: {answer.status}")
        return took


class Ping:
    """A bare `PING` to Redis over one connection."""

    def __init__(self, stack: BenchStack) -> None:
        self._socket = socket.create_connection((LOOPBACK, urlsplit(stack.redis_url).port or 0), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask_ms(self) -> float:
        """Ask once; return how long it took, in ms."""
        started = time.perf_counter()
        self._socket.sendall(b"PING\r\n")
        answer = self._socket.recv(64)
        took = (time.perf_counter() - started) * 1000
        if answer != b"+PONG\r\n":
            raise AssertionError(answer)
        return took


def p99(samples: list[float]) -> float:
    """The 99th percentile."""
    return statistics.quantiles(samples, n=100)[98]


def latencies(stack: BenchStack, fsync: str) -> None:
    """Ask the routes and Redis in turns while emails are sent, with the given `appendfsync` of Redis."""
    stack.redis_client().config_set("appendfsync", fsync)
    worker = stack.add_worker(PROCESSES, THREADS)
    load, paused = f"load-{fsync}", f"paused-{fsync}"
    stack.prepare(load, small_list(EMAILS))
    stack.prepare(paused, small_list(1000), tpm=60)
    until_quiet()
    stack.start(paused)
    stack.start(load)
    empty, status = Route(stack, "GET", "/healthz"), Route(stack, "GET", f"/campaigns/{load}/status")
    pause, resume = (Route(stack, "POST", f"/campaigns/{paused}/{step}") for step in ("pause", "resume"))
    ping = Ping(stack)
    found: dict[str, list[list[float]]] = {"bare PING": [], "empty route": [], "status": [], "pause": []}
    for _ in range(REPEAT):
        for samples in found.values():
            samples.append([])
        for _ in range(SAMPLES):
            found["bare PING"][-1].append(ping.ask_ms())
            found["empty route"][-1].append(empty.ask_ms())
            found["status"][-1].append(status.ask_ms())
            found["pause"][-1].append(pause.ask_ms())
            resume.ask_ms()
    during = stack.status(load)
    if during["status"] != "running":
        raise AssertionError("the load ended before the samples did")
    stack.call("POST", f"/campaigns/{load}/cancel")
    worker.stop()
    slowest = {name: median(p99(samples) for samples in rounds) for name, rounds in found.items()}
    middle = {name: median(statistics.median(samples) for samples in rounds) for name, rounds in found.items()}
    goals = {"status": "3 x PING", "pause": "10 x empty route"}
    rows = [
        [
            name,
            f"{middle[name]:.2f}",
            f"{slowest[name]:.2f}",
            f"**{slowest[name] / slowest['bare PING']:.1f}**",
            f"**{slowest[name] / slowest['empty route']:.1f}**",
            goals.get(name, ""),
        ]
        for name in found
    ]
    line(f"  appendfsync {fsync}; meanwhile {during['done']:,} emails were sent")
    table(["asked", "median, ms", "p99, ms", "p99 over PING's", "p99 over the empty route's", "goal"], rows)


def _put_parts(urls: list[str], part: bytes, size: int) -> list[str]:
    """PUT a body of `size` bytes in parts; return their ETags."""

    def put(numbered: tuple[int, str]) -> str:
        number, url = numbered
        status, answer, headers = send("PUT", url, part[: min(len(part), size - number * len(part))], {})
        if status != 200:
            raise AssertionError(answer)
        return str(headers["ETag"]).strip('"')

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(put, enumerate(urls)))


def _through_postrider(stack: BenchStack, campaign_id: str, size: int) -> int:
    """Upload through the API's presigned URLs, up to the response to `complete`; return the size of a part."""
    stack.put(campaign_id, **CONTENT)
    upload = stack.call("POST", f"/campaigns/{campaign_id}/upload/init", {"size": size, "filename": "list.csv"})
    part_bytes = int(upload["part_size"])
    etags = _put_parts([part["url"] for part in upload["parts"]], os.urandom(part_bytes), size)
    parts = [{"part_number": number, "etag": etag} for number, etag in enumerate(etags, 1)]
    stack.call("POST", f"/campaigns/{campaign_id}/upload/complete", {"upload_id": upload["upload_id"], "parts": parts})
    return part_bytes


def _to_the_store(stack: BenchStack, key: str, size: int, part_bytes: int) -> None:
    """The same without the web process."""
    from storage import Part  # noqa: PLC0415

    store = stack.object_store()
    upload_id = store.create_upload(key)
    numbers = range(1, -(-size // part_bytes) + 1)
    urls = [store.presign_part(key, upload_id, number, 3600) for number in numbers]
    etags = _put_parts(urls, os.urandom(part_bytes), size)
    store.complete_upload(key, upload_id, [Part(number, etag, 0) for number, etag in zip(numbers, etags, strict=True)])


def uploads(stack: BenchStack, megabytes: int) -> None:
    """Upload both ways in turns."""
    size, part_bytes = megabytes * 1_000_000, 8 << 20
    ours, theirs = [], []
    before = resident_mb(stack.web.pid)
    for number in range(UPLOADS):
        # The second upload finds the disk busy with the data of the first, so the two alternate in who is first.
        for way in ("ours", "theirs") if number % 2 else ("theirs", "ours"):
            started = time.perf_counter()
            if way == "ours":
                part_bytes = _through_postrider(stack, f"large-{number}", size)
                ours.append(time.perf_counter() - started)
            else:
                _to_the_store(stack, f"bench/{number}", size, part_bytes)
                theirs.append(time.perf_counter() - started)
        for prefix in ("campaigns/", "bench/"):
            store = stack.object_store()
            store.delete([item.key for item in store.list_objects(prefix)])
    grown = resident_mb(stack.web.pid) - before
    mine, other = median(ours), median(theirs)
    head = "upload|store alone, MB/s|Postrider, MB/s|ratio|goal|web process grew by, MB"
    row = [f"{megabytes:,} MB", f"{megabytes / other:.0f}", f"{megabytes / mine:.0f}", f"**{other / mine:.2f}**", "0.8"]
    table(head.split("|"), [[*row, f"{grown:.1f}"]])


def main() -> None:
    """Measure and print both."""
    with tempfile.TemporaryDirectory() as directory, BenchStack.open(Path(directory)) as stack:
        for fsync in ("always", "everysec"):
            latencies(stack, fsync)
        stack.redis_client().config_set("appendfsync", "always")
        uploads(stack, int(sys.argv[1]) if len(sys.argv) > 1 else 1000)


if __name__ == "__main__":
    main()
