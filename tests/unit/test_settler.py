"""The settler: every outcome gets its verdict, in groups, whatever Redis does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from redis import ConnectionError as RedisConnectionError, RedisError, ResponseError
from redis._parsers.base import BaseParser

from campaigns import settler as module
from campaigns.ledger import Group, Settlement
from campaigns.settler import BatchProgress, NotSettled, Settler
from tests.support.waiting import until

#: What the settler has logged.
EVENTS: list[dict[str, Any]] = []


class Ledger:
    """Replies `done` to everything, after `failures` failures."""

    def __init__(self, failures: int = 0, error: type[Exception] = RedisConnectionError) -> None:
        self.failures = failures
        self.error = error
        self.groups: list[int] = []
        self.round_trips = 0
        self.refuses: list[str] = []
        #: What Redis replies to this campaign, again and again.
        self.refused_for_good: dict[str, RedisError] = {}
        self.halted: list[tuple[str, str]] = []
        self.given_up: list[tuple[str, list[int]]] = []

    def halt(self, campaign_id: str, _list_version: str, reason: str) -> bool:
        self.halted.append((campaign_id, reason))
        return True

    def give_up(self, _worker_id: str, group: Group, _reason: str) -> tuple[int, int]:
        if self.failures:
            self.failures -= 1
            raise self.error
        self.given_up.append((group.campaign_id, [one.row for one in group.outcomes]))
        return len(group.outcomes), 0

    def settle(self, _worker_id: str, groups: Sequence[Group]) -> list[tuple[list[str], bool] | RedisError]:
        if self.failures:
            self.failures -= 1
            raise self.error
        self.round_trips += 1
        return [self._one(group) for group in groups]

    def _one(self, group: Group) -> tuple[list[str], bool] | RedisError:
        if group.campaign_id in self.refuses:
            self.refuses.remove(group.campaign_id)
            return BaseParser.parse_error("OOM command not allowed")  # type: ignore[no-any-return,no-untyped-call]
        if group.campaign_id in self.refused_for_good:
            return self.refused_for_good[group.campaign_id]
        self.groups.append(len(group.outcomes))
        return [f"done {one.row}" for one in group.outcomes], group.outcomes[-1].row == 99


def outcome(row: int) -> Settlement:
    return Settlement(row, "accepted", "", None, b"")


def settle(
    ledger: Ledger,
    rows: int,
    stopping: threading.Event | None = None,
    campaigns: int = 1,
    log: Callable[[Sequence[dict[str, Any]]], None] | None = None,
    completed: Callable[[str], None] | None = None,
) -> tuple[list[str], list[str]]:
    """The verdicts of `rows` rows of each campaign, settled at once, and the campaigns that were reported as
    completed.
    """

    async def run() -> list[str]:
        loop, stop = asyncio.get_running_loop(), stopping or threading.Event()
        told, logged = completed or seen.append, log or EVENTS.extend
        settler = Settler(ledger, "w1", loop, stop, completed=told, log=logged)  # type: ignore[arg-type]
        batches = [BatchProgress(f"c{number}", "g", rows) for number in range(campaigns)]
        for row in range(rows):
            for progress in batches:
                settler.settle(progress, [outcome(row)], {"event": "email_sent"})
        await asyncio.gather(*(progress.ended for progress in batches))
        return [progress.verdicts[row] for row in range(rows) for progress in batches]

    seen: list[str] = []
    EVENTS.clear()
    return asyncio.run(run()), seen


def test_every_outcome_gets_its_own_verdict_whatever_the_threads_do() -> None:
    """Given outcomes that come while others are being recorded, then none is lost."""
    ledger = Ledger()
    assert settle(ledger, 20_000, campaigns=2)[0] == [f"done {row}" for row in range(20_000) for _ in range(2)]
    assert max(ledger.groups) <= module.GROUP
    assert len(ledger.groups) < 20_000


def test_outcomes_of_several_campaigns_share_a_round_trip() -> None:
    ledger = Ledger()
    settle(ledger, 10, campaigns=20)
    assert ledger.round_trips < len(ledger.groups)


def test_a_refused_group_is_sent_again_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given two campaigns' outcomes in one call, when Redis refuses one of them, then the other is not recorded
    twice.
    """
    monkeypatch.setattr("campaigns.db.retrying.PAUSE_S", 0.001)
    ledger = Ledger()
    ledger.refuses = ["c0", "c0"]
    assert settle(ledger, 1, campaigns=2)[0] == ["done 0", "done 0"]
    assert ledger.groups == [1, 1]
    assert not ledger.refuses


WRONG_TYPE = ResponseError(
    "WRONGTYPE Operation against a key holding the wrong kind of value script: ab12, on @user_script:9."
)


@pytest.mark.parametrize("failures", [0, 2])
def test_a_campaign_that_redis_refuses_is_given_up_and_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    """Given a campaign that Redis always refuses beside a healthy one, with and without an outage of Redis.
    Then the healthy one is settled, the batches of both end, the refused one is paused with the error text of Redis and
    tried a few times, and its rows are given up.
    """
    monkeypatch.setattr("campaigns.db.retrying.PAUSE_S", 0.001)
    monkeypatch.setattr(module, "REFUSED_PAUSE_MAX_S", 0.01)
    monkeypatch.setattr(module, "REFUSED_S", 0.1)
    ledger = Ledger(failures)
    ledger.refused_for_good = {"c0": WRONG_TYPE}
    verdicts, _ = settle(ledger, 2, campaigns=2)
    assert verdicts == [module.WAITS_FOR_REDIS, "done 0", module.WAITS_FOR_REDIS, "done 1"]
    until(lambda: ledger.given_up, "the end")
    assert ledger.halted == [
        ("c0", "Redis refuses this campaign: WRONGTYPE Operation against a key holding the wrong kind of value")
    ]
    assert ledger.given_up == [("c0", [0, 1])]
    assert 3 < ledger.round_trips < 100, "the settler tried again, but not all the time"


def test_outcomes_are_recorded_late_if_the_refusal_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.db.retrying.PAUSE_S", 0.001)
    ledger = Ledger()
    ledger.refused_for_good = {"c0": WRONG_TYPE}
    assert settle(ledger, 2)[0] == [module.WAITS_FOR_REDIS] * 2
    ledger.refused_for_good = {}
    until(lambda: EVENTS, "the events")
    assert [(event["row"], event["verdict"]) for event in EVENTS] == [(0, "done 0"), (1, "done 1")]
    assert ledger.given_up == []


def test_the_settler_waits_without_end_if_redis_refuses_all_campaigns(monkeypatch: pytest.MonkeyPatch) -> None:
    """These outcomes are certain, so they are never given up, and no campaign is paused for it."""
    monkeypatch.setattr("campaigns.db.retrying.PAUSE_S", 0.001)
    monkeypatch.setattr(module, "REFUSED_S", 0.0)
    ledger = Ledger()
    ledger.refuses = ["c0"] * 50
    assert settle(ledger, 1)[0] == ["done 0"]
    assert (ledger.given_up, ledger.halted) == ([], [])


def test_a_completed_campaign_is_reported() -> None:
    told = settle(Ledger(), 100)[1]
    until(lambda: told == ["c0"], "the report, which the settler makes after the verdicts")


@pytest.mark.parametrize("error", [RedisConnectionError, RecursionError])
def test_the_settler_waits_for_a_redis_that_is_away_whatever_the_error(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    monkeypatch.setattr("campaigns.db.retrying.PAUSE_S", 0.001)
    assert settle(Ledger(5, error), 1)[0] == ["done 0"]


def test_a_stopping_worker_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.db.retrying.PAUSE_S", 0.001)
    monkeypatch.setattr(module, "STOPPING_S", 0.01)
    stopping = threading.Event()
    stopping.set()
    with pytest.raises(NotSettled):
        settle(Ledger(failures=10**9), 1, stopping)


def test_recorded_outcomes_are_logged_with_their_verdicts() -> None:
    settle(Ledger(), 3)
    assert [(event["row"], event["verdict"]) for event in EVENTS] == [(row, f"done {row}") for row in range(3)]


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    def fails(_events: object) -> None:
        raise OSError("no space left")

    assert settle(Ledger(), 3, log=fails)[0] == ["done 0", "done 1", "done 2"]


def test_a_broken_stdout_does_not_stop_the_settler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a stdout that has no reader any more, also while Redis is away and when a campaign completes."""

    def fails(*_args: object, **_event: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("campaigns.db.retrying.PAUSE_S", 0.001)
    monkeypatch.setattr(module.log, "error", fails)
    assert len(settle(Ledger(2), 100, completed=fails, log=fails)[0]) == 100


def test_a_batch_without_rows_has_ended() -> None:
    assert settle(Ledger(), 0) == ([], [])


class Mixed(Ledger):
    """The claims of even rows are gone, where it says so."""

    def __init__(self, gone: bool) -> None:
        super().__init__()
        self.gone = gone

    def _one(self, group: Group) -> tuple[list[str], bool] | RedisError:
        self.groups.append(len(group.outcomes))
        return ["gone" if self.gone and one.row % 2 == 0 else "done" for one in group.outcomes], False


def settle_requests(ledger: Ledger, *sizes: int) -> list[dict[int, str]]:
    """The verdicts of one batch per size, each settled as one request."""

    async def run() -> list[dict[int, str]]:
        settler = Settler(
            ledger,  # type: ignore[arg-type]
            "w1",
            asyncio.get_running_loop(),
            threading.Event(),
            completed=lambda _: None,
            log=EVENTS.extend,
        )
        batches = [BatchProgress("c1", "g", size) for size in sizes]
        for progress, size in zip(batches, sizes, strict=True):
            settler.settle(progress, [outcome(row) for row in range(size)], {"event": "email_sent"})
        await asyncio.gather(*(progress.ended for progress in batches))
        return [progress.verdicts for progress in batches]

    EVENTS.clear()
    return asyncio.run(run())


def test_the_rows_of_a_request_are_settled_and_logged_together() -> None:
    verdicts = settle_requests(Mixed(gone=False), 3)
    assert verdicts == [{0: "done", 1: "done", 2: "done"}]
    assert EVENTS == [{"event": "email_sent", "rows": [0, 1, 2], "verdict": "done"}]


def test_rows_of_a_request_with_different_verdicts_are_logged_separately() -> None:
    verdicts = settle_requests(Mixed(gone=True), 3)
    assert verdicts == [{0: "gone", 1: "done", 2: "gone"}]
    assert [(event["row"], event["verdict"]) for event in EVENTS] == [(0, "gone"), (1, "done"), (2, "gone")]


def test_a_group_holds_whole_requests() -> None:
    ledger = Mixed(gone=False)
    sizes = (200, 100, 1000, 1, 255, 10)
    assert [len(verdicts) for verdicts in settle_requests(ledger, *sizes)] == list(sizes)
    assert sum(ledger.groups) == sum(sizes)
    assert all(size <= module.GROUP or size == 1000 for size in ledger.groups)
