"""How long a server asks its clients to wait: RFC 9110's `Retry-After`, or SendGrid's `X-RateLimit-Reset`."""

from __future__ import annotations

import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

#: The least and the longest wait that is believed, in milliseconds. A reset in whole seconds can lie in the past by
#: the time it is read; and whoever is told to wait a day asks again after an hour.
MIN_WAIT_MS: Final = 1000
MAX_WAIT_MS: Final = 3_600_000

_NUMBER: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{0,9})?")


def retry_after_ms(header: Callable[[str], str | None], now_s: float) -> int | None:
    """The wait that an answer's headers ask for, None where they name none that can be read.

    Points in time are taken relative to the answer's own `Date`, so that a wrong clock here does no harm.

    Args:
        header: looks a header up.
        now_s: seconds since the epoch, for an answer without `Date`.
    """
    wait_s = _wait_s((header("retry-after") or "").strip(), (header("x-ratelimit-reset") or "").strip())
    if wait_s is None:
        return None
    seconds, is_moment = wait_s
    if is_moment:
        sent_s = _moment_s((header("date") or "").strip())
        seconds -= now_s if sent_s is None else sent_s
    return round(min(max(seconds * 1000, MIN_WAIT_MS), MAX_WAIT_MS))


def _wait_s(retry_after: str, reset: str) -> tuple[float, bool] | None:
    """Seconds, and whether they count from the epoch."""
    if _NUMBER.fullmatch(retry_after):
        return float(retry_after), False
    moment_s = _moment_s(retry_after)
    if moment_s is not None:
        return moment_s, True
    if _NUMBER.fullmatch(reset):
        return float(reset), True
    return None


def _moment_s(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
