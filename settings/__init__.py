"""The only reader of the environment.

This package reads and checks every setting of `docs/operations.md` once, at the start, and gives it its unit. Nothing
else in the project reads `os.environ`; components get their settings by constructor.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl

from settings import accounts, names, ses
from settings.accounts import ACCOUNT_SETTINGS, DEFAULT, PROVIDERS, ProviderAccount, prefix
from settings.environment import DIGITS, HOST, MAX_TPM, SECRET_KEY_CHARS, Environment, SettingError, split_url
from settings.ses import SesAccount
from settings.smtp import SmtpServer

__all__ = [
    "DEFAULT",
    "MAX_TPM",
    "PROVIDERS",
    "SECRET_KEY_CHARS",
    "ProviderAccount",
    "SesAccount",
    "SettingError",
    "Settings",
    "SmtpServer",
    "current",
    "load",
]

HIGHEST_PORT = 65_535

DAY_S = 86_400

#: The sizes of a secret of Standard Webhooks, in bytes.
MIN_EVENTS_SECRET = 24
MAX_EVENTS_SECRET = 64

#: The path of a Redis address: the number of a database, or nothing.
_DATABASE = re.compile(r"/?[0-9]{0,5}")
_REDIS_FORM = (
    "expected redis://, rediss:// (both user:password@host:port/number) or unix://; in a user or password write %, /, "
    "?, #, @, : and brackets as %25, %2F, %3F, %23, %40, %3A, %5B and %5D"
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a process. Names and defaults: `docs/operations.md`."""

    redis_url: str = field(repr=False)  # not shown, because it may hold a password
    redis_given: bool  # else `make run` starts the embedded Redis
    allow_unsafe_redis: bool  # one without an append-only file
    s3_bucket: str
    s3_endpoint_url: str | None
    s3_public_endpoint_url: str | None
    workers: int
    worker_processes: int  # that `make run` starts
    port: int
    accounts: Mapping[str, ProviderAccount]  # `default` first
    fallback_after_s: float
    smtp_connections: int  # of one worker process and account
    smtp_messages_per_connection: int
    outbox_dir: Path
    ses_topic_arns: tuple[str, ...]
    default_tpm: int
    domain_tpm: Mapping[str, int]
    sendgrid_batch: int
    send_timeout_s: float
    max_retries: int
    retry_min_backoff_s: float
    retry_max_backoff_s: float
    reconcile_every_s: float
    resend_quiet_s: float
    retention_days: int | None  # None: the data of finished campaigns stay
    events_url: str | None
    events_secret: str | None = field(repr=False)
    events_allow_private: bool
    sendgrid_webhook_public_key: str | None
    webhook_max_age_s: float
    brake_bounce_pct: float | None  # of each account, as the next ones
    brake_complaint_pct: float | None
    brake_after: int
    brake_hours: int
    api_token: str | None = field(repr=False)
    api_token_file: Path | None
    secret_key: str | None = field(repr=False)
    secret_key_previous: str | None = field(repr=False)
    unsubscribe_mailto: str | None
    allow_anonymous: bool
    allowed_hosts: tuple[str, ...]
    public_url: str
    log_level: str
    log_format: str
    var_dir: Path
    warnings: tuple[str, ...] = ()  # about names that are probably meant as settings

    @property
    def email_provider(self) -> str:
        """The provider of the account `default`."""
        return self.accounts[DEFAULT].provider


def load(environ: Mapping[str, str]) -> Settings:
    """Read and check all settings.

    Raises:
        SettingError: naming the first setting with a wrong value.
    """
    env = Environment(environ)
    var_dir = Path(env.required_text("VAR_DIR", "var"))
    s3_endpoint = env.url("S3_ENDPOINT_URL", None, ("http", "https"))
    found = accounts.read(env)
    port = env.integer("PORT", 8080, 1, HIGHEST_PORT)
    events_allow_private = env.flag("EVENTS_ALLOW_PRIVATE", False)
    events_url = env.url("EVENTS_URL", None, ("https", "http") if events_allow_private else ("https",))
    min_backoff_s = env.seconds("RETRY_MIN_BACKOFF_S", 1.0, 0.01, DAY_S)
    settings = Settings(
        redis_url=_redis_url(env),
        redis_given=bool(env.text("REDIS_URL") or env.text("REDIS_ADDR")),
        allow_unsafe_redis=env.flag("ALLOW_UNSAFE_REDIS", False),
        s3_bucket=env.required_text("S3_BUCKET", "my-bucket"),
        s3_endpoint_url=s3_endpoint,
        s3_public_endpoint_url=env.url("S3_PUBLIC_ENDPOINT_URL", s3_endpoint, ("http", "https")),
        workers=env.integer("WORKERS", 10, 1, 1000),
        worker_processes=env.integer("WORKER_PROCESSES", 2, 1, 64),
        port=port,
        accounts=found,
        fallback_after_s=env.seconds("FALLBACK_AFTER_S", 60.0, 0, DAY_S),
        smtp_connections=env.integer("SMTP_CONNECTIONS", 10, 1, 1000),
        smtp_messages_per_connection=env.integer("SMTP_MESSAGES_PER_CONNECTION", 100, 1, 1_000_000),
        outbox_dir=Path(env.required_text("OUTBOX_DIR", str(var_dir / "outbox"))),
        ses_topic_arns=ses.topic_arns(env, "SES_TOPIC_ARN"),
        default_tpm=env.integer("DEFAULT_TPM", 1000, 1, MAX_TPM),
        domain_tpm=env.limits("DOMAIN_TPM"),
        sendgrid_batch=env.integer("SENDGRID_BATCH", 1, 1, 1000),
        send_timeout_s=env.seconds("SEND_TIMEOUT_S", 15.0, 0.1, 300),
        max_retries=env.integer("MAX_RETRIES", 8, 0, 100),
        retry_min_backoff_s=min_backoff_s,
        retry_max_backoff_s=env.seconds("RETRY_MAX_BACKOFF_S", max(300.0, min_backoff_s), min_backoff_s, DAY_S),
        reconcile_every_s=env.seconds("RECONCILE_EVERY_S", 60.0, 0.5, DAY_S),
        resend_quiet_s=env.seconds("RESEND_QUIET_S", 900.0, 0, 30 * DAY_S),
        retention_days=env.integer("RETENTION_DAYS", 0, 1, 36_500) if env.text("RETENTION_DAYS") else None,
        events_url=events_url,
        events_secret=_events_secret(env, events_url),
        events_allow_private=events_allow_private,
        sendgrid_webhook_public_key=_webhook_key(env),
        webhook_max_age_s=env.seconds("WEBHOOK_MAX_AGE_S", 25 * 3600.0, 1, 7 * DAY_S),
        brake_bounce_pct=env.percent("BRAKE_BOUNCE_PCT"),
        brake_complaint_pct=env.percent("BRAKE_COMPLAINT_PCT"),
        brake_after=env.integer("BRAKE_AFTER", 1000, 1, 10_000_000),
        brake_hours=env.integer("BRAKE_HOURS", 24, 1, 168),
        api_token=env.secret("API_TOKEN"),
        api_token_file=Path(token_file) if (token_file := env.text("API_TOKEN_FILE")) else None,
        secret_key=env.key("SECRET_KEY"),
        secret_key_previous=env.key("SECRET_KEY_PREVIOUS"),
        unsubscribe_mailto=env.mailbox("UNSUBSCRIBE_MAILTO"),
        allow_anonymous=env.flag("ALLOW_ANONYMOUS", False),
        allowed_hosts=env.hosts("ALLOWED_HOSTS"),
        public_url=str(env.url("PUBLIC_URL", f"http://localhost:{port}", ("http", "https"))),
        log_level=env.choice("LOG_LEVEL", "info", ("debug", "info", "warning", "error")),
        log_format=env.choice("LOG_FORMAT", "json", ("json", "console")),
        var_dir=var_dir,
    )
    return replace(settings, warnings=_warnings(environ, env, found))


def _warnings(environ: Mapping[str, str], env: Environment, found: Mapping[str, ProviderAccount]) -> tuple[str, ...]:
    own = {f"{prefix(name)}{ending}" for name in found for ending in ACCOUNT_SETTINGS if name != DEFAULT}
    of_default = {ending for ending in ACCOUNT_SETTINGS if ending not in accounts.OF_DEFAULT}
    return names.warnings(environ, env.asked | own | of_default, found)


def _events_secret(env: Environment, url: str | None) -> str | None:
    """The secret of `EVENTS_URL`: `whsec_` and base64 of 24 to 64 bytes (Standard Webhooks, "Signature scheme")."""
    name = "EVENTS_SECRET"
    secret = env.secret(name)
    if secret is None:
        if url is not None:
            raise SettingError(name, "EVENTS_URL needs it: whsec_ and the output of: openssl rand -base64 32")
        return None
    try:
        size = len(base64.b64decode(secret.removeprefix("whsec_"), validate=True))
    except ValueError:
        size = 0
    if not secret.startswith("whsec_") or not MIN_EVENTS_SECRET <= size <= MAX_EVENTS_SECRET:
        raise SettingError(name, "expected whsec_ and base64 of 24 to 64 bytes: openssl rand -base64 32")
    return secret


def _webhook_key(env: Environment) -> str | None:
    name = "SENDGRID_WEBHOOK_PUBLIC_KEY"
    key = env.text(name)
    if key is None:
        return None
    for one in key.split(","):
        _check_webhook_key(name, one.strip())
    return key


def _check_webhook_key(name: str, key: str) -> None:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - slow to import, and seldom needed

    try:
        found = serialization.load_der_public_key(base64.b64decode(key, validate=True))
    except Exception:  # noqa: BLE001 - after any error the value is no usable key
        found = None
    if getattr(getattr(found, "curve", None), "name", "") != "secp256r1":
        raise SettingError(
            name, "expected the verification key as SendGrid shows it, one line of base64; several keys with commas"
        )


def _redis_url(env: Environment) -> str:
    url = env.text("REDIS_URL")
    if url is not None:
        if not _is_redis_url(url):
            raise SettingError("REDIS_URL", _REDIS_FORM)
        return url.rstrip("/")
    host, separator, port = env.required_text("REDIS_ADDR", "localhost:6379").rpartition(":")
    if (
        not separator
        or not HOST.fullmatch(host.lower())
        or not DIGITS.fullmatch(port)
        or not 1 <= int(port) <= HIGHEST_PORT
    ):
        problem = f"expected host:port with a port from 1 to {HIGHEST_PORT}; a user or password goes into REDIS_URL"
        raise SettingError("REDIS_ADDR", problem)
    url = f"redis://{f'[{host}]' if ':' in host.strip('[]') and '[' not in host else host}:{port}/0"
    if not _is_redis_url(url):
        raise SettingError("REDIS_ADDR", "expected host:port")
    return url


def _is_redis_url(url: str) -> bool:
    """Whether the Redis client understands the URL as intended: it takes a `/` in a password for the host's end."""
    from redis.connection import parse_url  # noqa: PLC0415 - slow to import

    parts = split_url(url)
    if parts is None or parts.fragment or "#" in url:
        return False
    try:
        parse_qsl(parts.query, strict_parsing=bool(parts.query))
        parse_url(url)  # type: ignore[no-untyped-call]
    except ValueError:
        return False
    if parts.scheme == "unix":
        return bool(parts.path)
    return parts.scheme in {"redis", "rediss"} and bool(parts.hostname) and bool(_DATABASE.fullmatch(parts.path))


@cache
def current() -> Settings:
    """The settings of this process, read at the first call."""
    return load(os.environ)
