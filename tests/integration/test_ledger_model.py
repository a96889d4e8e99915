"""The ledger and Reconcile against a plain model, on a real server; what must hold stands in `tests.ledger_machine`."""

from __future__ import annotations

import pytest
import redis

from tests.ledger_machine import LedgerMachine
from tests.ledger_walk import Walk
from tests.world import Clock, ServerClock


@pytest.mark.parametrize("seed", range(1000, 1005))
def test_long_walks_on_a_real_server(seed: int, redis_client: redis.Redis) -> None:
    """Given the very scripts, told the time by the test, then long random walks hold on the server that users have."""

    class OnServer(LedgerMachine):
        @staticmethod
        def parts() -> tuple[redis.Redis, Clock]:
            return redis_client, ServerClock(redis_client)

    Walk(OnServer, seed).run(steps=250)
