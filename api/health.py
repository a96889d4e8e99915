"""Liveness, readiness, and metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, get_args

import anyio
import anyio.to_thread
import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import Response

from api import components
from api.components import Components
from api.http.errors import TRY_AGAIN, Problem
from api.http.responses import json_response
from campaigns.accounts import Accounts, AccountState, Breaker
from campaigns.announcements import waiting
from campaigns.db.server import WrongRedis
from campaigns.event_kinds import Unattributed
from campaigns.heartbeats import alive_workers
from campaigns.models import Status, StatusReport
from campaigns.webhook_figures import WebhookState
from storage import StoreError

log = structlog.get_logger(__name__)

#: How long Redis and the object store may each take to answer, in seconds.
READY_S: Final = 5.0
#: The number of campaigns with metrics, the newest first. The limit keeps the response small.
MAX_CAMPAIGNS: Final = 300


async def healthz(_request: Request) -> Response:
    """The process is alive. Checks no other service, so that an outage elsewhere does not restart this process."""
    return json_response({"status": "ok"})


async def readyz(request: Request) -> Response:
    """Redis takes writes and the object store is reachable; otherwise a problem (503) that names what is not.

    `workers`: how many workers are alive. None of them makes the process unready: it answers requests all the same.
    """
    parts = components.of(request)
    async with anyio.create_task_group() as group:
        redis, store = _Answer("Redis"), _Answer("The object store")
        group.start_soon(redis.fetch, _redis_away, parts)
        group.start_soon(store.fetch, _store_away, parts)
    away = [what.away for what in (redis, store) if what.away]
    if not away:
        return json_response({"status": "ok", "redis": "ok", "store": "ok", "workers": await _workers(parts)})
    raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"{' and '.join(away)}; each request checks again.", TRY_AGAIN)


@dataclass(slots=True)
class _Answer:
    """The answer of one service within its own time: `away` says what is wrong, or is None."""

    name: str
    away: str | None = None

    async def fetch(self, check: Callable[[Components], str | None], parts: Components) -> None:
        self.away = f"{self.name} did not answer within {READY_S:g} s"
        with anyio.move_on_after(READY_S):
            self.away = await anyio.to_thread.run_sync(check, parts, abandon_on_cancel=True)


def _redis_away(parts: Components) -> str | None:
    try:
        refusal = parts.writing.refusal()
    except WrongRedis as error:
        log.error("redis_refused", reason=str(error))
        return str(error)
    except RedisError as error:
        log.warning("redis_not_ready", error=type(error).__name__)
        return "Redis cannot be reached"
    if refusal is None:
        return None
    log.error("redis_refused", reason=refusal)
    return f"Redis refuses to write ({refusal})"


def _store_away(parts: Components) -> str | None:
    try:
        parts.store.ping()
    except StoreError as error:
        log.warning("store_not_ready", error=str(error))
        return "The object store cannot be reached"
    return None


async def _workers(parts: Components) -> int | None:
    """The workers alive; None: Redis has just gone away."""
    with anyio.move_on_after(READY_S):
        with suppress(RedisError):
            return await anyio.to_thread.run_sync(alive_workers, parts.redis, abandon_on_cancel=True)
    return None


def metrics(request: Request) -> Response:
    """Metrics per campaign in Prometheus's text format. While Redis is unavailable: `postrider_up 0` alone."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(components.of(request)))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


#: Metric name -> its help text; the value is the attribute of `StatusReport` with the same name.
_GAUGES: Final = {
    "done": "Recipients whose email the provider accepted.",
    "failed": "Recipients whose email failed for good.",
    "pending": "Recipients neither done nor failed.",
    "unknown": "Pending recipients with an unknown outcome: the provider may have accepted their email.",
    "in_flight": "Emails on the way to the provider.",
    "rejected": "Rows of the CSV that cannot be sent to.",
    "delivered": "Recipients whose email the provider reports as delivered.",
    "bounced": "Recipients whose email the provider reports as bounced.",
    "dropped": "Recipients whose email the provider reports as dropped.",
    "complained": "Recipients who reported the email as spam.",
    "unsubscribed": "Recipients who unsubscribed through Postrider's link or the provider's.",
    "opened": "Recipients who opened the email, as far as the provider tells them from machines.",
    "opened_by_machines": "Recipients whose email a machine opened.",
    "clicked": "Recipients who followed a link in the email.",
    "rate_limit": "The limit in emails per minute.",
    "sent_last_minute": "Emails admitted in the last 60 seconds.",
}


class _Figures(Collector):
    """Reads the metrics when Prometheus scrapes them."""

    def __init__(self, parts: Components) -> None:
        self._parts = parts

    def collect(self) -> Iterable[Metric]:
        """All metrics, each with one sample per campaign."""
        try:
            reports = self._reports()
            unattributed = self._parts.events.unattributed()
            webhooks = self._parts.webhook_figures.states()
            accounts = Accounts(self._parts.redis, self._parts.accounts).states(
                [campaign_id for campaign_id, _ in reports]
            )
            workers = alive_workers(self._parts.redis)
            outgoing = waiting(self._parts.redis)
        except RedisError as error:
            log.warning("metrics_incomplete", error=type(error).__name__)
            yield GaugeMetricFamily("postrider_up", "1 while Redis is reachable, otherwise 0.", 0)
            return
        yield GaugeMetricFamily("postrider_up", "1 while Redis is reachable, otherwise 0.", 1)
        yield GaugeMetricFamily("postrider_workers", "Workers with a heartbeat in the last 10 seconds.", workers)
        for name, meaning in _GAUGES.items():
            yield _by_campaign(GaugeMetricFamily, f"postrider_{name}", meaning, reports, name)
        yield _by_campaign(CounterMetricFamily, "postrider_retries", "Sends that were retried.", reports, "retries")
        yield _states(reports)
        yield from _of_accounts(accounts)
        yield _unattributed(unattributed)
        yield _refused(webhooks)
        meaning = "Outgoing events that wait for their delivery."
        yield GaugeMetricFamily("postrider_outgoing_events_waiting", meaning, outgoing.waiting)
        meaning = "Outgoing events that were dropped because too many waited."
        yield CounterMetricFamily("postrider_outgoing_events_dropped", meaning, outgoing.dropped)

    def _reports(self) -> list[tuple[str, StatusReport]]:
        ids, _total = self._parts.catalog.newest(0, MAX_CAMPAIGNS)
        reports = zip(ids, self._parts.progress.reports(ids), strict=True)
        return [(campaign_id, report) for campaign_id, report in reports if report is not None]


def _by_campaign(
    kind: type[GaugeMetricFamily | CounterMetricFamily],
    name: str,
    meaning: str,
    reports: list[tuple[str, StatusReport]],
    attribute: str,
) -> Metric:
    family = kind(name, meaning, labels=["campaign"])
    for campaign_id, report in reports:
        family.add_metric([campaign_id], getattr(report, attribute))
    return family


def _states(reports: list[tuple[str, StatusReport]]) -> Metric:
    meaning = "1 for the campaign's current status, 0 for the others."
    family = GaugeMetricFamily("postrider_status", meaning, labels=["campaign", "status"])
    for campaign_id, report in reports:
        for status in Status:
            family.add_metric([campaign_id, status], int(report.status is status))
    return family


def _refused(states: Mapping[str, WebhookState]) -> Metric:
    meaning = "Requests to a provider's webhook that were refused for their signature, by provider and reason."
    family = CounterMetricFamily("postrider_webhook_refused", meaning, labels=["provider", "why"])
    for provider, state in states.items():
        for why, count in state.refused.items():
            family.add_metric([provider, why], count)
    return family


def _of_accounts(accounts: Mapping[str, AccountState]) -> Iterable[Metric]:
    sent = GaugeMetricFamily(
        "postrider_account_sent_last_minute",
        "Emails of the account admitted in the last 60 seconds.",
        labels=["account"],
    )
    meaning = "1 for the current state of the account's circuit breaker, 0 for the others."
    breaker = GaugeMetricFamily("postrider_account_breaker", meaning, labels=["account", "state"])
    for name, state in accounts.items():
        sent.add_metric([name], state.sent_last_minute)
        for value in get_args(Breaker):
            breaker.add_metric([name, value], int(state.breaker == value))
    yield sent
    yield breaker


def _unattributed(counts: Mapping[Unattributed, int]) -> Metric:
    meaning = "Provider events that belong to no known recipient, by kind and reason."
    family = CounterMetricFamily("postrider_events_unattributed", meaning, labels=["kind", "why"])
    for (kind, why), count in counts.items():
        family.add_metric([kind, why], count)
    return family
