"""`make bench-peers`: Postrider beside a Go worker pool and BullMQ, in turns, with the same emails and the same sink.

    python -m bench.peers [0ms] [100ms] [wire]

Each round runs all of them once; the ratios are those of a round. The rate counts from the sink's first 10 % of the
emails to 90 %. The peers' jobs are on their queue before they start; Postrider reads its list meanwhile, and has its
ledger, limits and templates.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from bench.lists import CONTENT, small_list
from bench.peers.competitors import BullMq, GoPool, Peer, PlainRedis, missing
from bench.report import line, table
from bench.stack import PROCESSES, UNLIMITED, BenchStack, cpu_of, median, until_quiet, wait_until
from embedded import ports

ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "5"))
EMAILS: Final = int(os.environ.get("BENCH_EMAILS", "60000"))
THREADS: Final = int(os.environ.get("BENCH_THREADS", "10"))
BATCH: Final = int(os.environ.get("BENCH_BATCH", "64"))
PATIENCE_S: Final = 180.0
#: The ratio to reach: of Postrider to the peer, by latency in ms and by recipients per request.
GOALS: Final = {(0, 1, GoPool): 0.8, (0, 1, BullMq): 1.5, (0, BATCH, GoPool): 3, (100, 1, GoPool): 1}
GOALS_MORE: Final = {(100, BATCH, GoPool): 1}
#: The page of the comparison of bytes, in bytes, and its recipients.
PAGE_BYTES: Final = 50_000
PAGE_EMAILS: Final = 20_000


class Run(NamedTuple):
    """One run: emails per second in the middle and from start to end, and CPU per email in us by component."""

    rate: float
    whole_rate: float
    cpu_us: dict[str, float]
    bytes_per_email: float


class PeerStack(BenchStack):
    """The components of a measurement, with the sink in the double's place. `SINK_LATENCY_MS` among the settings."""

    def __init__(self, directory: Path, settings: dict[str, str]) -> None:
        super().__init__(directory, settings)
        port = urlsplit(self.double.url).port or 0
        command = [sys.executable, "-m", "bench.peers.sink", str(port), settings["SINK_LATENCY_MS"]]
        self.sendgrid = self._program("sink", command, dict(self.environment), lambda _program: ports.answers(port))

    def counts(self, *, reset: bool = False) -> dict[str, float]:
        """What the sink has counted."""
        parts = urlsplit(self.double.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        connection.request("POST" if reset else "GET", "/")
        found: dict[str, float] = json.loads(connection.getresponse().read())
        connection.close()
        return found

    def until_all(self, emails: int) -> dict[str, float]:
        """Wait until all emails have arrived; return the counts."""
        wait_until(lambda: self.counts()["recipients"] >= emails, PATIENCE_S, every_s=0.1)
        counts = self.counts()
        if counts["recipients"] != emails or counts["distinct"] != emails:
            raise AssertionError(f"not every recipient got exactly one email: {counts}")
        return counts


def postrider(stack: PeerStack, batch: int, emails: int, name: str, **content: Any) -> Run:
    """Send one campaign."""
    worker = stack.add_worker(PROCESSES, THREADS, SENDGRID_BATCH=str(batch))
    stack.put(name, **CONTENT | {"tpm": UNLIMITED} | content)
    stack.upload(name, small_list(emails))
    stack.until_status(name, "ready")
    until_quiet(10)
    stack.counts(reset=True)
    before, started = stack.cpu_s(), time.time()
    stack.start(name)
    counts = stack.until_all(emails)
    wait_until(lambda: stack.status(name)["status"] == "completed", PATIENCE_S, every_s=0.05)
    used = stack.cpu_s()
    worker.stop()
    cpu = {part: used[part] - before[part] for part in ("worker", "redis", "double")}
    return _run(counts, started, cpu)


def competitor(stack: PeerStack, peer: Peer, server: PlainRedis, latency_ms: int) -> Run:
    """Send the same emails with a peer."""
    server.client().flushall()
    peer.enqueue(EMAILS)
    until_quiet(10)
    stack.counts(reset=True)
    sink_s, redis_s, started = stack.cpu_s()["double"], cpu_of([server.program]), time.time()
    programs = peer.commands(stack.double.url, latency_ms)
    try:
        for program in programs:
            program.start(wait=False)
        counts = stack.until_all(EMAILS)
        cpu = {
            "worker": cpu_of(programs),
            "redis": cpu_of([server.program]) - redis_s,
            "double": stack.cpu_s()["double"] - sink_s,
        }
    finally:
        for program in programs:
            program.kill()
    return _run(counts, started, cpu)


def _run(counts: dict[str, float], started: float, cpu_s: dict[str, float]) -> Run:
    emails = counts["recipients"]
    cpu_us = {part: seconds / emails * 1e6 for part, seconds in cpu_s.items()}
    return Run(counts["middle_rate"], emails / (counts["last_s"] - started), cpu_us, counts["bytes"] / emails)


@contextlib.contextmanager
def opened(latency_ms: int) -> Iterator[tuple[PeerStack, list[Peer], PlainRedis]]:
    """The stack, the peers that this machine can run, and their Redis."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        server = PlainRedis(directory / "peers")
        with PeerStack.open(directory, SINK_LATENCY_MS=str(latency_ms)) as stack:
            server.program.start()
            try:
                peers: list[Peer] = []
                for kind in (GoPool, BullMq):
                    if (tool := missing(kind)) is not None:
                        line(f"  {kind.name}: skipped, because this machine has no {tool}")
                    else:
                        peers.append(kind(server, directory))
                yield stack, peers, server
            finally:
                server.program.stop()


def compare(latency_ms: int) -> None:
    """Measure all of them at this latency, and print the rates and the ratios."""
    peer_runs: dict[type, list[Run]] = {}
    own_runs: dict[int, list[Run]] = {1: [], BATCH: []}
    with opened(latency_ms) as (stack, peers, server):
        names = {type(peer): peer.name for peer in peers}
        for number in range(ROUNDS):
            for peer in peers:
                peer_runs.setdefault(type(peer), []).append(competitor(stack, peer, server, latency_ms))
            for batch, runs in own_runs.items():
                runs.append(postrider(stack, batch, EMAILS, f"run-{batch}-{number}"))
            found = [*peer_runs.values(), *own_runs.values()]
            line(f"  {latency_ms} ms: {', '.join(f'{runs[-1].rate:,.0f}/s' for runs in found)}")
    rows = [[names[kind], *_figures(runs), "", "", "", ""] for kind, runs in peer_runs.items()]
    for batch, runs in own_runs.items():
        title = "Postrider" if batch == 1 else f"Postrider, `SENDGRID_BATCH={batch}`"
        ratios = [_ratio(runs, peer_runs.get(kind)) for kind in (GoPool, BullMq)]
        ratios.insert(1, _cpu_ratio(runs, peer_runs.get(GoPool)))
        goals = GOALS | GOALS_MORE
        wanted = [
            f"{goals[key]:g} of {kind.name}" for kind in (GoPool, BullMq) if (key := (latency_ms, batch, kind)) in goals
        ]
        rows.append([title, *_figures(runs), *ratios, "; ".join(wanted)])
    head = "what|emails/s|start to end|CPU us per email: worker / Redis / sink|over the Go pool|by CPU|over BullMQ|goal"
    line(f"\n{latency_ms} ms, {EMAILS:,} emails, medians of {ROUNDS} rounds")
    table(head.split("|"), rows)


def _figures(runs: list[Run]) -> list[str]:
    cpu = [f"{median(run.cpu_us[part] for run in runs):.0f}" for part in ("worker", "redis", "double")]
    return [
        f"{median(run.rate for run in runs):,.0f}",
        f"{median(run.whole_rate for run in runs):,.0f}",
        " / ".join(cpu),
    ]


def _ratio(ours: list[Run], theirs: list[Run] | None) -> str:
    if theirs is None:
        return "-"
    ratios = [own.rate / other.rate for own, other in zip(ours, theirs, strict=True)]
    return f"**{median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f})"


def _cpu_ratio(ours: list[Run], theirs: list[Run] | None) -> str:
    """The peer's CPU over ours, which other programs on the machine disturb less."""
    if theirs is None:
        return "-"
    ratios = [sum(other.cpu_us.values()) / sum(own.cpu_us.values()) for own, other in zip(ours, theirs, strict=True)]
    return f"{median(ratios):.2f}"


def wire() -> None:
    """Compare the bytes of requests to one and to several recipients, with a page of `PAGE_BYTES`."""
    row = "<tr><td>Our summer collection is here.</td></tr>"
    page = f"<html><body><h1>Dear {{{{ first_name }}}}</h1>{row * (PAGE_BYTES // len(row))}{{{{ city }}}}</body></html>"
    content = {"html": page, "text": None, "text_from_html": False}
    with tempfile.TemporaryDirectory() as name, PeerStack.open(Path(name), SINK_LATENCY_MS="0") as stack:
        found = {
            batch: postrider(stack, batch, PAGE_EMAILS, f"page-{batch}", **content) for batch in (1, BATCH, 256, 1000)
        }
    rows = [
        [
            f"{batch}",
            f"{run.bytes_per_email:,.0f}",
            f"**{run.bytes_per_email / found[1].bytes_per_email:.2%}**",
            f"{run.rate:,.0f}",
        ]
        for batch, run in found.items()
    ]
    line(f"\nA page of {len(page):,} bytes to {PAGE_EMAILS:,} recipients; goal: below 2 %")
    table(["most recipients per request", "bytes per recipient, with HTTP heads", "of single", "emails/s"], rows)


def main(names: Iterable[str]) -> None:
    """Measure what is named, or all."""
    for name in names or ("0ms", "100ms", "wire"):
        if name == "wire":
            wire()
        else:
            compare(int(name.removesuffix("ms")))


if __name__ == "__main__":
    main(sys.argv[1:])
