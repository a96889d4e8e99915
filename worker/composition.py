"""The composition root of a worker process: Redis, the ledger, the broker with its middleware in order, the actors.

Nothing is created before a caller calls `build_worker`. No other module of this package imports this one.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from uuid import uuid4

import dramatiq
from dramatiq.middleware import CurrentMessage, Retries
from redis import Redis

import logs
from broker.encoder import MsgspecEncoder
from broker.redis_broker import Broker
from campaigns import account_table, keys
from campaigns.account_table import AccountTable
from campaigns.attachments import Attachments
from campaigns.catalog import Catalog
from campaigns.db.scripts import Scripts, load_all
from campaigns.dispatcher import Dispatcher
from campaigns.ledger import Ledger
from campaigns.messages import SEND_EMAIL
from campaigns.models import Campaign
from campaigns.progress import Progress
from campaigns.reconciliation import Reconciler
from consent.links import Links
from consent.recipient_links import RecipientLinks
from consent.suppressions import Names, Suppressions
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
from storage import MissingObject, ObjectStore
from worker.attached_files import AttachedFiles
from worker.parse_csv import ParseCsv
from worker.reconcile import Reconcile
from worker.redis_client import connect
from worker.send_email import SendEmail
from worker.store_on_use import StoreOnUse


@dataclass(frozen=True, slots=True)
class Components:
    """The objects that the middleware and the actors of one process share.

    Args:
        worker_id: identifies this process in its claims and leases.
        stopping: set when the worker shuts down.
        accounts: the provider accounts with their limits, and those of the recipients' domains.
    """

    settings: Settings
    worker_id: str
    stopping: threading.Event
    redis: Redis
    accounts: AccountTable
    ledger: Ledger
    open_store: Callable[[], ObjectStore]
    suppressions: Suppressions

    def dispatcher(self, slots: int) -> Dispatcher:
        """Build the dispatcher of a worker that processes up to `slots` messages concurrently."""
        return Dispatcher(
            self.redis,
            self.accounts,
            self.worker_id,
            slots,
            reconcile_every_s=self.settings.reconcile_every_s,
            send_timeout_s=self.settings.send_timeout_s,
        )


def build_worker(settings: Settings) -> Broker:
    """Build the worker of this process and make its broker Dramatiq's. Call it once per process.

    Raises:
        ValueError: the provider cannot be used with these settings.
    """
    logs.configure(settings.log_level, settings.log_format)
    logs.warn_of_settings(settings.warnings)
    load_all()
    components = build_components(settings)
    broker = build_broker(components)
    declare_actors(broker, components)
    dramatiq.set_broker(broker)
    return broker


def build_components(settings: Settings) -> Components:
    """Build the components from the settings. This opens no connection."""
    redis = connect(settings.redis_url, allow_unsafe=settings.allow_unsafe_redis)
    open_store = object_store(settings)
    suppressions = suppression_list(redis, open_store)
    accounts = account_table.of_settings(settings)
    return Components(
        settings=settings,
        worker_id=f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}",
        stopping=threading.Event(),
        redis=redis,
        accounts=accounts,
        ledger=Ledger(redis, accounts, settings.send_timeout_s, suppressions.hashes),
        open_store=open_store,
        suppressions=suppressions,
    )


def build_broker(components: Components) -> Broker:
    """Build the broker with its middleware in order, without actors. This also sets Dramatiq's encoder."""
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
    store, suppressions = components.open_store, components.suppressions
    ParseCsv(
        redis,
        ledger,
        catalog,
        store,
        stopping,
        threads=settings.workers,
        suppressions=suppressions,
        merged_recipients=partial(merged_recipients, settings),
    ).declare(broker)
    reconciler = Reconciler(redis, settings.send_timeout_s, settings.resend_quiet_s)
    Reconcile(catalog, reconciler, Progress(redis, components.accounts)).declare(broker)
    # The worker builds the providers at its start: a malformed key then stops the start, and the first email does not
    # wait until the certificates are loaded.
    accounts = {name: providers.build(account, settings) for name, account in settings.accounts.items()}
    files = AttachedFiles(Attachments(redis), store)
    links = recipient_links(settings, suppressions)
    SendEmail(ledger, catalog, accounts, components.worker_id, stopping, files=files, links=links).declare(broker)


def merged_recipients(settings: Settings, campaign: Campaign) -> int:
    """The most recipients of one request of a campaign to the provider of its account."""
    account = settings.accounts.get(campaign.content.account_name)
    return settings.sendgrid_batch if account and account.provider == "sendgrid" else 1


def suppression_list(redis: Redis, open_store: Callable[[], ObjectStore]) -> Suppressions:
    """The suppression list. It opens the store only when it needs it."""
    names = Names(keys.SUPPRESSIONS, keys.SUPPRESSIONS_JOURNAL, keys.SUPPRESSION_OBJECTS, keys.HISTORY)
    return Suppressions(Scripts(redis), StoreOnUse(open_store), names, MissingObject)


def recipient_links(settings: Settings, suppressions: Suppressions) -> RecipientLinks | None:
    """What makes the unsubscribe links; None: SECRET_KEY is not set."""
    if settings.secret_key is None:
        return None
    links = Links(settings.secret_key, settings.secret_key_previous)
    return RecipientLinks(links, suppressions, settings.public_url, settings.unsubscribe_mailto)


def object_store(settings: Settings) -> Callable[[], ObjectStore]:
    """Return a function that returns the process's object store, or raises the error why there is none."""

    @cache
    def store() -> ObjectStore:
        return ObjectStore(settings.s3_bucket, settings.s3_endpoint_url)

    # This takes 50 ms; done here, the first email does not wait for it.
    with suppress(Exception):
        store()
    return store
