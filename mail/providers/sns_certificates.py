"""The certificates with which Amazon SNS signs: fetched once each, and kept within bounds."""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from mail.providers.sns_fetch import FetchFailed

#: The most certificates that are kept. SNS uses one per region at a time.
KEPT: Final = 16
#: The most fetches per minute. Anyone may name addresses of certificates that do not exist.
FETCHES_PER_MINUTE: Final = 10
#: The longest wait for another thread's fetch, in seconds.
WAIT_S: Final = 6.0

#: The path of each certificate. No other path may be fetched: the API of SNS at the same host repeats what it is given.
_PATH: Final = re.compile(r"/SimpleNotificationService-[0-9a-fA-F]{8,64}\.pem")


def is_certificate_url(url: str, host: str) -> bool:
    """Whether a URL is exactly `https://{host}/SimpleNotificationService-{hex}.pem`."""
    start = f"https://{host}"
    return url.startswith(start) and _PATH.fullmatch(url[len(start) :]) is not None


class Certificates:
    """Keeps the keys of the certificates used last. Threads share one.

    Args:
        fetch: fetches a URL; raises FetchFailed.
    """

    def __init__(self, fetch: Callable[[str], bytes]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, x509.Certificate] = OrderedDict()
        self._fetched_s: deque[float] = deque(maxlen=FETCHES_PER_MINUTE)

    def key(self, url: str) -> RSAPublicKey:
        """The public key of a certificate.

        Args:
            url: its URL, for which `is_certificate_url` holds.

        Raises:
            FetchFailed: it cannot be fetched now, is no valid certificate, or there were too many fetches.
        """
        certificate = self._kept.get(url)
        if certificate is None or not _is_valid(certificate):
            certificate = self._fetched(url)
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey):
            raise FetchFailed("the certificate has no RSA key")
        return key

    def _fetched(self, url: str) -> x509.Certificate:
        if not self._lock.acquire(timeout=WAIT_S):
            raise FetchFailed("another certificate is being fetched")
        try:
            certificate = self._kept.get(url)
            if certificate is None or not _is_valid(certificate):
                certificate = self._new(url)
                self._kept[url] = certificate
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            return certificate
        finally:
            self._lock.release()

    def _new(self, url: str) -> x509.Certificate:
        now_s = time.monotonic()
        if len(self._fetched_s) == FETCHES_PER_MINUTE and now_s - self._fetched_s[0] < 60:
            raise FetchFailed(f"more than {FETCHES_PER_MINUTE} certificates were fetched within a minute")
        self._fetched_s.append(now_s)
        try:
            certificate = x509.load_pem_x509_certificate(self._fetch(url))
        except ValueError:
            raise FetchFailed("what was fetched is not a certificate") from None
        if not _is_valid(certificate):
            raise FetchFailed("the certificate has expired, or is not valid yet; check the server's clock")
        return certificate


def _is_valid(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc
