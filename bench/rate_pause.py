"""Point 3: a pause is a barrier, at full speed; so is a cancel; and it outlives everything that can be killed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from bench import rate_measures as measures
from bench.rate_measures import Finding
from bench.rate_stage import Stage

#: Enough to last for all of it at full speed.
ROWS: Final = 3_000_000
#: How long the campaign runs between a resume and the next pause, in s.
FULL_SPEED_S: Final = 0.25
#: The provider's latency that is asked for.
LATENCY_MS: Final = 50


class Barrier(NamedTuple):
    """One pause or cancel, and what was seen after it, once all had come to rest."""

    told: int  #: in flight, as the answer said
    after: int  #: arrivals at the door after the answer
    settled: int  #: recorded as done right after the answer, of the rows that had been admitted by then
    admitted: int  #: rows that reached the door, from the start of the campaign on


def pause(times: int, processes: int = 8) -> Iterator[Finding]:
    """So many pauses of a campaign without a limit, then as many cancels of others beside it, then kill -9 of all."""
    with Stage.open(processes, latency_ms=LATENCY_MS) as stage:
        stage.prepare("big", ROWS)
        stage.house.start("big")
        stage.until_in_flight("big")
        empty: list[float] = []
        pauses: list[float] = []
        seen = [_paused(stage, pauses, empty) for _ in range(times // 4)]
        for _ in range(times - len(seen)):
            pauses.append(_timed(lambda: stage.house.pause("big")))
            stage.house.resume("big")
            time.sleep(FULL_SPEED_S / 2)
            empty.append(_timed(lambda: stage.house.ask("GET", "/healthz")))
        yield from _barriers("pause", seen)
        yield _latency("pause", pauses, empty)
        yield from _cancel(stage, times)
        stage.house.ask("POST", "/campaigns/big/cancel")
        yield from _killed(stage)


def _timed(call: Callable[[], object]) -> float:
    """How long a call took, in ms."""
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def _paused(stage: Stage, took: list[float], empty: list[float]) -> Barrier:
    """One pause at full speed, watched until nothing is in flight; running again when this returns."""
    house = stage.house
    time.sleep(FULL_SPEED_S)
    empty.append(_timed(lambda: house.ask("GET", "/healthz")))
    started = time.perf_counter()
    told = house.pause("big")
    took.append((time.perf_counter() - started) * 1000)
    found = _at_rest(stage, "big", told)
    house.resume("big")
    return found


def _at_rest(stage: Stage, campaign_id: str, told: int) -> Barrier:
    answered = time.time()
    report = stage.house.status(campaign_id)
    settled = report["done"] + report["in_flight"]
    stage.house.until(campaign_id, lambda found: found["in_flight"] == 0, "rest")
    time.sleep(2 * LATENCY_MS / 1000)
    arrivals = stage.times()[campaign_id]
    return Barrier(told, sum(at > answered for at in arrivals), settled, len(arrivals))


def _barriers(name: str, seen: list[Barrier]) -> Iterator[Finding]:
    point = f"3 {name}"
    more = sum(max(0, one.after - one.told) for one in seen)
    most = max(one.told for one in seen)
    yield Finding(
        point,
        f"sent after the answer beyond its in_flight (of {len(seen)} times)",
        f"{more} (in_flight up to {most})",
        "0",
        more == 0,
    )
    wrong = sum(one.settled != one.admitted for one in seen)
    yield Finding(
        point, "done + in_flight after the answer, against the door", f"{wrong} of {len(seen)} differ", "0", wrong == 0
    )


def _latency(name: str, took: list[float], empty: list[float]) -> Finding:
    slow, base = measures.percentile(took, 0.99), measures.percentile(empty, 0.99)
    what = f"p99 of {len(took)} answers, beside an empty route's"
    return Finding(f"3 {name}", what, f"{slow:.1f} ms, {base:.1f} ms", "<= 10 times", slow <= 10 * base)


def _cancel(stage: Stage, times: int) -> Iterator[Finding]:
    """Each cancels a campaign that runs beside the big one."""
    seen, took, empty = [], [], []
    for number in range(times // 4):
        name = f"small{number}"
        stage.prepare(name, 3_000)
        stage.house.start(name)
        stage.until_in_flight(name)
        empty.append(_timed(lambda: stage.house.ask("GET", "/healthz")))
        started = time.perf_counter()
        told = stage.house.call("POST", f"/campaigns/{name}/cancel")["in_flight"]
        took.append((time.perf_counter() - started) * 1000)
        seen.append(_at_rest(stage, name, told))
    yield from _barriers("cancel", seen)
    yield _latency("cancel", took, empty)


def _killed(stage: Stage) -> Iterator[Finding]:
    """A pause, kill -9 of workers, web and Redis, and all of them again: nothing is sent until it is resumed."""
    house = stage.house
    stage.launch("last", 100_000)
    stage.until_in_flight("last")
    told = house.pause("last")
    for part in (*house.workers, house.web, house.redis):
        part.kill()
    before = len(stage.times()["last"])
    house.redis.start()
    for worker in house.workers:
        worker.start(wait=False)
    house.web.start()
    house.until("last", lambda report: report["status"] == "paused", "the status")
    stage.until_workers(len(house.workers))
    time.sleep(3)
    more, status = len(stage.times()["last"]) - before, house.status("last")["status"]
    what = f"status and mails sent after kill -9 of all ({told} were in flight)"
    yield Finding("3 pause", what, f"{status}, {more}", "paused, 0", status == "paused" and more == 0)
    house.resume("last")
    done = house.status("last")["done"]
    house.until("last", lambda report: report["done"] > done, "more mails")
