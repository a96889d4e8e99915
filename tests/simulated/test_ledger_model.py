"""The ledger and Reconcile beside a plain model; `tests.support.ledger_model.machine` states what must hold."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from redis import Redis

from tests.support.ledger_harness import Clock, ServerClock
from tests.support.ledger_model.machine import LedgerMachine
from tests.support.ledger_model.walk import Walk

#: How many examples and walks a run takes; more of them find more.
EXAMPLES = int(os.environ.get("LEDGER_EXAMPLES", "10"))
WALKS = int(os.environ.get("LEDGER_WALKS", "6"))


@pytest.fixture
def machine(server: Redis) -> type[LedgerMachine]:
    """The model beside the real scripts, each time on an empty server."""

    class OnServer(LedgerMachine):
        @staticmethod
        def components() -> tuple[Redis, Clock]:
            server.flushall()
            return server, ServerClock(server)

    return OnServer


def test_any_steps(machine: type[LedgerMachine]) -> None:
    profile = settings(
        max_examples=EXAMPLES, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(machine, settings=profile)


@pytest.mark.parametrize("seed", range(WALKS))
def test_long_walks(machine: type[LedgerMachine], seed: int) -> None:
    Walk(machine, seed).run(steps=250)
