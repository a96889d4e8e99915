"""The states and the steps between them, checked against the table and the diagram in the docs."""

from __future__ import annotations

from pathlib import Path

import pytest

from campaigns import keys
from campaigns.controls import STEPS
from campaigns.errors import UnknownCampaign, WrongState
from campaigns.models import Status
from tests.support.ledger_harness import LedgerHarness


@pytest.mark.parametrize("step", list(STEPS))
@pytest.mark.parametrize("status", list(Status))
def test_every_step_from_every_state(harness: LedgerHarness, step: str, status: Status) -> None:
    """Given a campaign in any state, when a step is taken twice, then the campaign moves, stays or refuses as the table
    says.
    """
    harness.make()
    harness.redis.hset(keys.campaign("c1"), "status", status)
    take = getattr(harness.controls, step)
    row = STEPS[step]
    if status not in row.comes_from + row.is_there:
        with pytest.raises(WrongState, match=status):
            take("c1")
        assert harness.report().status == status
        return
    take("c1")
    after = harness.report()
    take("c1")
    assert harness.report() == after
    if status in row.is_there:
        assert after.status == status
    elif (step, status) == ("start", Status.PARSING):
        assert after.status == Status.PARSING
    else:
        assert after.status == row.target


@pytest.mark.parametrize("step", list(STEPS))
def test_an_unknown_campaign_is_an_error(harness: LedgerHarness, step: str) -> None:
    with pytest.raises(UnknownCampaign):
        getattr(harness.controls, step)("c1")
    with pytest.raises(UnknownCampaign):
        harness.controls.set_rate("c1", 5)
    with pytest.raises(UnknownCampaign):
        harness.progress.report("c1")


def test_a_list_without_valid_recipients_cannot_be_started(harness: LedgerHarness) -> None:
    harness.make()
    harness.redis.hset(keys.of("c1", "progress"), "total", 0)
    with pytest.raises(WrongState, match="no valid recipient"):
        harness.controls.start("c1")


def test_the_rate_can_be_set_while_the_campaign_runs(harness: LedgerHarness) -> None:
    harness.start()
    assert harness.controls.set_rate("c1", 600) == 600
    assert harness.report().rate_limit == 600


def test_only_running_campaigns_are_dispatched(harness: LedgerHarness) -> None:
    harness.start()
    assert harness.redis.smembers(keys.RUNNING) == {b"c1"}
    harness.controls.pause("c1")
    assert harness.redis.smembers(keys.RUNNING) == set()
    harness.controls.resume("c1")
    harness.controls.cancel("c1")
    assert harness.redis.smembers(keys.RUNNING) == set()


def test_the_diagram_in_the_docs_shows_the_table() -> None:
    text = (Path(__file__).parents[2] / "docs" / "state-machine.md").read_text(encoding="utf-8")
    for name, step in STEPS.items():
        for source in step.comes_from:
            if (name, source) != ("start", Status.PARSING):
                assert f"{source} --> {step.target}: {name}" in text
