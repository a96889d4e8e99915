"""The composition root of a worker process: Redis, the ledger, the broker with its middleware in order, the actors.

Nothing is made before `build_worker` is called. No other module of this package imports this one.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from uuid import uuid4

import dramatiq
from dramatiq.middleware import CurrentMessage, Retries
from redis import Redis

import logs
from broker.encoder import MsgspecEncoder
from broker.redis_broker import Broker
from campaigns.catalog import Catalog
from campaigns.dispatcher import Dispatcher
from campaigns.ledger import Ledger, Limits
from campaigns.messages import SEND_EMAIL
from campaigns.progress import Progress
from campaigns.reconciliation import Reconciler
from lists.recipient import Recipient
from mail import providers
from middleware.admission import Admission
from middleware.batches import Batches
from middleware.dispatch import Dispatch
from middleware.event_loop import EventLoop
from middleware.gc_tuning import GcTuning
from middleware.log_context import LogContext
from middleware.notifier import Notifier
from middleware.schema_version import SchemaVersion
from settings import Settings
from storage import ObjectStore
from worker.parse_csv import ParseCsv
from worker.reconcile import Reconcile
from worker.redis_client import connect
from worker.send_email import SendEmail


@dataclass(frozen=True, slots=True)
class Components:
    """What the middleware and the actors of one process share.

    Args:
        worker_id: names this process wherever it claims something.
        stopping: set when the worker shuts down.
        limits: the rates of the provider's account and of recipients' domains.
    """

    settings: Settings
    worker_id: str
    stopping: threading.Event
    redis: Redis
    limits: Limits
    ledger: Ledger

    def dispatcher(self, slots: int) -> Dispatcher:
        """The dispatcher of a worker that works on `slots` messages at once."""
        return Dispatcher(
            self.redis,
            self.settings.email_provider,
            self.worker_id,
            slots,
            reconcile_every_s=self.settings.reconcile_every_s,
            send_timeout_s=self.settings.send_timeout_s,
            limits=self.limits,
        )


def build_worker(settings: Settings) -> Broker:
    """Build the worker of this process, to be called once; its broker becomes Dramatiq's.

    Raises:
        ValueError: the provider cannot be used with these settings.
    """
    logs.configure(settings.log_level, settings.log_format)
    components = build_components(settings)
    broker = build_broker(components)
    declare_actors(broker, components)
    dramatiq.set_broker(broker)
    return broker


def build_components(settings: Settings) -> Components:
    """The components by the settings. Building connects to nothing."""
    redis = connect(settings.redis_url, allow_unsafe=settings.allow_unsafe_redis)
    limits = Limits(settings.provider_tpm, settings.domain_tpm)
    return Components(
        settings=settings,
        worker_id=f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}",
        stopping=threading.Event(),
        redis=redis,
        limits=limits,
        ledger=Ledger(redis, settings.email_provider, settings.send_timeout_s, limits),
    )


def build_broker(components: Components) -> Broker:
    """The broker, its middleware in order, without actors. Its encoding becomes Dramatiq's."""
    dramatiq.set_encoder(MsgspecEncoder({SEND_EMAIL: tuple[str, str, list[Recipient]]}))
    settings, redis, stopping = components.settings, components.redis, components.stopping
    notifier = Notifier(redis, stopping)
    middleware = [
        SchemaVersion(redis, stopping),
        EventLoop(),
        GcTuning(),
        notifier,
        CurrentMessage(),
        LogContext(),
        Retries(
            max_retries=settings.max_retries,
            min_backoff=int(settings.retry_min_backoff_s * 1000),
            max_backoff=int(settings.retry_max_backoff_s * 1000),
        ),
        Admission(components.ledger, components.worker_id, stopping),
        Batches(components.ledger),
        Dispatch(redis, components.dispatcher, components.worker_id, stopping, notifier),
    ]
    return Broker(redis, middleware, stopping, notifier)


def declare_actors(broker: dramatiq.Broker, components: Components) -> None:
    """Build the actors and declare them on the broker.

    Raises:
        ValueError: the provider cannot be used with these settings.
    """
    settings, redis, ledger, stopping = components.settings, components.redis, components.ledger, components.stopping
    catalog = Catalog(redis, settings.default_tpm)
    ParseCsv(redis, ledger, catalog, object_store(settings), stopping, threads=settings.workers).declare(broker)
    reconciler = Reconciler(redis, settings.send_timeout_s, settings.resend_quiet_s)
    Reconcile(catalog, reconciler, Progress(redis, settings.email_provider)).declare(broker)
    # The provider is made at the start, so that a key that cannot be one stops it, and no first email waits for the
    # certificates.
    provider = providers.build(settings)
    SendEmail(ledger, catalog, provider, components.worker_id, stopping).declare(broker)


def object_store(settings: Settings) -> Callable[[], ObjectStore]:
    """Gives the process's object store; what is wrong with it is raised whenever it is needed."""

    @cache
    def store() -> ObjectStore:
        return ObjectStore(settings.s3_bucket, settings.s3_endpoint_url)

    # It takes 50 ms, for which no first email should wait.
    with suppress(Exception):
        store()
    return store
