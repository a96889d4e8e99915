"""The list scan while one of its steps is slow, or while the object store refuses its last one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import IO, Any

import dramatiq
import pytest

from campaigns import keys, parsing as parsing_module
from campaigns.errors import ContentChanged, Superseded
from campaigns.models import Status
from campaigns.parsing import Parsing
from storage import StoreUnavailable
from tests.support.app_harness import CONTENT, CSV, AppHarness
from tests.support.doubles.object_store import MemoryStore
from tests.support.ledger_harness import Clock, LedgerHarness
from tests.support.lua_settings import setting
from tests.support.waiting import until
from worker import list_scan
from worker.list_scan import REPORT_DELAYED, ListScan

PARSER_LOST_MS = setting("PARSER_LOST_MS")


class SlowStore(MemoryStore):
    """A store whose `put_file` of a report first calls `step`; `sent` counts these calls."""

    def __init__(self, step: Callable[[], None]) -> None:
        super().__init__()
        self.step = step
        self.sent = 0
        self.streamed = 0

    def put_file(self, key: str, fileobj: IO[bytes], *args: Any, **more: Any) -> None:
        if key.endswith("rejected.csv"):
            self.sent += 1
            self.step()
        super().put_file(key, fileobj, *args, **more)
        fileobj.close()  # as boto3 does

    def stream(self, key: str) -> Any:
        self.streamed += 1
        return super().stream(key)


def uploaded(harness: LedgerHarness, step: Callable[[], None]) -> tuple[AppHarness, SlowStore]:
    store = SlowStore(step)
    app = AppHarness(harness.redis, store=store)
    app.make()
    assert app.upload(CSV + b"Eve,nobody\n").status == 202
    return app, store


def until_reported(harness: LedgerHarness, clock: Clock) -> None:
    """Let 20 s pass without a report from the parser, then wait for its next sign of life."""
    clock.advance(20_000)
    until(lambda: harness.redis.zscore(keys.PARSING, "c1") == clock.now_ms, "a sign of life")


def test_a_slow_last_step_does_not_lose_the_list_to_another_parser(
    harness: LedgerHarness, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a store that takes a minute for the report of rejected rows, then the parser gives signs of life all the
    while, the dispatcher asks for no other parser, and one that comes anyway leaves the list alone.
    """
    monkeypatch.setattr(parsing_module, "BEAT_S", 0.01)

    def takes_a_minute() -> None:
        for _ in range(3):
            until_reported(harness, clock)
            assert list(harness.dispatch().parse) == []
        with pytest.raises(Superseded):
            Parsing(harness.redis, "c1", harness.catalog.get("c1").list_version)

    app, store = uploaded(harness, takes_a_minute)
    assert app.parse().status == Status.READY
    assert (store.sent, store.streamed) == (1, 1)
    assert b"nobody" in store.objects[keys.rejected_report("c1", app.harness.catalog.get("c1").list_version)]


def test_a_report_that_the_store_refuses_is_sent_again_without_parsing_again(
    harness: LedgerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a store that refuses the report three times, then the status says so, the parser reads the list once, and
    the reason is gone in the end.
    """
    monkeypatch.setattr(list_scan, "FIRST_WAIT_S", 0.01)
    reasons: list[str | None] = []

    def refuses() -> None:
        reasons.append(harness.report().reason)
        if len(reasons) < 4:
            raise StoreUnavailable("the object store is unavailable (503)")

    app, store = uploaded(harness, refuses)
    assert app.parse().status == Status.READY
    assert reasons == [None, REPORT_DELAYED, REPORT_DELAYED, REPORT_DELAYED]
    assert (store.sent, store.streamed, harness.report().reason) == (4, 1, None)
    assert b"nobody" in store.objects[keys.rejected_report("c1", app.harness.catalog.get("c1").list_version)]


def test_a_parser_stops_waiting_when_its_list_is_replaced(harness: LedgerHarness) -> None:
    """Given a parser that waits for the store, when its list is replaced, then the parser stops."""
    refused = threading.Event()

    def refuses() -> None:
        if not refused.is_set():
            refused.set()
            app.upload(CSV)
        raise StoreUnavailable("away")

    app, store = uploaded(harness, refuses)
    with pytest.raises(Superseded):
        app.parse()
    assert store.sent == 1
    assert harness.report().reason is None


def delete(app: AppHarness) -> None:
    assert app.web.request("DELETE", "/campaigns/c1").status == 204


def assert_nothing_is_left_of_it(app: AppHarness) -> None:
    harness = app.harness
    assert harness.redis.keys("*{c1}*") == []
    assert harness.redis.zcard(keys.PARSING) == harness.redis.zcard(keys.CAMPAIGNS) == 0
    assert list(app.store.objects) == []


def test_a_campaign_that_is_deleted_while_its_list_is_parsed_supersedes_the_parser(harness: LedgerHarness) -> None:
    """Given a parser that writes its report, when the campaign is deleted, then the parser is superseded, and Redis
    and the store hold nothing of the campaign.
    """
    app, store = uploaded(harness, lambda: delete(app))
    with pytest.raises(Superseded):
        app.parse()
    assert store.sent == 1  # and it was written after the deletion
    assert_nothing_is_left_of_it(app)


def test_a_campaign_that_is_deleted_after_its_content_has_changed_supersedes_the_parser(
    harness: LedgerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a list that must be checked again with another content, when the campaign is deleted before that, then the
    parser is superseded, and Redis and the store hold nothing of the campaign.
    """
    app, _store = uploaded(harness, lambda: None)
    finish, refused = Parsing.finish, []

    def content_changes_and_campaign_goes(*args: Any) -> Status:
        assert app.web.put("/campaigns/c1", {**CONTENT, "subject": "Another"}).status == 200
        try:
            return finish(*args)
        except ContentChanged:
            refused.append(True)
            delete(app)
            raise

    monkeypatch.setattr(Parsing, "finish", content_changes_and_campaign_goes)
    with pytest.raises(Superseded):
        app.parse()
    assert refused == [True]
    assert_nothing_is_left_of_it(app)


def test_a_stopping_worker_stops_waiting_and_leaves_the_list_to_the_next_parser_at_once(harness: LedgerHarness) -> None:
    stopping = threading.Event()

    def refuses() -> None:
        stopping.set()
        raise StoreUnavailable("away")

    app, store = uploaded(harness, refuses)
    with pytest.raises(dramatiq.errors.Retry):
        ListScan(harness.redis, store, stopping, app.waiters).run(harness.catalog.get("c1"))
    store.step = lambda: None
    assert app.parse().status == Status.READY


def test_only_a_bounded_number_of_threads_waits_for_the_store(harness: LedgerHarness) -> None:
    """Given as many waiting parsers as allowed, then one more leaves its thread to others."""

    def refuses() -> None:
        raise StoreUnavailable("away")

    app, store = uploaded(harness, refuses)
    assert app.waiters.acquire(blocking=False)
    with pytest.raises(StoreUnavailable):
        app.parse()
    assert (store.sent, harness.report().reason) == (1, REPORT_DELAYED)


def test_a_step_that_hangs_for_good_loses_the_list_to_another_parser(
    harness: LedgerHarness, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a parser whose step never ends, then it gives no more signs of life after the longest step, and another
    parser takes over.
    """
    monkeypatch.setattr(parsing_module, "BEAT_S", 0.01)
    monkeypatch.setattr(parsing_module, "HANGS_S", 0.0)
    uploaded(harness, lambda: None)
    list_version = harness.catalog.get("c1").list_version
    with Parsing(harness.redis, "c1", list_version) as first:
        until(lambda: "parser-heartbeat" not in {thread.name for thread in threading.enumerate()}, "its last sign")
        clock.advance(PARSER_LOST_MS)
        assert list(harness.dispatch().parse) == ["c1"]
        Parsing(harness.redis, "c1", list_version)
        with pytest.raises(Superseded):
            first.report(1, 1)


def test_a_superseded_parser_notices_within_a_step(
    harness: LedgerHarness, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a parser that another one has superseded, then the next thing that it does ends it."""
    monkeypatch.setattr(parsing_module, "BEAT_S", 0.01)
    uploaded(harness, lambda: None)
    list_version = harness.catalog.get("c1").list_version

    def superseded(parser: Parsing) -> bool:
        try:
            parser.moved()
        except Superseded:
            return True
        return False

    first = Parsing(harness.redis, "c1", list_version)
    clock.advance(PARSER_LOST_MS)
    Parsing(harness.redis, "c1", list_version)
    with first:
        until(lambda: superseded(first), "its end")
