"""Signs requests to one address of an AWS service by Signature Version 4. Knows no credentials' source.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html. botocore's `SigV4Auth` makes the
same signature (a property test compares the two) in 57 us; this module needs 8 us, since all requests of a sender have
the same address and the same headers.
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, NamedTuple
from urllib.parse import quote, urlsplit

ALGORITHM: Final = "AWS4-HMAC-SHA256"
CONTENT_TYPE: Final = "application/json"

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Keys(NamedTuple):
    """AWS credentials at one moment. `token`: the session token of temporary credentials, "" for permanent ones."""

    access_key_id: str
    secret_access_key: str
    token: str = ""

    def __repr__(self) -> str:
        return "Keys(...)"


class Signer:
    """Signs POST requests of JSON to one URL.

    Args:
        url: the URL, without a query.
        region: the AWS region, such as `eu-west-1`.
        service: the service's name in signatures, such as `ses`.
    """

    def __init__(self, url: str, region: str, service: str) -> None:
        parts = urlsplit(url)
        port = "" if parts.port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f":{parts.port}"
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        self._head = f"POST\n{quote(parts.path or '/')}\n\ncontent-type:{CONTENT_TYPE}\nhost:{host}{port}\nx-amz-date:"
        self._region = region
        self._service = service
        self._derived: tuple[str, str, bytes] = ("", "", b"")

    def headers(self, body: bytes, keys: Keys, now: datetime | None = None) -> dict[str, str]:
        """The headers that sign a request with this body. It must also carry `Content-Type: application/json`.

        Args:
            body: the body.
            keys: the credentials.
            now: the time of the signature, in UTC; None: now. AWS accepts a signature for 5 minutes.
        """
        stamp = (now or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
        day = stamp[:8]
        signed = "content-type;host;x-amz-date"
        canonical = f"{self._head}{stamp}\n"
        headers = {"X-Amz-Date": stamp}
        if keys.token:
            signed += ";x-amz-security-token"
            canonical += f"x-amz-security-token:{keys.token}\n"
            headers["X-Amz-Security-Token"] = keys.token
        canonical += f"\n{signed}\n{sha256(body).hexdigest()}"
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        text = f"{ALGORITHM}\n{stamp}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
        signature = _hmac(self._key(keys.secret_access_key, day), text).hex()
        credential = f"{keys.access_key_id}/{scope}"
        headers["Authorization"] = f"{ALGORITHM} Credential={credential}, SignedHeaders={signed}, Signature={signature}"
        return headers

    def _key(self, secret: str, day: str) -> bytes:
        """The key of one day, derived from the secret access key once."""
        known_secret, known_day, key = self._derived
        if (known_secret, known_day) != (secret, day):
            key = _hmac(f"AWS4{secret}".encode(), day)
            for part in (self._region, self._service, "aws4_request"):
                key = _hmac(key, part)
            self._derived = (secret, day, key)
        return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
