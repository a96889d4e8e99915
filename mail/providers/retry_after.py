"""Parses how long a server asks its clients to wait: `Retry-After` (RFC 9110), or SendGrid's `X-RateLimit-Reset`."""

from __future__ import annotations

import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

#: The shortest and the longest wait, in milliseconds. A reset time in whole seconds may be in the past when it is read.
#: If the server asks for a day, the client tries again after an hour.
MIN_WAIT_MS: Final = 1000
MAX_WAIT_MS: Final = 3_600_000

_NUMBER: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{0,9})?")


def retry_after_ms(header: Callable[[str], str | None], now_s: float) -> int | None:
    """The wait that a response's headers ask for, in milliseconds; None if they ask for none or cannot be parsed.

    Points in time are relative to the response's `Date`, so that a wrong local clock does no harm.

    Args:
        header: returns a header's value by its name.
        now_s: the current time in seconds since the epoch, for a response without `Date`.
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
    """The seconds, and whether they count from the epoch."""
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
