"""One GET of a small document from Amazon SNS. Callers decide which addresses may be fetched."""

from __future__ import annotations

import http.client
import urllib.request
from typing import Final
from urllib.error import URLError

#: The longest wait for each step of a fetch, in seconds, and the largest document, in bytes.
TIMEOUT_S: Final = 5.0
MAX_BYTES: Final = 64 * 1024


class FetchFailed(Exception):
    """Nothing usable came; a later fetch may succeed."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would lead away from the host that the caller has checked."""

    def redirect_request(self, *_request: object, **_more: object) -> None:
        """None: the redirect is not followed, and urllib raises its status as an error."""


def fetch(url: str) -> bytes:
    """The body of a document. `HTTPS_PROXY` and `SSL_CERT_FILE` apply; redirects are errors.

    Raises:
        FetchFailed: the server did not answer with 200 and at most `MAX_BYTES`, or the address is not https.
    """
    if not url.startswith("https://"):
        raise FetchFailed("the address does not start with https://")
    try:
        with urllib.request.build_opener(_NoRedirects).open(url, timeout=TIMEOUT_S) as answer:
            body: bytes = answer.read(MAX_BYTES + 1)
    except URLError as error:
        raise FetchFailed(f"SNS was not reached: {error.reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FetchFailed(f"SNS was not reached: {error}") from None
    if len(body) > MAX_BYTES:
        raise FetchFailed(f"the document is larger than {MAX_BYTES:,} bytes")
    return body
