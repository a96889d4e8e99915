"""The SMTP server of an account."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, unquote

from settings.environment import Environment, split_url

SMTP_URL: Final = "SMTP_URL"

#: A domain name or an IPv4 address, without the wildcard that `environment.HOST` allows.
_SERVER = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
_SMTP_FORM = (
    "expected smtp://user:password@host:587 or smtps://user:password@host:465; in a user or password write %, /, ?, #, "
    "@ and : as %25, %2F, %3F, %23, %40 and %3A"
)
#: The endings of names that no public DNS answers: RFC 6762 (local), RFC 8375 (home.arpa), ICANN's reservation of
#: `internal`. A name without a dot is private too, such as the name of a container.
_PRIVATE_NAMES = (".local", ".internal", ".home.arpa", ".localhost")


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


def read(env: Environment) -> SmtpServer | None:
    """The server of `SMTP_URL`; None without it. Errors show no password."""
    url = env.secret(SMTP_URL)
    if url is None:
        return None
    parts = split_url(url)
    if parts is None or parts.scheme not in {"smtp", "smtps"} or not parts.hostname or parts.fragment:
        raise env.error(SMTP_URL, _SMTP_FORM)
    host = parts.hostname.removesuffix(".")
    if parts.path not in {"", "/"} or parts.port == 0 or not (_address(host) or _SERVER.fullmatch(host)):
        raise env.error(SMTP_URL, _SMTP_FORM)
    user, password = _credentials(env, parts)
    server = SmtpServer(
        host=host,
        port=parts.port or (465 if parts.scheme == "smtps" else 587),
        user=user,
        password=password,
        tls=_smtp_tls(env, parts),
    )
    if server.tls == "none":
        _check_plain_text(env, server)
    return server


def _credentials(env: Environment, parts: SplitResult) -> tuple[str | None, str | None]:
    if parts.username is None and parts.password is None:
        return None, None
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not user or not password:
        raise env.error(SMTP_URL, f"has only one of user and password; {_SMTP_FORM}")
    if not f"{user}{password}".isprintable():
        raise env.error(SMTP_URL, "the user or the password has a control character in it; remove it")
    return user, password


def _smtp_tls(env: Environment, parts: SplitResult) -> str:
    choices = {"": "offered", "tls=starttls": "starttls", "tls=none": "none"}
    if parts.scheme == "smtps":
        choices = {"": "implicit"}
    if parts.query not in choices:
        raise env.error(
            SMTP_URL,
            "unknown text after ?; allowed are ?tls=starttls and ?tls=none after smtp://, and nothing after smtps://",
        )
    return choices[parts.query]


def _check_plain_text(env: Environment, server: SmtpServer) -> None:
    """`tls=none` sends emails unencrypted: to private hosts only; and a password to this machine only (RFC 4954, 4)."""
    address = _address(server.host)
    is_loopback = address.is_loopback if address else server.host == "localhost"
    is_private = address.is_private if address else "." not in server.host or server.host.endswith(_PRIVATE_NAMES)
    if not is_private:
        raise env.error(
            SMTP_URL,
            f"tls=none is only for this machine and private networks, and {server.host} is neither; remove tls=none",
        )
    if server.user is not None and not is_loopback:
        raise env.error(SMTP_URL, "a password is not sent without TLS; remove tls=none, or the user and the password")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
