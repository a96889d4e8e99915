"""kill -9 of a worker with rows in flight, and what an operator does right after: every row gets its end
without help.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from campaigns import keys
from tests.support.chaos import audit
from tests.support.stack import Stack
from tests.support.waiting import until

#: The promise, in s, and how many times longer it may take on a machine that has other things to do.
SETTLED_S = 60
SLACK_S = 60
#: The address of the first recipient.
FIRST = "r1@shop.test"


@pytest.mark.parametrize(
    "step", [None, pytest.param("pause", marks=pytest.mark.short), pytest.param("cancel", marks=pytest.mark.short)]
)
def test_rows_in_flight_of_a_killed_worker_are_settled_in_every_state(
    tmp_path: Path, step: str | None, figures: Callable[..., None]
) -> None:
    """Given a worker that is killed with rows in flight, and a Reconcile that is not due today.
    When the campaign is paused, or cancelled, or left alone, right after.
    Then nothing is in flight within a minute, those rows are unknown, and a campaign that does not run can be deleted.
    """
    with Stack.open(tmp_path, RECONCILE_EVERY_S="86400") as stack:
        # The first recipient goes alone and is accepted, so that the others follow. They get no response.
        stack.double.behave(answer="hang", rules=[{"to": FIRST, "answers": ["202"]}])
        stack.put("c1", tpm=600_000)
        stack.upload("c1", audit.addresses(51))
        worker = stack.add_worker()
        stack.until_status("c1", "ready")
        stack.start("c1")
        redis = stack.redis_client()
        until(lambda: redis.hlen(keys.of("c1", "in_flight")) == 50, "rows in flight")
        worker.kill()
        killed = time.monotonic()
        if step:
            stack.call("POST", f"/campaigns/c1/{step}")
            status, answer = stack.ask("DELETE", "/campaigns/c1")
            assert (status, b"within a minute" in answer) == (409, True)
        stack.double.behave(answer="202")
        worker.start()
        deadline = killed + SETTLED_S + SLACK_S
        while (report := stack.status("c1"))["in_flight"] and time.monotonic() < deadline:
            time.sleep(0.1)
        took_s = round(time.monotonic() - killed, 1)
        figures(step=step, settled_after_s=took_s, unknown=report["unknown"], status=report["status"])
        assert (report["in_flight"], report["unknown"], report["done"]) == (0, 50, 1)
        assert report["status"] == ("cancelled" if step == "cancel" else "completed")
        assert stack.ask("DELETE", "/campaigns/c1")[0] == 204
