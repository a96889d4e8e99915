"""The objects that the handlers use, built once per process from the settings. Building them opens no connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry
from starlette.requests import Request

from api.http.refusal_log import RefusalLog
from api.live.feeds import Feeds
from campaigns import account_table, keys
from campaigns.account_table import AccountTable
from campaigns.attachments import Attachments
from campaigns.catalog import Catalog
from campaigns.controls import Controls
from campaigns.db import connection, schema
from campaigns.db.scripts import Scripts, load_all
from campaigns.db.server import Writing
from campaigns.events import AccountBrake, ProviderEvents
from campaigns.history import History
from campaigns.ledger import Ledger
from campaigns.link_marks import LinkMarks
from campaigns.progress import Progress
from campaigns.throughput import Throughput
from campaigns.trial_limit import TrialLimit
from campaigns.webhook_figures import WebhookFigures
from consent.address_reports import AddressReports
from consent.dns_records import DnsTxtRecords, TxtRecords
from consent.links import Links
from consent.recipient_links import RecipientLinks
from consent.suppressions import Names, Suppressions
from mail import providers
from mail.providers import OnDemand, Provider
from mail.providers.sns import Sns
from settings import Settings
from storage import MissingObject, ObjectStore

#: The keys and objects of the suppression list.
_NAMES: Final = Names(keys.SUPPRESSIONS, keys.SUPPRESSIONS_JOURNAL, keys.SUPPRESSION_OBJECTS, keys.HISTORY)


@dataclass(frozen=True, slots=True)
class Components:
    """All objects that a handler may need."""

    settings: Settings
    redis: Redis
    store: ObjectStore
    catalog: Catalog
    controls: Controls
    progress: Progress
    history: History
    throughput: Throughput
    ledger: Ledger
    events: ProviderEvents
    link_marks: LinkMarks
    webhook_figures: WebhookFigures
    attachments: Attachments
    trial_limit: TrialLimit
    accounts: AccountTable
    providers: Mapping[str, Provider]  # by the name of the account
    sns: Sns = field(repr=False)
    feeds: Feeds = field(repr=False)
    refusal_log: RefusalLog = field(repr=False)
    writing: Writing = field(repr=False)
    suppressions: Suppressions = field(repr=False)
    address_reports: AddressReports = field(repr=False)
    dns: TxtRecords = field(repr=False)
    links: Links | None = field(repr=False)  # None: SECRET_KEY is not set
    recipient_links: RecipientLinks | None = field(repr=False)  # the same


def build(settings: Settings, **overrides: Any) -> Components:
    """Build the components from the settings; those given by name replace the built ones."""
    load_all()
    redis = overrides.pop("redis", None) or connect(settings.redis_url, allow_unsafe=settings.allow_unsafe_redis)
    writing = Writing(redis)
    accounts = account_table.of_settings(settings)
    progress = overrides.pop("progress", None) or Progress(redis, accounts, writing)
    parts: dict[str, Any] = {
        "catalog": Catalog(redis, settings.default_tpm),
        "controls": Controls(redis),
        "history": History(redis),
        "throughput": Throughput(redis),
        "ledger": Ledger(redis, accounts, settings.send_timeout_s),
        "events": ProviderEvents(redis, _account_brake(settings)),
        "link_marks": LinkMarks(redis),
        "webhook_figures": WebhookFigures(redis),
        "attachments": Attachments(redis),
        "trial_limit": TrialLimit(redis, accounts),
        "accounts": accounts,
        "providers": {
            name: OnDemand(partial(providers.build, account, settings)) for name, account in settings.accounts.items()
        },
        "sns": Sns(settings.ses_topic_arns),
        "feeds": Feeds(progress),
        "refusal_log": RefusalLog(),
        "writing": writing,
        "dns": DnsTxtRecords(),
    }
    if "store" not in overrides:
        parts["store"] = ObjectStore(settings.s3_bucket, settings.s3_endpoint_url, settings.s3_public_endpoint_url)
    parts |= overrides
    parts.setdefault("links", _links(settings))
    if "suppressions" not in parts:
        parts["suppressions"] = _suppressions(redis, parts["store"])
    parts["address_reports"] = AddressReports(Scripts(redis), _NAMES, parts["suppressions"])
    parts.setdefault("recipient_links", _recipient_links(settings, parts["links"], parts["suppressions"]))
    return Components(settings=settings, redis=redis, progress=progress, **parts)


def _account_brake(settings: Settings) -> AccountBrake | None:
    bounce, complaint = settings.brake_bounce_pct, settings.brake_complaint_pct
    if bounce is None and complaint is None:
        return None
    return AccountBrake(bounce, complaint, settings.brake_after, settings.brake_hours)


def _links(settings: Settings) -> Links | None:
    return Links(settings.secret_key, settings.secret_key_previous) if settings.secret_key else None


def _recipient_links(settings: Settings, links: Links | None, suppressions: Suppressions) -> RecipientLinks | None:
    return RecipientLinks(links, suppressions, settings.public_url, settings.unsubscribe_mailto) if links else None


def _suppressions(redis: Redis, store: ObjectStore) -> Suppressions:
    return Suppressions(Scripts(redis), store, _NAMES, MissingObject)


def connect(redis_url: str, *, allow_unsafe: bool = False) -> Redis:
    """A client that fails within seconds when Redis is unreachable or unsafe to use, and never hangs.

    The client sends no health check: that would be a PING, which Redis refuses when it cannot write to its disk, while
    it still serves reads. If an idle connection is lost, the next command uses the one retry.

    Args:
        redis_url: the address of Redis.
        allow_unsafe: whether to use a Redis that may lose writes.
    """
    return Redis.from_url(
        redis_url,
        socket_connect_timeout=2.0,
        socket_timeout=5.0,
        **connection.kept_alive(redis_url),
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.05), retries=1),
        redis_connect_func=partial(schema.on_connect, allow_unsafe=allow_unsafe),
    )


def of(request: Request) -> Components:
    """The components of the application that received the request."""
    components: Components = request.app.state.components
    return components
