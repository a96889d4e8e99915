"""A worker seldom searches for unreachable cycles, and sending creates none."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker

from campaigns.models import Content
from mail.providers.sendgrid import payload
from mail.rendering import Templates
from middleware.gc_tuning import THRESHOLDS, GcTuning


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)
    gc.enable()


def test_after_its_boot_a_worker_seldom_searches_for_cycles() -> None:
    broker = StubBroker()
    GcTuning().after_worker_boot(broker, dramatiq.Worker(broker))
    assert gc.get_threshold() == THRESHOLDS
    assert gc.get_freeze_count() > 1000
    assert gc.isenabled()


def test_rendering_leaves_no_cycles_behind() -> None:
    """A worker seldom searches for cycles, so the work for one email must not leave any."""
    content = Content(from_="news@shop.test", subject="Hi {{ name }}", html="<b>{{ name }}</b>", text="{{ name }}")
    renderer = Templates(content).renderer("c1", ["email", "name"])
    gc.collect()
    gc.disable()
    for row in range(1000):
        payload(renderer.message(row, "ann@shop.test", ["Ann"]))
    assert gc.collect() < 100
