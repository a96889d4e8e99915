"""The settler: every outcome gets its verdict, in groups, whatever Redis does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest
from redis import ConnectionError as RedisConnectionError

from campaigns import settler as module
from campaigns.ledger import Settlement
from campaigns.settler import NotSettled, Settler


class Ledger:
    """Answers `done` to everything, after as many failures as it is told."""

    def __init__(self, failures: int = 0, error: type[Exception] = RedisConnectionError) -> None:
        self.failures = failures
        self.error = error
        self.groups: list[int] = []

    def settle(
        self, _campaign_id: str, _generation: str, _worker_id: str, outcomes: Sequence[Settlement]
    ) -> tuple[list[str], bool]:
        if self.failures:
            self.failures -= 1
            raise self.error
        self.groups.append(len(outcomes))
        return [f"done {outcome.row}" for outcome in outcomes], outcomes[-1].row == 99


def outcome(row: int) -> Settlement:
    return Settlement(row, "accepted", "", None, b"")


def settle(
    ledger: Ledger, rows: int, stopping: threading.Event | None = None, campaigns: int = 1
) -> tuple[list[str], list[str]]:
    """The verdicts of `rows` rows of each campaign, settled at once, and the campaigns that were told as completed."""

    async def run() -> list[str]:
        settler = Settler(ledger, "w1", asyncio.get_running_loop(), stopping or threading.Event(), seen.append)  # type: ignore[arg-type]
        waits = [settler.settle(f"c{number}", "g", outcome(row)) for row in range(rows) for number in range(campaigns)]
        return list(await asyncio.gather(*waits))

    seen: list[str] = []
    return asyncio.run(run()), seen


def test_every_outcome_gets_its_own_verdict_whatever_the_threads_do() -> None:
    """Given outcomes that come while others are being taken, then none is lost."""
    ledger = Ledger()
    assert settle(ledger, 20_000, campaigns=2)[0] == [f"done {row}" for row in range(20_000) for _ in range(2)]
    assert max(ledger.groups) <= module.GROUP
    assert len(ledger.groups) < 20_000


def test_a_completed_campaign_is_told() -> None:
    assert settle(Ledger(), 100)[1] == ["c0"]


@pytest.mark.parametrize("error", [RedisConnectionError, RecursionError])
def test_it_waits_for_a_redis_that_is_away_whatever_goes_wrong(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.001)
    assert settle(Ledger(5, error), 1)[0] == ["done 0"]


def test_a_stopping_worker_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.001)
    monkeypatch.setattr(module, "STOPPING_S", 0.01)
    stopping = threading.Event()
    stopping.set()
    with pytest.raises(NotSettled):
        settle(Ledger(failures=10**9), 1, stopping)
