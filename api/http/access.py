"""Who may talk to the server: the owner of the API token, or, without one, programs on this machine.

Knows no users and no roles. A browser is a danger of its own, since any web page can make it send requests here: such
requests are told by what browsers say about them (Fetch Metadata, Origin) and by the Host name that they came for (DNS
rebinding). Both are looked at in every mode. A reverse proxy is the other danger: whoever comes through one on this
machine seems to come from this machine, so that a server behind a proxy needs a token.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http import errors

#: What anybody may ask: whether the process lives, whether it is ready, and what carries a signature of its own.
OPEN_PATHS: Final = frozenset({"/healthz", "/readyz", "/webhooks/sendgrid"})
#: Headers that proxies add (RFC 9110, 7.6.3; RFC 7239; and what is in use without a standard), besides `x-forwarded-*`.
PROXY_HEADERS: Final = frozenset({
    "forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "x-original-forwarded-for",
    "x-proxyuser-ip", "true-client-ip", "cf-connecting-ip", "fastly-client-ip", "fly-client-ip",
})  # fmt: skip
_FORWARDED: Final = "x-forwarded"
#: Left out by browsers where it is the scheme's own, and put in by some proxies.
_DEFAULT_PORTS: Final = frozenset({80, 443})
#: How much of a refused header is shown.
_SHOWN_CHARS: Final = 100


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that decide.

    Attributes:
        token: the API token; None: none is asked for.
        anonymous: without a token, answer everybody instead of this machine only.
        public_url: the address under which the server is known to browsers; its own pages come from there.
        hosts: more names under which it is called; `*.` and a name: all names below that one.
    """

    token: str | None = field(repr=False)
    anonymous: bool
    public_url: str
    hosts: tuple[str, ...] = ()


class Site(NamedTuple):
    """A host as Host and Origin name it: in lower case, without IPv6 brackets; None: the scheme's own port."""

    name: str
    port: int | None


class Access:
    """Answers 401 or 403 to those who may not, and passes the others on.

    Args:
        app: what is protected.
        policy: the settings that decide.
        is_page: whether a path belongs to the page, which asks for the token itself.
    """

    def __init__(self, app: ASGIApp, policy: Policy, is_page: Callable[[str], bool]) -> None:
        self._app = app
        self._policy = policy
        self._is_page = is_page
        self._public = site_of(urlsplit(policy.public_url).netloc)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request pass, or answer it here. There are no WebSockets: they are closed."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await (self._refusal(scope) or self._app)(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})

    def _refusal(self, scope: Scope) -> Response | None:
        if scope["path"] in OPEN_PATHS:
            return None
        headers = Headers(scope=scope)
        found = self._misled(scope, headers)
        if found is not None:
            return _forbidden(found)
        if self._policy.token is None:
            found = self._not_from_here(scope, headers)
            return _forbidden(found) if found is not None else None
        return None if self._is_page(scope["path"]) or _bears(headers, self._policy.token) else _unauthorized()

    def _misled(self, scope: Scope, headers: Headers) -> str | None:
        """Why a browser may have been misled into sending this; None: it was not."""
        hosts = headers.getlist("host")
        host = site_of(hosts[0]) if len(hosts) == 1 else None
        if host is None or not self._is_ours(host):
            return (
                f"Host {_shown(hosts)} is no name of this server: call it as localhost or by PUBLIC_URL, or add the "
                "name to ALLOWED_HOSTS on the server."
            )
        origins = headers.getlist("origin")
        if origins and not self._is_our_page(origins, host):
            return (
                f"Origin {_shown(origins)} is another site, whose pages may not call this server: set PUBLIC_URL, or "
                "add the name to ALLOWED_HOSTS on the server, if it is this server's own."
            )
        # Following a link to us is fine; a form that another site submits has an Origin, or another method.
        follows_link = scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate"
        if headers.get("sec-fetch-site") == "cross-site" and not follows_link:
            return "Pages of other sites may not call this server: open its own page, or call it from a program."
        return None

    def _not_from_here(self, scope: Scope, headers: Headers) -> str | None:
        """Without a token: why the client is not known to be on this machine; None: it is, or need not be."""
        passed = sorted(name for name in headers if name in PROXY_HEADERS or name.startswith(_FORWARDED))
        if passed:
            return (
                f"This came through a proxy ({_shown(passed[:1])}), behind which everybody seems to be on this machine:"
                " set API_TOKEN on the server, and send it as Authorization: Bearer <token>."
            )
        if not self._policy.anonymous and not _is_loopback(scope):
            return "Without an API token only this machine is answered: set API_TOKEN on the server."
        return None

    def _is_ours(self, host: Site) -> bool:
        if host.name == "localhost" or host.name.endswith(".localhost") or self._is_listed(host.name):
            return True
        if self._public is not None and host.name == self._public.name:
            return True
        address = _address(host.name)
        # Rebinding takes a name. Without a token an address of the network is none by which we should be called.
        return address is not None and (address.is_loopback or self._policy.token is not None)

    def _is_listed(self, name: str) -> bool:
        return any(name.endswith(host[1:]) if host.startswith("*.") else name == host for host in self._policy.hosts)

    def _is_our_page(self, origins: list[str], host: Site) -> bool:
        scheme, separator, rest = origins[0].partition("://")
        site = site_of(rest) if separator and scheme.lower() in {"http", "https"} and len(origins) == 1 else None
        return site is not None and (site in {host, self._public} or self._is_listed(site.name))


def site_of(netloc: str) -> Site | None:
    """What a Host header, or an Origin after its scheme, names; None where it makes no sense. Never raises."""
    if not netloc or any(mark in netloc for mark in "@/?#\\") or not netloc.isprintable() or " " in netloc:
        return None
    try:
        parts = urlsplit(f"//{netloc}")
        name, port = parts.hostname, parts.port
    except ValueError:
        return None
    return Site(name, None if port in _DEFAULT_PORTS else port) if name else None


def _bears(headers: Headers, token: str) -> bool:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    # Headers come decoded as Latin-1. Compared in constant time, so that the time of the answer tells nothing.
    return hmac.compare_digest(given.strip().encode("latin-1"), token.encode()) and scheme.lower() == "bearer"


def _is_loopback(scope: Scope) -> bool:
    client = scope.get("client")
    address = _address(client[0]) if client else None
    return address is not None and address.is_loopback


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(name)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _shown(values: list[str]) -> str:
    return repr(", ".join(values)[:_SHOWN_CHARS])


def _unauthorized() -> Response:
    detail = "Send the server's API token as Authorization: Bearer <token>."
    return errors.answer(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": "Bearer"})


def _forbidden(detail: str) -> Response:
    return errors.answer(HTTPStatus.FORBIDDEN, detail)
