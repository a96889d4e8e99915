"""The rate, the pause and the turns with real processes, by counts, not timings. At length: `make bench-rate`."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from bench import rate_measures as measures
from bench.rate_measures import Change
from bench.rate_stage import Admissions, Stage

#: Real processes: three, of which each asks for itself.
WORKERS = 3


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage.open(WORKERS, threads=4, latency_ms=50) as stage:
        yield stage


def test_changes_of_the_rate_keep_the_window(stage: Stage) -> None:
    """Given a campaign that runs, when its rate goes up and down, then nothing is ever admitted that the limit in force
    does not allow, and after a decrease below what the last minute held nothing at all.
    """
    stage.prepare("change", 5_000, 600)
    stage.house.start("change")
    changes = [_set(stage, "change", 600)]
    with Admissions(stage, ["change"]) as admissions:
        for done, tpm in ((20, 3_000), (120, 60), (0, 6_000), (300, 120)):
            stage.house.until("change", lambda report, done=done: report["done"] >= done, f"{done} done")  # type: ignore[misc]
            changes.append(_set(stage, "change", tpm))
        time.sleep(2)
    assert measures.over_limit(admissions.buckets["change"], changes) == 0
    after = changes[-1].answered_ms // measures.BUCKET_MS + 1
    assert not [bucket for bucket in admissions.buckets["change"] if bucket >= after]
    in_force = stage.house.status("change")
    assert (in_force["rate_limit"], in_force["limit_now"]) == (120, 120)
    stage.house.call("POST", "/campaigns/change/cancel")


@pytest.mark.parametrize("stop", ["pause", "cancel"])
def test_nothing_is_sent_after_the_answer_but_what_it_said(stage: Stage, stop: str) -> None:
    """Given a campaign without a limit on all workers, when it is paused or cancelled, then no more reach the door
    after the answer than it said were in flight, and all that had been admitted are accounted for.
    """
    name = f"to-{stop}"
    stage.launch(name, 20_000)
    for _ in range(3 if stop == "pause" else 1):
        before = stage.house.status(name)["done"]
        stage.house.until(name, lambda found, before=before: found["done"] > before, "full speed")  # type: ignore[misc]
        told = stage.house.call("POST", f"/campaigns/{name}/{stop}")["in_flight"]
        answered = time.time()
        report = stage.house.status(name)
        stage.house.until(name, lambda found: found["in_flight"] == 0, "rest")
        arrivals = stage.times()[name]
        assert sum(at > answered for at in arrivals) <= told
        assert len(arrivals) == report["done"] + report["in_flight"] == stage.house.status(name)["done"]
        if stop == "pause":
            stage.house.resume(name)
    stage.house.ask("POST", f"/campaigns/{name}/cancel")


def test_a_small_campaign_passes_a_large_one(stage: Stage) -> None:
    """Given a campaign of 100,000 that runs flat out, when one of 200 is started, then it is over while the large one
    has sent a few thousand more: they take turns.
    """
    stage.prepare("small", 200)
    stage.launch("large", 90_000)
    stage.until_in_flight("large")
    before = stage.house.status("large")["done"]
    stage.house.start("small")
    stage.house.until_status("small", "completed")
    report = stage.house.status("large")
    assert report["status"] == "running"
    assert report["done"] - before < 20_000
    stage.house.call("POST", "/campaigns/large/cancel")


def _set(stage: Stage, campaign_id: str, tpm: int) -> Change:
    asked = int(time.time() * 1000)
    stage.house.rate(campaign_id, tpm)
    return Change(asked, int(time.time() * 1000), tpm)
