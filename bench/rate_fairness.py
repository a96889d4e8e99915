"""Points 5 to 7: fairness, shares, other campaigns' trouble, the account's and the domains' limits, warm-up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from bench import rate_measures as measures
from bench.rate_bench import Admissions, RateBench
from bench.rate_measures import Finding

MANY: Final = 100
MANY_TPM: Final = 120


def late(processes: int = 4) -> Iterator[Finding]:
    """Point 5: small campaigns that start while a campaign of a million runs at full speed; shares by weight."""
    with RateBench.open(processes) as bench:
        bench.launch("big", 1_000_000)
        for number in range(5):
            bench.prepare(f"small{number}", 200)
        bench.until_in_flight("big")
        time.sleep(3)
        waits = []
        for number in range(5):
            started = time.time()
            bench.stack.start(f"small{number}")
            bench.stack.until_status(f"small{number}", "completed")
            waits.append(time.time() - started)
        seen = len(bench.times()["big"])
        yield Finding(
            "5 fairness", "200 rows beside a million: slowest of 5", f"{max(waits):.2f} s", "<= 3 s", max(waits) <= 3
        )
        bench.stack.pause("big")
        yield Finding("5 fairness", "of the million, sent meanwhile", f"{seen:,}", "> 0", seen > 0)
        yield from _weights(bench)


def _weights(bench: RateBench) -> Iterator[Finding]:
    bench.prepare("light", 200_000, weight=1)
    bench.prepare("heavy", 200_000, weight=3)
    bench.stack.start("light")
    bench.stack.start("heavy")
    time.sleep(3)
    start = time.time()
    time.sleep(10)
    end = time.time()
    times = bench.times()
    light, heavy = (measures.within(sorted(times[name]), start, end) for name in ("light", "heavy"))
    share = heavy / max(1, light)
    yield Finding(
        "5 fairness", "weight 3 : 1", f"{heavy:,} : {light:,} = {share:.2f}", "3 +- 10 %", 2.7 <= share <= 3.3
    )


def many(minutes: int, processes: int = 4) -> Iterator[Finding]:
    """Point 5: a hundred campaigns at once, each with a separate limit."""
    names = [f"c{number}" for number in range(MANY)]
    with RateBench.open(processes) as bench:
        for name in names:
            bench.prepare(name, MANY_TPM * (minutes + 2), MANY_TPM)
        for name in names:
            bench.stack.start(name)
        start_ms = int(time.time() * 1000) + 10_000
        with Admissions(bench, names) as admissions:
            time.sleep(10 + 60 * minutes + 1)
    used = [sum(measures.per_second_of(admissions.buckets[name], start_ms, 60 * minutes)) for name in names]
    least, allowed = min(used), MANY_TPM * minutes
    what = f"{MANY} campaigns at TPM {MANY_TPM}: least used by any"
    yield Finding(
        "5 fairness", what, f"{least} of {allowed} ({least / allowed:.2%})", ">= 99 %", least >= 0.99 * allowed
    )
    most = max(measures.most_in_buckets(buckets) for buckets in admissions.buckets.values())
    yield Finding(
        "5 fairness", "most admitted in any 60 s by any of them", str(most), f"<= {MANY_TPM}", most <= MANY_TPM
    )


def trouble(seconds: int, bad_rows: int = 15, processes: int = 4) -> Iterator[Finding]:
    """Point 5: what a campaign with failing recipients costs another campaign at the same rate."""
    for rows, tpm in ((bad_rows, 600), (2_000, 60), (2_000, 1_200)):
        with RateBench.open(processes) as bench:
            bench.stack.double.behave(rules=[{"to": "*@broken.test", "answers": ["500"]}])
            bench.prepare("bad", rows, tpm, domain="broken.test")
            bench.launch("good", 10_000, 1_200)
            time.sleep(5)
            alone = time.time()
            time.sleep(seconds)
            beside = time.time()
            bench.stack.start("bad")
            time.sleep(seconds)
            times = bench.times()["good"]
        counts = [measures.within(times, start, start + seconds) for start in (alone, beside)]
        what = f"beside {rows:,} failing ones at TPM {tpm:,}: sent in {seconds} s"
        yield Finding("5 trouble", what, f"{counts[1]}, alone {counts[0]}", ">= 98 %", counts[1] >= 0.98 * counts[0])


def limits(seconds: int, processes: int = 4) -> Iterator[Finding]:
    """Point 6: the account's limit over two campaigns, and a domain's limit that lets other domains pass."""
    with RateBench.open(processes, PROVIDER_TPM="1200") as bench:
        bench.prepare("a", 5_000)
        bench.prepare("b", 5_000)
        bench.stack.start("a")
        bench.stack.start("b")
        time.sleep(seconds)
        times = bench.times()
        both = sorted(times["a"] + times["b"])
    yield from _kept("6 PROVIDER_TPM", "two campaigns together", both, 1_200, seconds)
    a, b = len(times["a"]), len(times["b"])
    yield Finding("6 PROVIDER_TPM", "their shares", f"{a} : {b}", "1 +- 5 %", 0.95 <= a / b <= 1.05)
    with RateBench.open(processes, DOMAIN_TPM="slow.test=120") as bench:
        bench.prepare("slow", 1_000, domain="slow.test")
        bench.prepare("mixed", 1_000)
        bench.stack.start("slow")
        bench.stack.start("mixed")
        started = time.time()
        bench.stack.until_status("mixed", "completed")
        took = time.time() - started
        time.sleep(max(0, seconds - took))
        slow = bench.times()["slow"]
    yield Finding("6 DOMAIN_TPM", "1,000 to other domains meanwhile", f"{took:.1f} s", "<= 5 s", took <= 5)
    yield from _kept("6 DOMAIN_TPM", "slow.test", slow, 120, seconds)


def _kept(point: str, what: str, times: list[float], tpm: int, seconds: int) -> Iterator[Finding]:
    most = measures.most_within(times)
    yield Finding(point, f"{what}: most at the provider in any 60 s", str(most), f"<= {tpm}", most <= tpm)
    start, span = times[0] + 5, seconds - 10
    used, allowed = measures.within(times, start, start + span), tpm * span / 60
    held = used >= min(0.99 * allowed, allowed - 1)
    yield Finding(point, f"{what}: used", f"{used / allowed:.2%}", ">= 99 %", held)


def ramp(seconds: int, processes: int = 2) -> Iterator[Finding]:
    """Point 7: the first minute of a warm-up from 60 to 6,000 emails per minute in six minutes."""
    hours, first, last = 0.1, 60, 6_000
    with RateBench.open(processes) as bench:
        bench.prepare("c1", 5_000, ramp={"from": first, "to": last, "over_hours": hours})
        bench.stack.start("c1")
        wrong, seen = 0, 0
        started = time.time()
        while time.time() < started + seconds:
            report = bench.stack.status("c1")
            due = first + (last - first) * (time.time() - started) / (hours * 3600)
            wrong += abs(report["limit_now"] - due) > 0.02 * last
            wrong += report["sent_last_minute"] > report["limit_now"]
            seen = report["limit_now"]
            time.sleep(0.5)
    yield Finding(
        "7 ramp", f"limit_now after {seconds} s of six minutes", f"{seen:,}; {wrong} wrong", "0 wrong", wrong == 0
    )
