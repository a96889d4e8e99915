"""The dashboard: serves the files of the page at `/`, with which an operator uses the API in a browser.

The files contain no data, so that anyone who can reach the server may load them; the page asks for the API token and
sends it with every request. `static/` holds the page as plain ES modules, which need no build step.
"""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api import components

#: The path of the files; `/` is the page itself.
PREFIX: Final = "/dashboard/"

_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
#: The object stores that a browser may upload to if the settings name no server: AWS.
_AWS: Final = "https://*.amazonaws.com https://*.amazonaws.com.cn"


class _File(NamedTuple):
    content: bytes
    media_type: str
    etag: str


def _read(path: Path) -> _File:
    content = path.read_bytes()
    return _File(content, _MEDIA_TYPES[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:20]}"')


_STATIC: Final = Path(__file__).parent / "static"
_FILES: Final = {path.relative_to(_STATIC).as_posix(): _read(path) for path in _STATIC.rglob("*.*")}


def serves(path: str) -> bool:
    """Whether a path belongs to the page."""
    return path == "/" or path.startswith(PREFIX)


def page(request: Request) -> Response:
    """The page."""
    return _answer(request, _FILES["index.html"])


def file(request: Request) -> Response:
    """One of the files that the page loads."""
    found = _FILES.get(request.path_params["name"])
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return _answer(request, found)


def _answer(request: Request, found: _File) -> Response:
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": _policy(components.of(request).settings.s3_public_endpoint_url),
        "ETag": found.etag,
    }
    if request.headers.get("if-none-match") == found.etag:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(found.content, HTTPStatus.OK, headers, media_type=found.media_type)


def _policy(store_url: str | None) -> str:
    """The Content-Security-Policy: the page may load and call this server, and call the object store for uploads.

    Inline scripts and HTML from text are forbidden. The frame with the preview of an email is a `data:` address, which
    inherits this policy: it may use styles and images, and sandboxing keeps it from everything else.
    """
    store = _AWS
    if store_url:
        parts = urlsplit(store_url)
        store = f"{parts.scheme}://{parts.netloc}"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' https: data:; "
        "frame-src data:; "
        f"connect-src 'self' {store}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )


#: Not part of the API, so they are not in its description.
ROUTES: Final = [Route("/", page, methods=["GET"]), Route(f"{PREFIX}{{name:path}}", file, methods=["GET"])]
