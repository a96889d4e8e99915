"""Local times and their instants, also where a clock is put forward or back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from campaigns.errors import InvalidCampaign

_MINUTE: Final = timedelta(minutes=1)


@cache
def zone(name: str, field: str = "timezone") -> ZoneInfo:
    """The time zone with this name in the IANA database.

    Args:
        name: such as `Europe/Oslo`.
        field: the field that names it, for the error.

    Raises:
        InvalidCampaign: there is none; the detail suggests a similar name.
    """
    known = available_timezones()
    if name in known:
        return ZoneInfo(name)
    similar = get_close_matches(name, known, 1)
    advice = f"did you mean {similar[0]}?" if similar else 'use a name such as "Europe/Oslo"'
    raise InvalidCampaign(f"{field}: {name[:64]!r} is not a time zone of the IANA database: {advice}")


def first_instant(local: datetime, tz: ZoneInfo) -> datetime:
    """The first instant, in UTC, at which the clocks of a zone show this time or have passed it.

    A time that does not exist, because the clocks are put forward over it, is the instant of that change. A time that
    occurs twice, because the clocks are put back, is its first occurrence.
    """
    return _instant(local, tz, fold=0)


def last_instant(local: datetime, tz: ZoneInfo) -> datetime:
    """As `first_instant`, but the second occurrence of a time that occurs twice."""
    return _instant(local, tz, fold=1)


def _instant(local: datetime, tz: ZoneInfo, fold: int) -> datetime:
    early, late = (local.replace(tzinfo=tz, fold=one).astimezone(UTC) for one in (1, 0))
    if late.astimezone(tz).replace(tzinfo=None) == local:  # it exists; of two occurrences `late` is the first
        return early if fold else late
    # Clocks are put forward over it between these two instants: halve the time between them
    before = early.astimezone(tz).utcoffset()
    while late - early > _MINUTE / 60:
        middle = early + (late - early) / 2
        if middle.astimezone(tz).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late.replace(microsecond=0)
