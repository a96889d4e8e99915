"""The manual: serves the pages of the documentation at `/docs/`, as `make docs` has built them.

The pages hold no data, so that anyone who can reach the server may read them, as with the page of the operator.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from api.http.errors import Problem

#: The path of the pages.
PREFIX: Final = "/docs/"
#: Where `make docs` puts them.
BUILT: Final = Path(__file__).parents[1] / "docs" / "site" / "html"

_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".xml": "application/xml",
}
#: Scripts inside a page. The generator writes some, which are the same on all pages of a build.
_INLINE: Final = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_ABSENT: Final = "The documentation has not been built here: run `make docs`, or read the files in docs/."


class _Page(NamedTuple):
    content: bytes
    media_type: str
    etag: str
    policy: str


def serves(path: str) -> bool:
    """Whether a path belongs to the manual."""
    return f"{path}/".startswith(PREFIX)


def file(request: Request) -> Response:
    """A page, or a file that a page loads. A page without its slash is redirected, because its links need it."""
    if not (BUILT / "index.html").is_file():
        raise Problem(HTTPStatus.NOT_FOUND, _ABSENT)
    wanted = request.path_params.get("path", "")
    place = (BUILT / wanted).resolve()
    if not place.is_relative_to(BUILT.resolve()):
        raise Problem(HTTPStatus.NOT_FOUND, "The manual has no such page; /docs/ is its start.")
    if place.is_dir():
        if not request.url.path.endswith("/"):
            return RedirectResponse(f"{request.url.path}/", HTTPStatus.PERMANENT_REDIRECT)
        place /= "index.html"
    if not place.is_file() or place.suffix not in _MEDIA_TYPES:
        raise Problem(HTTPStatus.NOT_FOUND, "The manual has no such page; /docs/ is its start.")
    return _answer(request, _read(place, place.stat().st_mtime_ns))


@lru_cache(maxsize=256)
def _read(place: Path, _changed_ns: int) -> _Page:
    content = place.read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
    policy = _policy(content) if place.suffix == ".html" else "default-src 'none'"
    return _Page(content, _MEDIA_TYPES[place.suffix], etag, policy)


def _policy(page: bytes) -> str:
    """The Content-Security-Policy of a page: its own scripts, by their hashes, and the files beside it."""
    digests = {base64.b64encode(hashlib.sha256(script).digest()).decode() for script in _INLINE.findall(page)}
    scripts = " ".join(["'self'", *(f"'sha256-{digest}'" for digest in sorted(digests))])
    return (
        f"default-src 'none'; script-src {scripts}; worker-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _answer(request: Request, page: _Page) -> Response:
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": page.policy, "ETag": page.etag}
    if request.headers.get("if-none-match") == page.etag:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(page.content, HTTPStatus.OK, headers, media_type=page.media_type)


#: Not part of the API, so they are not in its description.
ROUTES: Final = [
    Route("/docs", file, methods=["GET"]),
    Route(f"{PREFIX}{{path:path}}", file, methods=["GET"]),
]
