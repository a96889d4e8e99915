"""Who may talk to the server: the owner of the API token, or, without one, programs on this machine.

Knows no users and no roles. Without a token a browser on this machine is a danger of its own, since any web page can
make it send requests here: such requests are told by what browsers say about them (Fetch Metadata, Origin) and by the
Host name that they came for (DNS rebinding).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api import dashboard, errors

#: What anybody may ask: whether the process lives, whether it is ready, and what carries a signature of its own.
OPEN_PATHS: Final = frozenset({"/healthz", "/readyz", "/webhooks/sendgrid"})


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that decide.

    Attributes:
        token: the API token; None: none is asked for.
        anonymous: without a token, answer everybody instead of this machine only.
        public_url: the address under which the server is known to browsers; its own pages come from there.
    """

    token: str | None
    anonymous: bool
    public_url: str


class Access:
    """Answers 401 or 403 to those who may not, and passes the others on."""

    def __init__(self, app: ASGIApp, policy: Policy) -> None:
        self._app = app
        self._policy = policy
        self._public = urlsplit(policy.public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request pass, or answer it here."""
        refusal = None
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            refusal = self._refusal(scope, Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if self._policy.token is not None:
            open_to_all = dashboard.serves(scope["path"])  # the page asks for the token itself
            return None if open_to_all or _bears(headers, self._policy.token) else _unauthorized()
        if not self._policy.anonymous:
            if not _is_loopback(scope):
                return _forbidden("Without an API token only this machine is answered: set API_TOKEN on the server.")
            if not self._is_ours(headers.get("host", "")):
                return _forbidden("Call this server by the name localhost, or set API_TOKEN on it.")
        if self._is_foreign_page(scope, headers):
            return _forbidden("Pages of other sites may not call this server.")
        return None

    def _is_ours(self, host: str) -> bool:
        name = _hostname(host)
        if name is None:
            return False
        return name == "localhost" or name.endswith(".localhost") or name == self._public.hostname or _loopback(name)

    def _is_foreign_page(self, scope: Scope, headers: Headers) -> bool:
        """Whether a browser sends this on behalf of another site's page. Following a link to us is no such thing."""
        origin = headers.get("origin")
        if origin is not None:
            site = urlsplit(origin).netloc.lower()
            return site not in {headers.get("host", "").lower(), self._public.netloc.lower()} or not site
        follows_link = scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate"
        return headers.get("sec-fetch-site") == "cross-site" and not follows_link


def _bears(headers: Headers, token: str) -> bool:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    # Headers come decoded as Latin-1. Compared in constant time, so that the time of the answer tells nothing.
    return hmac.compare_digest(given.strip().encode("latin-1"), token.encode()) and scheme.lower() == "bearer"


def _is_loopback(scope: Scope) -> bool:
    client = scope.get("client")
    return client is not None and _loopback(client[0])


def _loopback(name: str) -> bool:
    try:
        address = ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _hostname(host: str) -> str | None:
    """The name in a Host header, without its port and an IPv6 address's brackets; None where it makes no sense."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _unauthorized() -> Response:
    detail = "Send the server's API token as Authorization: Bearer <token>."
    return errors.answer(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": "Bearer"})


def _forbidden(detail: str) -> Response:
    return errors.answer(HTTPStatus.FORBIDDEN, detail)
