"""The web application on an in-memory Redis and object store, for tests without servers."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from redis import Redis
from starlette.applications import Starlette

import settings
from api.application import create_app
from campaigns.models import Campaign
from tests.support.doubles.object_store import MemoryStore
from tests.support.doubles.web import Answer, Web
from tests.support.ledger_harness import LedgerHarness
from tests.support.suppressions import suppressions
from worker.list_scan import ListScan

CONTENT: Final = {"from": "News <news@shop.test>", "subject": "Hello {{ name }}", "text": "Hi {{ name }}"}
CSV: Final = b"name,email\nAda,ada@shop.test\nBob,bob@shop.test\n"


@dataclass
class AppHarness:
    """An application, a client of it on this machine, and the ledger and object store behind it."""

    redis: Redis
    environment: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    store: MemoryStore = field(default_factory=MemoryStore)
    waiters: threading.Semaphore = field(default_factory=threading.BoundedSemaphore)

    def __post_init__(self) -> None:
        self.harness = LedgerHarness(self.redis)
        self.starlette: Starlette = create_app(
            settings.load({"LOG_LEVEL": "error", **self.environment}),
            redis=self.redis,
            store=self.store,
            **self.overrides,
        )
        self.web = Web(self.starlette)

    def make(self, campaign_id: str = "c1", **content: Any) -> None:
        """Create a campaign without a list."""
        assert self.web.put(f"/campaigns/{campaign_id}", CONTENT | content).status == 201

    def upload(self, csv: bytes = CSV, campaign_id: str = "c1", query: str = "") -> Answer:
        """Upload a list in one request."""
        return self.web.post(f"/campaigns/{campaign_id}/upload{query}", csv, {"Content-Type": "text/csv"})

    def parse(self, campaign_id: str = "c1") -> Campaign:
        """Parse the list as a worker does."""
        list_scan = ListScan(
            self.redis, self.store, threading.Event(), self.waiters, suppressions(self.redis, self.store)
        )
        list_scan.run(self.harness.catalog.get(campaign_id))
        return self.harness.catalog.get(campaign_id)

    def ready(self, csv: bytes = CSV, campaign_id: str = "c1", **content: Any) -> Campaign:
        """Create a campaign with a parsed list."""
        self.make(campaign_id, **content)
        assert self.upload(csv, campaign_id).status == 202
        return self.parse(campaign_id)
