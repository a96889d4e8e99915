"""Point 3: at full speed, a pause or cancel stops every later send, and it survives the kill of any process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from bench import rate_measures as measures
from bench.rate_bench import RateBench
from bench.rate_measures import Finding

#: Enough rows for the whole measurement at full speed.
ROWS: Final = 3_000_000
#: How long the campaign runs between a resume and the next pause, in seconds.
FULL_SPEED_S: Final = 0.25
#: The latency that the provider has to have.
LATENCY_MS: Final = 50


class Barrier(NamedTuple):
    """One pause or cancel, and the figures after it, once they no longer change."""

    in_flight: int  #: in flight, according to the response
    after: int  #: arrivals at the provider after the response
    settled: int  #: recorded as done right after the response, of the rows that had been admitted by then
    admitted: int  #: rows that reached the provider, from the start of the campaign on


def pause(times: int, processes: int = 8) -> Iterator[Finding]:
    """Pause a campaign without a limit this many times, cancel as many others beside it, then kill -9 everything."""
    with RateBench.open(processes, latency_ms=LATENCY_MS) as bench:
        bench.prepare("big", ROWS)
        bench.stack.start("big")
        bench.until_in_flight("big")
        empty: list[float] = []
        pauses: list[float] = []
        seen = [_paused(bench, pauses, empty) for _ in range(times // 4)]
        for _ in range(times - len(seen)):
            pauses.append(_timed(lambda: bench.stack.pause("big")))
            bench.stack.resume("big")
            time.sleep(FULL_SPEED_S / 2)
            empty.append(_timed(lambda: bench.stack.ask("GET", "/healthz")))
        yield from _barriers("pause", seen)
        yield _latency("pause", pauses, empty)
        yield from _cancel(bench, times)
        bench.stack.ask("POST", "/campaigns/big/cancel")
        yield from _killed(bench)


def _timed(call: Callable[[], object]) -> float:
    """The duration of a call, in ms."""
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def _paused(bench: RateBench, took: list[float], empty: list[float]) -> Barrier:
    """Pause once at full speed, and watch until nothing is in flight; the campaign runs again on return."""
    stack = bench.stack
    time.sleep(FULL_SPEED_S)
    empty.append(_timed(lambda: stack.ask("GET", "/healthz")))
    started = time.perf_counter()
    in_flight = stack.pause("big")
    took.append((time.perf_counter() - started) * 1000)
    found = _at_rest(bench, "big", in_flight)
    stack.resume("big")
    return found


def _at_rest(bench: RateBench, campaign_id: str, in_flight: int) -> Barrier:
    answered = time.time()
    report = bench.stack.status(campaign_id)
    settled = report["done"] + report["in_flight"]
    bench.stack.until(campaign_id, lambda found: found["in_flight"] == 0, "rest")
    time.sleep(2 * LATENCY_MS / 1000)
    arrivals = bench.times()[campaign_id]
    return Barrier(in_flight, sum(at > answered for at in arrivals), settled, len(arrivals))


def _barriers(name: str, seen: list[Barrier]) -> Iterator[Finding]:
    point = f"3 {name}"
    more = sum(max(0, one.after - one.in_flight) for one in seen)
    most = max(one.in_flight for one in seen)
    yield Finding(
        point,
        f"sent after the response beyond its in_flight (of {len(seen)} times)",
        f"{more} (in_flight up to {most})",
        "0",
        more == 0,
    )
    wrong = sum(one.settled != one.admitted for one in seen)
    yield Finding(
        point,
        "done + in_flight after the response, against the provider",
        f"{wrong} of {len(seen)} differ",
        "0",
        wrong == 0,
    )


def _latency(name: str, took: list[float], empty: list[float]) -> Finding:
    slow, base = measures.percentile(took, 0.99), measures.percentile(empty, 0.99)
    what = f"p99 of {len(took)} responses, beside an empty route's"
    return Finding(f"3 {name}", what, f"{slow:.1f} ms, {base:.1f} ms", "<= 10 times", slow <= 10 * base)


def _cancel(bench: RateBench, times: int) -> Iterator[Finding]:
    """Each cancels a campaign that runs beside the big one."""
    seen, took, empty = [], [], []
    for number in range(times // 4):
        name = f"small{number}"
        bench.prepare(name, 3_000)
        bench.stack.start(name)
        bench.until_in_flight(name)
        empty.append(_timed(lambda: bench.stack.ask("GET", "/healthz")))
        started = time.perf_counter()
        in_flight = bench.stack.call("POST", f"/campaigns/{name}/cancel")["in_flight"]
        took.append((time.perf_counter() - started) * 1000)
        seen.append(_at_rest(bench, name, in_flight))
    yield from _barriers("cancel", seen)
    yield _latency("cancel", took, empty)


def _killed(bench: RateBench) -> Iterator[Finding]:
    """Pause, kill -9 of workers, web and Redis, and start them all again: nothing is sent until the campaign is
    resumed.
    """
    stack = bench.stack
    bench.launch("last", 100_000)
    bench.until_in_flight("last")
    in_flight = stack.pause("last")
    for part in (*stack.workers, stack.web, stack.redis):
        part.kill()
    before = len(bench.times()["last"])
    stack.redis.start()
    for worker in stack.workers:
        worker.start(wait=False)
    stack.web.start()
    stack.until("last", lambda report: report["status"] == "paused", "the status")
    bench.until_workers(len(stack.workers))
    time.sleep(3)
    more, status = len(bench.times()["last"]) - before, stack.status("last")["status"]
    what = f"status and emails sent after kill -9 of all ({in_flight} were in flight)"
    yield Finding("3 pause", what, f"{status}, {more}", "paused, 0", status == "paused" and more == 0)
    stack.resume("last")
    done = stack.status("last")["done"]
    stack.until("last", lambda report: report["done"] > done, "more emails")
