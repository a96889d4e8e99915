"""The only reader of the environment.

This module reads and checks every setting of `docs/operations.md` once, at the start, and gives it its unit. Nothing
else in the project reads `os.environ`; components get their settings by constructor.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

T = TypeVar("T")

PROVIDERS = ("sendgrid", "smtp", "ses", "outbox")

#: The highest rate a campaign can have, in transactions per minute.
MAX_TPM = 10_000_000

HIGHEST_PORT = 65_535

DAY_S = 86_400

#: The fewest characters of a secret that signs.
SECRET_KEY_CHARS = 32

#: A whole number in ASCII. `str.isdigit` also accepts "²", which `int` refuses; `int` also refuses very long numbers.
_DIGITS = re.compile(r"[0-9]{1,9}")
#: A name of this server: letters, digits, `.`, `-`, `_`, an IP address, or `*.` and a name.
_HOST = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|\[?[0-9a-f:.]+\]?")
#: An email address in ASCII whose domain has a dot.
_MAILBOX = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
#: The path of a Redis address: the number of a database, or nothing.
_DATABASE = re.compile(r"/?[0-9]{0,5}")
_REGION = re.compile(r"[a-z]{2,3}(-[a-z]{2,12}){1,3}-[0-9]{1,2}")
_CONFIGURATION_SET = re.compile(r"[A-Za-z0-9_-]{1,64}")
_AWS_KEY = re.compile(r"[!-~]{1,256}")
_TOPIC_ARN = re.compile(rf"arn:aws(-[a-z]+)*:sns:{_REGION.pattern}:[0-9]{{12}}:[A-Za-z0-9_-]{{1,256}}")
_REDIS_FORM = (
    "expected redis://, rediss:// (both user:password@host:port/number) or unix://; in a user or password write %, /, "
    "?, #, @, : and brackets as %25, %2F, %3F, %23, %40, %3A, %5B and %5D"
)


#: A domain name or an IPv4 address, without the wildcard that `_HOST` allows.
_SERVER = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
_SMTP_FORM = (
    "expected smtp://user:password@host:587 or smtps://user:password@host:465; in a user or password write %, /, ?, #, "
    "@ and : as %25, %2F, %3F, %23, %40 and %3A"
)
#: The endings of names that no public DNS answers: RFC 6762 (local), RFC 8375 (home.arpa), ICANN's reservation of
#: `internal`. A name without a dot is private too, such as the name of a container.
_PRIVATE_NAMES = (".local", ".internal", ".home.arpa", ".localhost")


class SettingError(SystemExit):
    """A setting has a wrong value. This exception stops the start with one clear line."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"postrider: setting {name}: {problem}")


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """The SMTP server of `SMTP_URL`, and how to reach it.

    Args:
        host: its name or IP address, without brackets.
        user, password: what to authenticate with; both None: without authentication.
        tls: `implicit` (TLS from the first byte), `starttls` (STARTTLS is required), `offered` (STARTTLS if the server
            offers it) or `none`.
    """

    host: str
    port: int
    user: str | None
    password: str | None = field(repr=False)
    tls: str


@dataclass(frozen=True, slots=True)
class SesAccount:
    """The Amazon SES account of `SES_REGION`.

    Args:
        region: the AWS region, such as `eu-west-1`.
        endpoint_url: the base URL of the API, without a slash at its end.
        configuration_set: the configuration set of each email; None: the default one of the sender's identity.
        access_key_id, secret_access_key: permanent credentials; both "": those of the usual AWS places.
    """

    region: str
    endpoint_url: str
    configuration_set: str | None
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)


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
    email_provider: str
    sendgrid_api_key: str | None = field(repr=False)
    sendgrid_api_url: str
    smtp: SmtpServer | None
    smtp_connections: int  # of one worker process
    smtp_messages_per_connection: int
    outbox_dir: Path
    ses: SesAccount | None  # None unless EMAIL_PROVIDER is ses
    ses_topic_arns: tuple[str, ...]
    default_tpm: int
    provider_tpm: int | None
    domain_tpm: Mapping[str, int]
    send_timeout_s: float
    max_retries: int
    retry_min_backoff_s: float
    retry_max_backoff_s: float
    reconcile_every_s: float
    resend_quiet_s: float
    sendgrid_webhook_public_key: str | None
    webhook_max_age_s: float
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


class _Environment:
    """Typed look-ups in a mapping, each failing with the setting's name."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str, default: str | None = None) -> str | None:
        value = self._values.get(name, "").strip()
        return value or default

    def required_text(self, name: str, default: str) -> str:
        return self.text(name) or default

    def _number(self, name: str, default: T, convert: Callable[[str], T]) -> T:
        raw = self.text(name)
        if raw is None:
            return default
        try:
            return convert(raw)
        except ValueError:
            raise SettingError(name, f"{raw!r} is not a number") from None

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        return self._within(name, self._number(name, default, int), low, high)

    def seconds(self, name: str, default: float, low: float, high: float) -> float:
        return self._within(name, self._number(name, default, float), low, high)

    @staticmethod
    def _within(name: str, value: T, low: T, high: T) -> T:
        if not low <= value <= high:  # type: ignore[operator]
            raise SettingError(name, f"{value} is not within {low} to {high}")
        return value

    def limits(self, name: str) -> Mapping[str, int]:
        """`gmail.com=600,*=300`: one limit per domain."""
        found: dict[str, int] = {}
        for part in filter(None, (part.strip() for part in self.required_text(name, "").split(","))):
            domain, separator, limit = part.partition("=")
            if not separator or not domain.strip() or not _DIGITS.fullmatch(limit.strip()):
                raise SettingError(name, f"{part!r} is not of the form domain=limit")
            found[domain.strip().lower()] = self._within(name, int(limit), 1, MAX_TPM)
        return found

    def flag(self, name: str, default: bool) -> bool:
        raw = (self.text(name) or str(default)).lower()
        if raw not in {"true", "false", "1", "0", "yes", "no"}:
            raise SettingError(name, f"{raw!r} is neither true nor false")
        return raw in {"true", "1", "yes"}

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.required_text(name, default).lower()
        if value not in allowed:
            raise SettingError(name, f"{value!r} is not one of {', '.join(allowed)}")
        return value

    def secret(self, name: str) -> str | None:
        """A value that no error message may show, not even in part."""
        value = self.text(name)
        if value is not None and not value.isprintable():
            raise SettingError(name, "has a line break or a control character in it; give it as one line")
        return value

    def key(self, name: str) -> str | None:
        """A secret that signs."""
        value = self.secret(name)
        if value is not None and len(value) < SECRET_KEY_CHARS:
            problem = (
                f"has {len(value)} characters; give at least {SECRET_KEY_CHARS}, for example: openssl rand -hex 32"
            )
            raise SettingError(name, problem)
        return value

    def mailbox(self, name: str) -> str | None:
        """An email address alone, without a name."""
        value = self.text(name)
        if value is not None and not _MAILBOX.fullmatch(value):
            raise SettingError(name, f"{value!r} is no email address; expected name@example.com")
        return value

    def hosts(self, name: str) -> tuple[str, ...]:
        """`web,*.example.com`: host names without port."""
        found = [part.strip().lower() for part in self.required_text(name, "").split(",")]
        for host in filter(None, found):
            if not _HOST.fullmatch(host):
                raise SettingError(name, f"{host!r} is no host name; expected names without scheme, port and path")
        return tuple(host.strip("[]") for host in found if host)

    def url(self, name: str, default: str | None, schemes: tuple[str, ...]) -> str | None:
        value = self.text(name, default)
        if value is None:
            return None
        parts = _split(value)
        if parts is None or parts.scheme not in schemes or not parts.hostname:
            starts = " or ".join(f"{scheme}://" for scheme in schemes)
            raise SettingError(name, f"expected an address that starts with {starts} and names a host")
        if parts.username is not None:
            raise SettingError(
                name, "has a user or a password in it, which is not used; leave out what stands before @"
            )
        return value.rstrip("/")


def _split(url: str) -> SplitResult | None:
    """The parts of a URL; None if it is malformed. The library's error is dropped, because it may show a password."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if url.isprintable() and " " not in url else None


def load(environ: Mapping[str, str]) -> Settings:
    """Read and check all settings.

    Raises:
        SettingError: naming the first setting with a wrong value.
    """
    env = _Environment(environ)
    key = env.secret("SENDGRID_API_KEY")
    provider = env.choice("EMAIL_PROVIDER", _default_provider(env), PROVIDERS)
    if provider == "sendgrid" and not key:
        raise SettingError("SENDGRID_API_KEY", "needed for EMAIL_PROVIDER=sendgrid")
    var_dir = Path(env.required_text("VAR_DIR", "var"))
    s3_endpoint = env.url("S3_ENDPOINT_URL", None, ("http", "https"))
    smtp = _smtp_server("SMTP_URL", env.secret("SMTP_URL"))
    if provider == "smtp" and smtp is None:
        raise SettingError("SMTP_URL", "needed for EMAIL_PROVIDER=smtp: smtp://user:password@host:587")
    port = env.integer("PORT", 8080, 1, HIGHEST_PORT)
    min_backoff_s = env.seconds("RETRY_MIN_BACKOFF_S", 1.0, 0.01, DAY_S)
    return Settings(
        redis_url=_redis_url(env),
        redis_given=bool(env.text("REDIS_URL") or env.text("REDIS_ADDR")),
        allow_unsafe_redis=env.flag("ALLOW_UNSAFE_REDIS", False),
        s3_bucket=env.required_text("S3_BUCKET", "my-bucket"),
        s3_endpoint_url=s3_endpoint,
        s3_public_endpoint_url=env.url("S3_PUBLIC_ENDPOINT_URL", s3_endpoint, ("http", "https")),
        workers=env.integer("WORKERS", 10, 1, 1000),
        worker_processes=env.integer("WORKER_PROCESSES", 2, 1, 64),
        port=port,
        email_provider=provider,
        sendgrid_api_key=key,
        sendgrid_api_url=str(env.url("SENDGRID_API_URL", "https://api.sendgrid.com", ("http", "https"))),
        smtp=smtp,
        smtp_connections=env.integer("SMTP_CONNECTIONS", 10, 1, 1000),
        smtp_messages_per_connection=env.integer("SMTP_MESSAGES_PER_CONNECTION", 100, 1, 1_000_000),
        outbox_dir=Path(env.required_text("OUTBOX_DIR", str(var_dir / "outbox"))),
        ses=_ses_account(env) if provider == "ses" else None,
        ses_topic_arns=_topic_arns(env, "SES_TOPIC_ARN"),
        default_tpm=env.integer("DEFAULT_TPM", 1000, 1, MAX_TPM),
        provider_tpm=env.integer("PROVIDER_TPM", 0, 0, MAX_TPM) or None,
        domain_tpm=env.limits("DOMAIN_TPM"),
        send_timeout_s=env.seconds("SEND_TIMEOUT_S", 15.0, 0.1, 300),
        max_retries=env.integer("MAX_RETRIES", 8, 0, 100),
        retry_min_backoff_s=min_backoff_s,
        retry_max_backoff_s=env.seconds("RETRY_MAX_BACKOFF_S", max(300.0, min_backoff_s), min_backoff_s, DAY_S),
        reconcile_every_s=env.seconds("RECONCILE_EVERY_S", 60.0, 0.5, DAY_S),
        resend_quiet_s=env.seconds("RESEND_QUIET_S", 900.0, 0, 30 * DAY_S),
        sendgrid_webhook_public_key=_webhook_key(env),
        webhook_max_age_s=env.seconds("WEBHOOK_MAX_AGE_S", 300.0, 1, 7 * DAY_S),
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


def _default_provider(env: _Environment) -> str:
    """The provider whose credentials are set: SendGrid before SMTP, and the outbox without any."""
    if env.text("SENDGRID_API_KEY"):
        return "sendgrid"
    return "smtp" if env.text("SMTP_URL") else "outbox"


def _smtp_server(name: str, url: str | None) -> SmtpServer | None:
    """The server of an SMTP address; None without one. `name` is the setting's, for errors, which show no password."""
    if url is None:
        return None
    parts = _split(url)
    if parts is None or parts.scheme not in {"smtp", "smtps"} or not parts.hostname or parts.fragment:
        raise SettingError(name, _SMTP_FORM)
    host = parts.hostname.removesuffix(".")
    if parts.path not in {"", "/"} or parts.port == 0 or not (_address(host) or _SERVER.fullmatch(host)):
        raise SettingError(name, _SMTP_FORM)
    user, password = _credentials(name, parts)
    server = SmtpServer(
        host=host,
        port=parts.port or (465 if parts.scheme == "smtps" else 587),
        user=user,
        password=password,
        tls=_smtp_tls(name, parts),
    )
    if server.tls == "none":
        _check_plain_text(name, server)
    return server


def _credentials(name: str, parts: SplitResult) -> tuple[str | None, str | None]:
    if parts.username is None and parts.password is None:
        return None, None
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not user or not password:
        raise SettingError(name, f"has only one of user and password; {_SMTP_FORM}")
    if not f"{user}{password}".isprintable():
        raise SettingError(name, "the user or the password has a control character in it; remove it")
    return user, password


def _smtp_tls(name: str, parts: SplitResult) -> str:
    choices = {"": "offered", "tls=starttls": "starttls", "tls=none": "none"}
    if parts.scheme == "smtps":
        choices = {"": "implicit"}
    if parts.query not in choices:
        raise SettingError(
            name,
            "unknown text after ?; allowed are ?tls=starttls and ?tls=none after smtp://, and nothing after smtps://",
        )
    return choices[parts.query]


def _check_plain_text(name: str, server: SmtpServer) -> None:
    """`tls=none` sends emails unencrypted: to private hosts only; and a password to this machine only (RFC 4954, 4)."""
    address = _address(server.host)
    is_loopback = address.is_loopback if address else server.host == "localhost"
    is_private = address.is_private if address else "." not in server.host or server.host.endswith(_PRIVATE_NAMES)
    if not is_private:
        raise SettingError(
            name,
            f"tls=none is only for this machine and private networks, and {server.host} is neither; remove tls=none",
        )
    if server.user is not None and not is_loopback:
        raise SettingError(name, "a password is not sent without TLS; remove tls=none, or the user and the password")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _ses_account(env: _Environment) -> SesAccount:
    """The SES account. With another S3 server, the AWS_* variables are those of that server, so its region is not used.

    `make run` sets them so, too.
    """
    usual = None if env.text("S3_ENDPOINT_URL") else env.text("AWS_REGION") or env.text("AWS_DEFAULT_REGION")
    region = env.text("SES_REGION", usual)
    if region is None:
        raise SettingError("SES_REGION", "needed for EMAIL_PROVIDER=ses: the AWS region of SES, such as eu-west-1")
    if not _REGION.fullmatch(region):
        raise SettingError("SES_REGION", f"{region!r} is not an AWS region; expected a name such as eu-west-1")
    configuration_set = env.text("SES_CONFIGURATION_SET")
    if configuration_set and not _CONFIGURATION_SET.fullmatch(configuration_set):
        raise SettingError("SES_CONFIGURATION_SET", "expected 1 to 64 letters, digits, _ and -")
    key_id, secret = env.secret("SES_ACCESS_KEY_ID") or "", env.secret("SES_SECRET_ACCESS_KEY") or ""
    for name, value in (("SES_ACCESS_KEY_ID", key_id), ("SES_SECRET_ACCESS_KEY", secret)):
        if bool(key_id) != bool(secret) and not value:
            raise SettingError(name, "missing; set both SES_ACCESS_KEY_ID and SES_SECRET_ACCESS_KEY, or neither")
        if value and not _AWS_KEY.fullmatch(value):
            raise SettingError(name, "contains a character that no AWS key has; copy it again")
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    url = str(env.url("SES_ENDPOINT_URL", f"https://email.{region}.{domain}", ("http", "https")))
    return SesAccount(region, url, configuration_set, key_id, secret)


def _topic_arns(env: _Environment, name: str) -> tuple[str, ...]:
    """`arn:aws:sns:eu-west-1:123456789012:events`, or several of them with commas."""
    found = tuple(filter(None, (part.strip() for part in env.required_text(name, "").split(","))))
    for arn in found:
        if not _TOPIC_ARN.fullmatch(arn):
            raise SettingError(name, f"{arn!r} is not an SNS topic; expected arn:aws:sns:region:account:name")
    return found


def _webhook_key(env: _Environment) -> str | None:
    name = "SENDGRID_WEBHOOK_PUBLIC_KEY"
    key = env.text(name)
    if key is None:
        return None
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - slow to import, and seldom needed

    try:
        found = serialization.load_der_public_key(base64.b64decode(key, validate=True))
    except Exception:  # noqa: BLE001 - after any error the value is no usable key
        found = None
    if getattr(getattr(found, "curve", None), "name", "") != "secp256r1":
        raise SettingError(name, "expected the verification key as SendGrid shows it, one line of base64")
    return key


def _redis_url(env: _Environment) -> str:
    url = env.text("REDIS_URL")
    if url is not None:
        if not _is_redis_url(url):
            raise SettingError("REDIS_URL", _REDIS_FORM)
        return url.rstrip("/")
    host, separator, port = env.required_text("REDIS_ADDR", "localhost:6379").rpartition(":")
    if (
        not separator
        or not _HOST.fullmatch(host.lower())
        or not _DIGITS.fullmatch(port)
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

    parts = _split(url)
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
