"""Emails per second end to end: Postrider beside plain Dramatiq with SendGrid's SDK, in turns, with the same double.

    python -m bench.sending [SETTING...]        settings: http, tls, latency

Postrider is timed from `start` to `completed`, which includes reading the list and putting it on the queue. The
yardstick is timed twice: from its first `send()` to its last email, and, with all messages already on the queue, from
its first email to its last. The results are the ratios to both.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import redis

from bench import plain
from bench.lists import small_list
from bench.report import line, table
from bench.stack import PROCESSES, BenchStack, TlsBenchStack, median, until_quiet, wait_until

#: How many times each setting is measured, in turns.
ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "5"))
PLAIN_THREADS: Final = 8
THREADS: Final = int(os.environ.get("BENCH_THREADS", "10"))
#: Emails that the yardstick's threads send before the clock starts.
WARM_UP: Final = 200
#: The longest that one run may take, in seconds.
PATIENCE_S: Final = 120.0


@dataclass(frozen=True)
class Setting:
    """A provider, and the number of emails that each side sends to it in one run. `goal`: the ratio to reach."""

    title: str
    stack: type[BenchStack]
    latency_ms: float
    emails: int
    plain_emails: int
    goal: float


SETTINGS: Final = {
    "http": Setting("0 ms, HTTP", BenchStack, 0, 60_000, 5_000, 9.5),
    "tls": Setting("0 ms, TLS", TlsBenchStack, 0, 60_000, 300, 100),
    "latency": Setting("100 ms, HTTP", BenchStack, 100, 60_000, 600, 47),
}


@dataclass(frozen=True)
class Sample:
    """One round: emails per second, the time until the first one left (s), and CPU per email and component (us)."""

    rate: float
    first_s: float
    cpu_us: dict[str, float]


def postrider(stack: BenchStack, emails: int, number: int) -> Sample:
    """Send one campaign with Postrider; its workers start before it and end after it."""
    campaign_id = f"run-{number}"
    worker = stack.add_worker(PROCESSES, THREADS)
    stack.prepare(campaign_id, small_list(emails))
    stack.double.reset()
    before, started = stack.cpu_s(), time.time()
    stack.start(campaign_id)
    stop = wait_until(lambda: stack.status(campaign_id)["status"] == "completed", PATIENCE_S, every_s=0.05)
    used = stack.cpu_s()
    worker.stop()
    status, stats, first = stack.status(campaign_id), stack.double.stats(), stack.first_arrival_s()
    if status["done"] != emails or stats["accepted"] != emails or stats["duplicates"]:
        raise AssertionError(f"not every recipient was sent exactly one email: {status} {stats}")
    cpu = {part: (used[part] - before[part]) / emails * 1e6 for part in used}
    return Sample(emails / (stop - started), first - started, cpu)


def plainly(stack: BenchStack, emails: int, number: int, *, enqueued: bool) -> Sample:
    """The same without Postrider. `enqueued`: its messages are on the queue before it starts."""
    url = stack.redis_url.removesuffix("/0") + "/1"
    client = redis.Redis.from_url(url)
    started = 0.0
    if enqueued:
        plain.enqueue(client, f"plain-{number}", emails)
    stack.double.reset()
    before = stack.cpu_s()
    worker = stack.add_worker(PROCESSES, PLAIN_THREADS, module="bench.plain", wait=False, **{plain.REDIS_URL: url})
    if not enqueued:
        plain.enqueue(client, "warm-up", WARM_UP)
        _until_accepted(stack, WARM_UP)
        stack.double.reset()
        before = stack.cpu_s()
        started = plain.send_all(url, f"live-{number}", emails)
    _until_accepted(stack, emails)
    used = stack.cpu_s()
    worker.stop()
    times = [arrival.time_s for arrival in stack.double.arrivals()]
    started = min(times) if enqueued else started
    cpu = {part: (used[part] - before[part]) / emails * 1e6 for part in used}
    return Sample(emails / (max(times) - started), 0.0, cpu)


def _until_accepted(stack: BenchStack, emails: int) -> None:
    wait_until(lambda: stack.double.stats()["accepted"] >= emails, PATIENCE_S, every_s=0.05)


def measure(setting: Setting) -> tuple[list[Sample], list[Sample], list[Sample]]:
    """Postrider, the yardstick end to end, and the yardstick with its messages enqueued, in turns, `ROUNDS` times."""
    ours: list[Sample] = []
    theirs: list[Sample] = []
    enqueued: list[Sample] = []
    with tempfile.TemporaryDirectory() as directory, setting.stack.open(Path(directory)) as stack:
        stack.double.behave(latency_ms=setting.latency_ms)
        for number in range(ROUNDS):
            busy = until_quiet()
            theirs.append(plainly(stack, setting.plain_emails, number, enqueued=False))
            busy = max(busy, until_quiet())
            enqueued.append(plainly(stack, setting.plain_emails, number, enqueued=True))
            busy = max(busy, until_quiet())
            ours.append(postrider(stack, setting.emails, number))
            rates = ", ".join(f"{found[-1].rate:,.0f}/s" for found in (theirs, enqueued, ours))
            line(f"  {setting.title}: {rates}; others used {busy:.0%} of the machine before")
    return ours, theirs, enqueued


def _ratio(ours: list[Sample], theirs: list[Sample]) -> str:
    return f"{median(one.rate / other.rate for one, other in zip(ours, theirs, strict=True)):.1f}"


def report(names: list[str]) -> None:
    """Measure these settings and print the table."""
    rows = []
    for setting in (SETTINGS[name] for name in names):
        ours, theirs, enqueued = measure(setting)
        cpu = {part: median(item.cpu_us[part] for item in ours) for part in ours[0].cpu_us}
        rows.append([
            setting.title,
            *(f"{median(item.rate for item in found):,.0f}" for found in (theirs, enqueued, ours)),
            f"**{_ratio(ours, theirs)}** / {_ratio(ours, enqueued)}", f"{setting.goal:g}",
            f"{median(item.first_s for item in ours) * 1000:.0f}",
            f"{cpu['worker']:.0f} / {cpu['redis']:.0f} / {cpu['web']:.0f}",
            f"{median(item.cpu_us['worker'] for item in enqueued):,.0f}",
        ])  # fmt: skip
    head = "provider|plain, end to end|plain, enqueued before|Postrider, end to end|ratio to the one / the other|goal|"
    head += "first email, ms|CPU us per email: worker / Redis / web|plain: worker"
    table(head.split("|"), rows)


def main() -> None:
    """Measure the settings named, or all."""
    with contextlib.suppress(KeyboardInterrupt):
        report(sys.argv[1:] or list(SETTINGS))


if __name__ == "__main__":
    main()
