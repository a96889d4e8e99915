"""HTTP requests to a Postrider server, with the standard library alone.

A request that gets no response, or 502, 503 or 504, is sent again until the connection's patience is over. Every
request of the API may be repeated, except one that asks for a new campaign only.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import IO, Any, Final, TypeVar, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from cli.errors import UNAVAILABLE, ApiError, CommandError, Unreachable
from cli.profile import Profile

T = TypeVar("T")

#: The longest silence of a server before the connection counts as broken, in seconds; event streams have a heartbeat
#: every 15 s.
TIMEOUT_S: Final = 60.0
#: The shortest and the longest wait before a request is sent again, in seconds.
BACKOFF_S: Final = (0.5, 5.0)
#: The most characters of an error that is no problem object, such as a proxy's page.
SHOWN_CHARS: Final = 200

#: What a broken connection raises. HTTPError is an OSError too, and comes first where it matters.
BROKEN: Final = (OSError, http.client.HTTPException)


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body. `size`: in bytes. A body that is sent again is iterated again."""

    data: bytes | Iterable[bytes]
    size: int
    media_type: str


class Connection:
    """One server and the token for it.

    Args:
        profile: the server.
        patience_s: how long a failing request is repeated, in seconds.
        note: shows a line to the user, such as that the server is away.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self,
        profile: Profile,
        patience_s: float,
        note: Callable[[str], None],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.profile = profile
        self.patience_s = patience_s
        self.note = note
        self.sleep = sleep
        self._opener = opener_for(profile.url)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        patience_s: float | None = None,
        repeatable: bool = True,
    ) -> Any:
        """Send a request and return the JSON of the response; None: it has no body.

        Args:
            method: the HTTP method.
            path: the path, with its query.
            body: an object to send as JSON, or a `Body`.
            headers: further headers.
            patience_s: how long to repeat the request, in seconds, if it is not the connection's own patience.
            repeatable: whether the request may be repeated after it may have reached the server.

        Raises:
            ApiError: the API returned a problem.
            Unreachable: no response until the patience was over.
        """
        sent = body if isinstance(body, Body) or body is None else _json(body)
        raw = self._repeated(lambda: self._read(method, path, sent, headers or {}), patience_s, repeatable=repeatable)
        try:
            return json.loads(raw) if raw else None
        except ValueError:
            raise CommandError(f"{self.profile.url} is no Postrider server: its response is no JSON.") from None

    def open(self, path: str, patience_s: float | None = None) -> http.client.HTTPResponse:
        """Send a GET request and return the response, whose body is still to be read. Close it.

        Args and Raises: as for `call`.
        """
        return self._repeated(lambda: self._attempt("GET", path, None, {}), patience_s, repeatable=True)

    def _repeated(self, attempt: Callable[[], T], patience_s: float | None, *, repeatable: bool) -> T:
        waits = Waits(self.patience_s if patience_s is None else patience_s)
        while True:
            try:
                return attempt()
            except (ApiError, Unreachable) as error:
                away = isinstance(error, Unreachable) or error.status in UNAVAILABLE
                wait_s = waits.next(getattr(error, "retry_after_s", None))
                if not away or wait_s is None or not (repeatable or _refused(error)):
                    raise
                if waits.first:
                    self.note(f"{error.detail} Retrying for up to {waits.patience_s:g} s.")
                self.sleep(wait_s)

    def _read(self, method: str, path: str, body: Body | None, headers: Mapping[str, str]) -> bytes:
        with self._attempt(method, path, body, headers) as response:
            try:
                return response.read()
            except BROKEN as error:
                raise self._unreachable(error) from error

    def _unreachable(self, error: BaseException) -> Unreachable:
        return Unreachable(f"{self.profile.url} cannot be reached ({reason(error)}).")

    def _attempt(
        self, method: str, path: str, body: Body | None, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        request = request_for(method, self.profile.url + path, body, headers)
        if self.profile.token:
            request.add_unredirected_header("Authorization", f"Bearer {self.profile.token}")
        try:
            return cast("http.client.HTTPResponse", self._opener.open(request, timeout=TIMEOUT_S))
        except HTTPError as error:
            with error:
                raise _api_error(error) from None
        except BROKEN as error:
            raise self._unreachable(error) from error


class Waits:
    """The waits between the attempts of one request: each twice as long as the last one, until the patience is over."""

    def __init__(self, patience_s: float) -> None:
        self.patience_s = patience_s
        self._ends_at = time.monotonic() + patience_s
        self._count = 0

    @property
    def first(self) -> bool:
        """Whether the last wait was the first one."""
        return self._count == 1

    def next(self, asked_s: float | None = None) -> float | None:
        """The next wait in seconds; None: the patience is over. `asked_s`: the wait that the server asks for."""
        shortest, longest = BACKOFF_S
        wait_s = min(asked_s or shortest * 2 ** min(self._count, 10), longest)
        self._count += 1
        return wait_s if time.monotonic() + wait_s < self._ends_at else None


def opener_for(url: str) -> OpenerDirector:
    """What sends requests to this server. It follows no redirect, so a token never reaches another server, and it uses
    the proxy of the environment, except for this machine.
    """
    opener = OpenerDirector()
    proxies = ProxyHandler({}) if _is_loopback(urlsplit(url).hostname or "") else ProxyHandler()
    for handler in (proxies, HTTPHandler(), HTTPSHandler(), HTTPErrorProcessor(), HTTPDefaultErrorHandler()):
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", "postrider-cli")]
    return opener


def request_for(method: str, url: str, body: Body | None, headers: Mapping[str, str]) -> Request:
    """A request of the standard library. The scheme of `url` is http or https."""
    more = {} if body is None else {"Content-Type": body.media_type, "Content-Length": str(body.size)}
    data = None if body is None else cast("bytes", body.data)  # an iterable is fine; the stub knows bytes and files
    return Request(url, data, {"Accept": "*/*", **more, **headers}, method=method)  # noqa: S310


def reason(error: BaseException) -> str:
    """Why a connection failed, in a few words."""
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return f"no response within {TIMEOUT_S:g} s"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause) or type(cause).__name__


def _refused(error: CommandError) -> bool:
    """Whether the request surely never reached the server."""
    cause = error.__cause__
    return isinstance(cause, URLError) and isinstance(cause.reason, ConnectionRefusedError)


def _json(body: Any) -> Body:
    data = json.dumps(body).encode()
    return Body(data, len(data), "application/json")


def _api_error(error: HTTPError) -> ApiError:
    raw = _read_all(error)
    try:
        members = json.loads(raw)
    except ValueError:
        members = {}
    detail = members.get("detail") if isinstance(members, dict) else None
    if not isinstance(detail, str):
        members, detail = {}, _described(error)
    return ApiError(error.code, detail, members, _seconds(error.headers.get("Retry-After")))


def _described(error: HTTPError) -> str:
    """What to say of an error that is none of Postrider's, such as a proxy's."""
    where = error.headers.get("Location")
    if where:
        return f"The server redirects to {where[:SHOWN_CHARS]}: use its address as POSTRIDER_URL."
    return f"The server answered {error.code} {error.reason} without a detail: check POSTRIDER_URL."


def _read_all(response: IO[bytes]) -> bytes:
    try:
        return response.read()
    except BROKEN:
        return b""


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdigit() else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
