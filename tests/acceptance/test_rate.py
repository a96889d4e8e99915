"""The rate, the pause and fairness with real processes, by counts, not timings. At length: `make bench-rate`."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from bench import rate_measures as measures
from bench.rate_bench import Admissions, RateBench
from bench.rate_measures import Change

#: The number of real worker processes; each asks for admission separately.
WORKERS = 3


@pytest.fixture(scope="module")
def bench() -> Iterator[RateBench]:
    with RateBench.open(WORKERS, threads=4, latency_ms=50) as bench:
        yield bench


def test_changes_of_the_rate_keep_the_window(bench: RateBench) -> None:
    """Given a running campaign, when its rate goes up and down, then nothing is ever admitted that the limit in force
    does not allow, and nothing at all after a decrease below what the last minute held.
    """
    bench.prepare("change", 5_000, 600)
    bench.stack.start("change")
    changes = [_set(bench, "change", 600)]
    with Admissions(bench, ["change"]) as admissions:
        for done, tpm in ((20, 3_000), (120, 60), (0, 6_000), (300, 120)):
            bench.stack.until("change", lambda report, done=done: report["done"] >= done, f"{done} done")  # type: ignore[misc]
            changes.append(_set(bench, "change", tpm))
        time.sleep(2)
    assert measures.over_limit(admissions.buckets["change"], changes) == 0
    after = changes[-1].answered_ms // measures.BUCKET_MS + 1
    assert not [bucket for bucket in admissions.buckets["change"] if bucket >= after]
    in_force = bench.stack.status("change")
    assert (in_force["rate_limit"], in_force["limit_now"]) == (120, 120)
    bench.stack.call("POST", "/campaigns/change/cancel")


@pytest.mark.parametrize("stop", ["pause", "cancel"])
def test_after_pause_or_cancel_no_more_is_sent_than_it_counted_as_in_flight(bench: RateBench, stop: str) -> None:
    """Given a campaign without a limit on all workers, when it is paused or cancelled, then no more emails reach the
    provider after the response than it counted as in flight, and every admitted row is accounted for.
    """
    name = f"to-{stop}"
    bench.launch(name, 20_000)
    for _ in range(3 if stop == "pause" else 1):
        before = bench.stack.status(name)["done"]
        bench.stack.until(name, lambda found, before=before: found["done"] > before, "full speed")  # type: ignore[misc]
        in_flight = bench.stack.call("POST", f"/campaigns/{name}/{stop}")["in_flight"]
        answered = time.time()
        report = bench.stack.status(name)
        bench.stack.until(name, lambda found: found["in_flight"] == 0, "rest")
        arrivals = bench.times()[name]
        assert sum(at > answered for at in arrivals) <= in_flight
        assert len(arrivals) == report["done"] + report["in_flight"] == bench.stack.status(name)["done"]
        if stop == "pause":
            bench.stack.resume(name)
    bench.stack.ask("POST", f"/campaigns/{name}/cancel")


def test_a_small_campaign_passes_a_large_one(bench: RateBench) -> None:
    """Given a campaign of 90,000 at full speed, when one of 200 is started, then the small one completes while the
    large one sends a few thousand more, since they take turns.
    """
    bench.prepare("small", 200)
    bench.launch("large", 90_000)
    bench.until_in_flight("large")
    before = bench.stack.status("large")["done"]
    bench.stack.start("small")
    bench.stack.until_status("small", "completed")
    report = bench.stack.status("large")
    assert report["status"] == "running"
    assert report["done"] - before < 20_000
    bench.stack.call("POST", "/campaigns/large/cancel")


def _set(bench: RateBench, campaign_id: str, tpm: int) -> Change:
    asked = int(time.time() * 1000)
    bench.stack.rate(campaign_id, tpm)
    return Change(asked, int(time.time() * 1000), tpm)
