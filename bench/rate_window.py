"""Points 1 and 2: the window is strict, used, and even; a change of the limit is in force at once."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Final

from bench import rate_measures as measures
from bench.rate_bench import Admissions, RateBench
from bench.rate_measures import Change, Finding, Sent

RATES: Final = (60, 600, 6_000, 60_000)
#: Each change of point 2, in their order: down and up, ten times.
CHANGES: Final = (1_200, 300, 2_400, 600, 4_800, 1_200, 9_600, 2_400, 30_000, 6_000)
BEFORE: Final = 600


def window(seconds: int, processes: int = 4) -> Iterator[Finding | Sent]:
    """Point 1: all rates at once, as four campaigns on the same workers.

    The quantum of a minute is one email: a share is missed if more than 1 % and more than one email is missing.
    """
    names = {tpm: f"tpm{tpm}" for tpm in RATES}
    with RateBench.open(processes) as bench:
        for tpm, name in names.items():
            bench.prepare(name, tpm * (seconds + 60) // 60 + 100, tpm)
        for name in names.values():
            bench.stack.start(name)
        with Admissions(bench, list(names.values())) as admissions:
            time.sleep(seconds)
        requeued = {tpm: bench.progress(name, "requeues") for tpm, name in names.items()}
        arrivals = bench.times()
        for tpm, name in names.items():
            yield from _strict(tpm, seconds, admissions.buckets[name], arrivals[name])
            admitted = sum(admissions.buckets[name].values())
            share = requeued[tpm] / admitted
            yield Finding(
                "4 requeues", f"TPM {tpm:,}", f"{requeued[tpm]} of {admitted:,} ({share:.2%})", "< 1 %", share < 0.01
            )


def _strict(tpm: int, seconds: int, buckets: dict[int, int], times: Sequence[float]) -> Iterator[Finding | Sent]:
    start_ms = min(buckets) * measures.BUCKET_MS
    most = measures.most_in_buckets(buckets)
    yield Finding("1 window", f"TPM {tpm:,}: most admitted in any 60 s", f"{most:,}", f"<= {tpm:,}", most <= tpm)
    most = measures.most_within(times)
    yield Finding("1 window", f"TPM {tpm:,}: most at the provider in any 60 s", f"{most:,}", f"<= {tpm:,}", most <= tpm)
    counts = measures.per_second_of(buckets, start_ms, seconds - 1)
    used, allowed = sum(counts[60:]), tpm * len(counts[60:]) / 60
    held = used >= 0.99 * allowed or used >= allowed - 1
    yield Finding("1 window", f"TPM {tpm:,}: used from the second minute on", f"{used / allowed:.2%}", ">= 99 %", held)
    if tpm >= 600:
        most = measures.most_in_a_second(times, times[0], times[0] + seconds)
        wanted = f"<= {tpm / 30:,.0f}"
        yield Finding(
            "1 window", f"TPM {tpm:,}: most at the provider in any 1 s", f"{most:,}", wanted, most <= tpm / 30
        )
    yield Sent(f"TPM {tpm:,}", measures.per_second(times, times[0], times[0] + seconds - 1), [tpm / 60] * (seconds - 1))


def change(seconds: int, processes: int = 4) -> Iterator[Finding | Sent]:
    """Point 2: ten changes, spread over the time, of a campaign that never runs out."""
    step_s = seconds / (len(CHANGES) + 1)
    with RateBench.open(processes) as bench:
        bench.prepare("c1", 20_000, BEFORE)
        asked = _now_ms()
        bench.stack.start("c1")
        changes = [Change(asked, _now_ms(), BEFORE)]
        with Admissions(bench, ["c1"]) as admissions:
            for tpm in CHANGES:
                time.sleep(step_s)
                asked = _now_ms()
                bench.stack.rate("c1", tpm)
                changes.append(Change(asked, _now_ms(), tpm))
            time.sleep(step_s)
        buckets, times = admissions.buckets["c1"], bench.times()["c1"]
    broken = measures.over_limit(buckets, changes)
    yield Finding("2 change", "admissions over the limit in force", str(broken), "0", broken == 0)
    ends = [*(after.asked_ms for after in changes[2:]), _now_ms()]
    pairs = zip(itertools.pairwise(changes), ends, strict=True)
    late = [_late(buckets, before.tpm, after, end_ms) for (before, after), end_ms in pairs]
    down = sum(more for more, _ in late if more >= 0)
    yield Finding("2 change", "admitted after a decrease, before there was room", str(down), "0", down == 0)
    waits = [wait for _, wait in late if wait >= 0]
    slowest = max(waits, default=0)
    what = f"longest until an increase is in force, of {len(waits)}"
    yield Finding("2 change", what, f"{slowest:.0f} ms", "<= 250 ms", slowest <= 250)
    start_ms = changes[0].asked_ms
    length = (changes[-1].answered_ms - start_ms) // 1000 + int(step_s) - 1
    limits = [_limit_at(changes, start_ms + 1000 * second) / 60 for second in range(length)]
    yield Sent(
        "ten changes of the limit", measures.per_second(times, start_ms / 1000, start_ms / 1000 + length), limits
    )


def _late(buckets: dict[int, int], before: int, change: Change, end_ms: int) -> tuple[int, float]:
    """After a decrease, up to the next change: how many rows were admitted while the trailing 60 s were over the new
    limit; -1 if the change was not a decrease.

    After an increase: how long (ms) until it was in force, by what the second after the response held; -1 if that
    cannot tell, as the window had no room for it.
    """
    first, last = change.answered_ms // measures.BUCKET_MS + 1, end_ms // measures.BUCKET_MS
    if change.tpm < before:
        known = [number for number in buckets if first <= number < last]
        return sum(buckets[number] for number in known if measures.in_window(buckets, number) > change.tpm), -1
    pace = change.tpm / 60_000
    room = change.tpm - measures.in_window(buckets, first - 1)
    if room < pace * 1000:
        return -1, -1
    sent = sum(buckets.get(first + part, 0) for part in range(10))
    return -1, max(0.0, 1000 - (sent - 1) / pace)


def _limit_at(changes: Sequence[Change], at_ms: int) -> int:
    return [change.tpm for change in changes if change.asked_ms <= at_ms][-1]


def _now_ms() -> int:
    return int(time.time() * 1000)
