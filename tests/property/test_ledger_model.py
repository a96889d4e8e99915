"""The ledger and Reconcile against a plain model, on fakeredis; what must hold stands in `tests.ledger_machine`."""

from __future__ import annotations

import os

import fakeredis
import pytest
from hypothesis import HealthCheck, settings

from tests.ledger_machine import LedgerMachine
from tests.ledger_walk import Walk
from tests.world import Clock


class OnFakeRedis(LedgerMachine):
    """The model on a Redis inside this process."""

    @staticmethod
    def parts() -> tuple[fakeredis.FakeRedis, Clock]:
        return fakeredis.FakeRedis(server=fakeredis.FakeServer()), Clock()


OnFakeRedis.TestCase.settings = settings(
    max_examples=int(os.environ.get("LEDGER_EXAMPLES", "20")),
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestLedger = OnFakeRedis.TestCase


@pytest.mark.parametrize("seed", range(int(os.environ.get("LEDGER_WALKS", "10"))))
def test_long_walks(seed: int) -> None:
    Walk(OnFakeRedis, seed).run(steps=250)
