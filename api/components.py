"""What the handlers work with, built once per process from the settings. Building connects to nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry
from starlette.requests import Request

from api.live.feeds import Feeds
from campaigns import connection, layout
from campaigns.catalog import Catalog
from campaigns.controls import Controls
from campaigns.events import ProviderEvents
from campaigns.ledger import Ledger
from campaigns.progress import Progress
from campaigns.server import Writing
from settings import Settings
from storage import ObjectStore


@dataclass(frozen=True, slots=True)
class Components:
    """Everything that a handler may need."""

    settings: Settings
    redis: Redis
    store: ObjectStore
    catalog: Catalog
    controls: Controls
    progress: Progress
    ledger: Ledger
    events: ProviderEvents
    feeds: Feeds = field(repr=False)
    writing: Writing = field(repr=False)


def build(settings: Settings, **overrides: Any) -> Components:
    """The components by the settings, those given by name taken instead."""
    redis = overrides.pop("redis", None) or connect(settings.redis_url, allow_unsafe=settings.allow_unsafe_redis)
    writing = Writing(redis)
    progress = overrides.pop("progress", None) or Progress(redis, settings.email_provider, writing)
    parts: dict[str, Any] = {
        "catalog": Catalog(redis, settings.default_tpm),
        "controls": Controls(redis),
        "ledger": Ledger(redis, settings.email_provider, settings.send_timeout_s),
        "events": ProviderEvents(redis),
        "feeds": Feeds(progress),
        "writing": writing,
    }
    if "store" not in overrides:
        parts["store"] = ObjectStore(settings.s3_bucket, settings.s3_endpoint_url, settings.s3_public_endpoint_url)
    return Components(settings=settings, redis=redis, progress=progress, **(parts | overrides))


def connect(redis_url: str, *, allow_unsafe: bool = False) -> Redis:
    """A client that fails within seconds where Redis is away or a wrong one, and never hangs.

    It has no health check: that is a PING, which a Redis that cannot write to its disk refuses while it still answers
    what is only read. A connection that was lost while it was idle costs its next command the one repetition.
    """
    return Redis.from_url(
        redis_url,
        socket_connect_timeout=2.0,
        socket_timeout=5.0,
        **connection.kept_alive(redis_url),
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.05), retries=1),
        redis_connect_func=partial(layout.on_connect, allow_unsafe=allow_unsafe),
    )


def of(request: Request) -> Components:
    """The components of the application that the request is for."""
    components: Components = request.app.state.components
    return components
