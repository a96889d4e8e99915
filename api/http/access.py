"""Access control: requests with the API token, or, if none is set, requests from this machine.

There are no users and no roles. Two risks remain, and every request is checked for both:

- Any web page can make a browser send requests here. The headers Sec-Fetch-Site and Origin reveal such requests, and
  the Host header reveals DNS rebinding.
- Requests through a reverse proxy on this machine seem to come from this machine. A server behind a proxy therefore
  needs a token.
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

#: Paths that need no token: liveness, readiness, and the webhook, whose requests carry a signature.
OPEN_PATHS: Final = frozenset({"/healthz", "/readyz", "/webhooks/sendgrid", "/webhooks/ses"})
#: Paths below this one need no token either: unsubscribe links, whose last part is signed (RFC 8058).
OPEN_PREFIX: Final = "/u/"
#: Headers that proxies add (RFC 9110, 7.6.3; RFC 7239; and customary ones), besides `x-forwarded-*`.
PROXY_HEADERS: Final = frozenset({
    "forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "x-original-forwarded-for",
    "x-proxyuser-ip", "true-client-ip", "cf-connecting-ip", "fastly-client-ip", "fly-client-ip",
})  # fmt: skip
_FORWARDED: Final = "x-forwarded"
#: Ports that count as no port: browsers leave the scheme's default port out, some proxies add it.
_DEFAULT_PORTS: Final = frozenset({80, 443})
#: The most characters of a refused header that an error shows.
_SHOWN_CHARS: Final = 100


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that decide about access.

    Attributes:
        token: the API token; None: requests need no token.
        anonymous: without a token, accept requests from everywhere instead of this machine only.
        public_url: the server's URL in browsers; its own pages have this origin.
        hosts: further host names of the server; `*.example.com` stands for all names below `example.com`.
    """

    token: str | None = field(repr=False)
    anonymous: bool
    public_url: str
    hosts: tuple[str, ...] = ()


class Site(NamedTuple):
    """A host from a Host or Origin header: lower case, no IPv6 brackets; `port` None: the scheme's default port."""

    name: str
    port: int | None


class Access:
    """Refuses requests that are not allowed with 401 or 403, and passes the others on.

    Args:
        app: the application to protect.
        policy: the settings that decide about access.
        is_page: whether a path belongs to the page, which loads without a token and then asks for it.
    """

    def __init__(self, app: ASGIApp, policy: Policy, is_page: Callable[[str], bool]) -> None:
        self._app = app
        self._policy = policy
        self._is_page = is_page
        self._public = site_of(urlsplit(policy.public_url).netloc)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it. The application has no WebSockets, so they are closed."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await (self._refusal(scope) or self._app)(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})

    def _refusal(self, scope: Scope) -> Response | None:
        if scope["path"] in OPEN_PATHS or scope["path"].startswith(OPEN_PREFIX):
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
        """Why another site may have made a browser send this request; None: no sign of it."""
        hosts = headers.getlist("host")
        host = site_of(hosts[0]) if len(hosts) == 1 else None
        if host is None or not self._is_ours(host):
            return (
                f"Host {_shown(hosts)} is not a name of this server: use localhost or PUBLIC_URL, or add the name to "
                "ALLOWED_HOSTS on the server."
            )
        origins = headers.getlist("origin")
        if origins and not self._is_our_page(origins, host):
            return (
                f"Origin {_shown(origins)} is another site, and its pages may not call this server. If it is this "
                "server, set PUBLIC_URL or add the name to ALLOWED_HOSTS on the server."
            )
        # A link from another site to ours is fine. A form that another site submits has an Origin or another method.
        follows_link = scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate"
        if headers.get("sec-fetch-site") == "cross-site" and not follows_link:
            return "Pages of other sites may not call this server: use this server's page, or call it from a program."
        return None

    def _not_from_here(self, scope: Scope, headers: Headers) -> str | None:
        """Without a token: why the client may be on another machine; None: it is on this one, or may be anywhere."""
        passed = sorted(name for name in headers if name in PROXY_HEADERS or name.startswith(_FORWARDED))
        if passed:
            return (
                f"This request came through a proxy ({_shown(passed[:1])}), which hides where it came from: set "
                "API_TOKEN on the server, and send it as Authorization: Bearer <token>."
            )
        if not self._policy.anonymous and not _is_loopback(scope):
            return "Without an API token, only requests from this machine are accepted: set API_TOKEN on the server."
        return None

    def _is_ours(self, host: Site) -> bool:
        if host.name == "localhost" or host.name.endswith(".localhost") or self._is_listed(host.name):
            return True
        if self._public is not None and host.name == self._public.name:
            return True
        address = _address(host.name)
        # DNS rebinding needs a name, so an IP address is safe. Without a token, only a loopback address is expected.
        return address is not None and (address.is_loopback or self._policy.token is not None)

    def _is_listed(self, name: str) -> bool:
        return any(name.endswith(host[1:]) if host.startswith("*.") else name == host for host in self._policy.hosts)

    def _is_our_page(self, origins: list[str], host: Site) -> bool:
        scheme, separator, rest = origins[0].partition("://")
        site = site_of(rest) if separator and scheme.lower() in {"http", "https"} and len(origins) == 1 else None
        return site is not None and (site in {host, self._public} or self._is_listed(site.name))


def site_of(netloc: str) -> Site | None:
    """The site in a Host header, or in an Origin without its scheme; None if it is malformed. Never raises."""
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
    # Starlette decodes headers as Latin-1. The comparison takes constant time, so that timing reveals nothing.
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
    detail = "This request needs the server's API token: send it as Authorization: Bearer <token>."
    return errors.answer(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": "Bearer"})


def _forbidden(detail: str) -> Response:
    return errors.answer(HTTPStatus.FORBIDDEN, detail)
