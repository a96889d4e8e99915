"""SIGTERM under load: rolling restarts, more workers, fewer workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.chaos import audit
from tests.support.stack import Stack


@pytest.mark.short
def test_a_rolling_restart_under_load(tmp_path: Path, full: bool, figures: Callable[..., None]) -> None:
    """Given a campaign over three commands.
    When each gets SIGTERM in turn and is started again, and then the number of commands goes up and down.
    Then every command ends with 0, and no row is unknown.
    """
    rows, tpm, rounds, most = (20_000, 12_000, 3, 8) if full else (4_000, 6_000, 1, 3)
    with Stack.open(tmp_path) as stack:
        stack.double.behave(latency_ms=100)
        for _ in range(3 if full else 1):
            stack.add_worker()
        audit.launch(stack, "c1", audit.addresses(rows), tpm)
        codes = []
        with stack.watch("c1") as watch:
            audit.until_done(stack, "c1", 100, 60)
            for _ in range(rounds):
                for worker in list(stack.workers):
                    codes.append(worker.stop())
                    worker.start()
            while len(stack.workers) < most:
                stack.add_worker()
            codes += [worker.stop() for worker in stack.workers[1:]]
            at_the_end = stack.status("c1")
            stack.rate("c1", 1_000_000)
            audit.until_over(stack, "c1", 200)
        found = audit.closed(stack, "c1", watch, unknown_at_most=0)
        figures(
            rows=rows,
            sigterms=len(codes),
            exit_codes=sorted(set(codes)),
            most_commands=most,
            done_when_the_last_was_stopped=at_the_end["done"],
            unknown=found.report["unknown"],
        )
        assert set(codes) == {0}
        assert at_the_end["status"] == "running", "the campaign was over before the last command was stopped"
        assert max(report["unknown"] for _, report in watch.samples) == 0
