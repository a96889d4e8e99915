"""When a campaign may send: its start, and its sending windows as instants that the Lua scripts compare.

Pure: it knows no Redis. The scripts know no time zone, so a campaign stores the open intervals of the next two weeks
(`stored`). The dispatcher renews them in time (`campaigns.window_renewal`); if no one does, admission grants nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from campaigns.errors import InvalidCampaign
from campaigns.local_time import first_instant, last_instant, zone
from campaigns.models import Content

#: How far ahead open intervals are stored.
HORIZON: Final = timedelta(days=14)
#: The most intervals that are stored.
MOST_INTERVALS: Final = 64
#: How far ahead `eta_ms` looks.
ETA_HORIZON: Final = timedelta(days=92)
#: The furthest start, so that a mistyped year is found.
MAX_START: Final = timedelta(days=731)

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY: Final = f"(?:{'|'.join(_DAYS)})"
_CLOCK: Final = r"([01][0-9]|2[0-4]):([0-5][0-9])"
_WINDOW: Final = re.compile(rf"(?:({_DAY}(?:-{_DAY})?(?:,{_DAY}(?:-{_DAY})?)*) +)?{_CLOCK}-{_CLOCK}", re.IGNORECASE)
_DAY_MINUTES: Final = 24 * 60


class Interval(NamedTuple):
    """From `open_ms` on, and before `close_ms`, in ms since 1970."""

    open_ms: int
    close_ms: int


class Window(NamedTuple):
    """A time of day on some days of the week (0: Monday). An `end` that is not after `begin` is on the next day.

    `begin`, `end`: in minutes after midnight, 24:00 is 1440.
    """

    days: frozenset[int]
    begin: int
    end: int

    @classmethod
    def parse(cls, text: str) -> Window:
        """The window that a text such as `Mon-Fri 09:00-18:00`, `Sat,Sun 10:00-16:00` or `22:00-02:00` names.

        Raises:
            InvalidCampaign
        """
        match = _WINDOW.fullmatch(" ".join(text.split()))
        if match is None:
            raise InvalidCampaign(f'windows: {text[:64]!r}: expected days and times such as "Mon-Fri 09:00-18:00"')
        days, *numbers = match.groups()
        hour, minute, to_hour, to_minute = map(int, numbers)
        begin, end = hour * 60 + minute, to_hour * 60 + to_minute
        if begin >= _DAY_MINUTES or end > _DAY_MINUTES:
            raise InvalidCampaign(f"windows: {text[:64]!r}: a day begins at 00:00 and ends at 24:00")
        if begin == end:
            raise InvalidCampaign(f'windows: {text[:64]!r} is empty: for a whole day write "00:00-24:00"')
        return cls(_days(days) if days else frozenset(range(7)), begin, end)

    def of(self, day: date, tz: ZoneInfo) -> Interval:
        """The window of the day on which it begins.

        Where clocks are put back over its begin or end, the window is open only while all readings agree.
        """
        end = self.end if self.end > self.begin else self.end + _DAY_MINUTES
        return Interval(_ms(last_instant(_at(day, self.begin), tz)), _ms(first_instant(_at(day, end), tz)))


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
        first, _, last = part.partition("-")
        number = _DAYS.index(first)
        found.add(number)
        while last and _DAYS[number] != last:
            number = (number + 1) % 7
            found.add(number)
    return frozenset(found)


def _at(day: date, minutes: int) -> datetime:
    return datetime.combine(day, time()) + timedelta(minutes=minutes)


def _ms(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)


class Windows(NamedTuple):
    """All windows of a campaign, in its time zone."""

    windows: tuple[Window, ...]
    tz: ZoneInfo

    @classmethod
    def parse(cls, texts: Sequence[str], timezone: str) -> Windows:
        """The windows that the texts name.

        Raises:
            InvalidCampaign
        """
        return cls(tuple(map(Window.parse, texts)), zone(timezone))

    def intervals(self, from_ms: int, horizon: timedelta = HORIZON) -> Iterator[Interval]:
        """The open intervals that end after `from_ms`, in order; those that touch each other are one."""
        day = datetime.fromtimestamp(from_ms / 1000, self.tz).date() - timedelta(days=2)
        last = day + horizon + timedelta(days=2)
        current: Interval | None = None
        while day <= last:
            of_day = (window.of(day, self.tz) for window in self.windows if day.weekday() in window.days)
            for interval in sorted(one for one in of_day if one.close_ms > max(from_ms, one.open_ms)):
                if current is not None and interval.open_ms <= current.close_ms:
                    current = Interval(min(current.open_ms, interval.open_ms), max(current.close_ms, interval.close_ms))
                    continue
                if current is not None:
                    yield current
                current = interval
            day += timedelta(days=1)
        if current is not None:
            yield current


class _Spec(msgspec.Struct, frozen=True):
    """The windows as a campaign stores them, to compute the next intervals from."""

    timezone: str
    windows: tuple[str, ...]


def spec(content: Content) -> str:
    """The windows of a content as one text; "" for none."""
    if not content.sending_windows:
        return ""
    return msgspec.json.encode(_Spec(content.zone_name or "UTC", content.sending_windows)).decode()


@lru_cache(256)
def windows_of(text: str) -> Windows:
    """The windows of a `spec`.

    Raises:
        InvalidCampaign: the time zone does not exist on this machine.
    """
    found = msgspec.json.decode(text, type=_Spec)
    return Windows.parse(found.windows, found.timezone)


def stored(text: str, now_ms: int) -> str:
    """The next open intervals of a `spec` as the scripts read them (`lua/lib/windows.lua`).

    `renew_at;open-close,open-close`, in ms since 1970: they have to be renewed from `renew_at` on.
    """
    if not text:
        return ""
    found = []
    for interval in windows_of(text).intervals(now_ms):
        found.append(interval)
        if len(found) == MOST_INTERVALS:
            break
    renew_at = now_ms + (found[-1].close_ms - now_ms) // 2 if found else now_ms
    return f"{renew_at};" + ",".join(f"{one.open_ms}-{one.close_ms}" for one in found)


def opens_ms(text: str, now_ms: int) -> int:
    """When the windows of a `spec` are open from, in ms since 1970: `now_ms` or earlier inside of them."""
    return next(windows_of(text).intervals(now_ms)).open_ms


def eta_ms(text: str, from_ms: int, sending_ms: int) -> int | None:
    """The time until emails that take `sending_ms` to send are sent, if they are sent inside the windows of a `spec`.

    Returns:
        Milliseconds from `from_ms` on; None: more than a quarter of a year.
    """
    left = sending_ms
    for interval in windows_of(text).intervals(from_ms, ETA_HORIZON):
        begin = max(from_ms, interval.open_ms)
        if left <= interval.close_ms - begin:
            return begin + left - from_ms
        left -= interval.close_ms - begin
    return None


def start_ms(content: Content) -> int | None:
    """The start of a content, in ms since 1970; None: as soon as it is asked for.

    Raises:
        InvalidCampaign
    """
    text = content.planned_start
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or not re.match(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d", text):
        raise InvalidCampaign(
            f'start_at: {text[:64]!r}: expected a time such as "2026-05-04T09:00:00+02:00", or '
            '"2026-05-04T09:00" with `timezone`'
        )
    if found.tzinfo is None:
        if content.zone_name is None:
            raise InvalidCampaign(f"start_at: {text[:64]!r} has no offset: add one, such as +02:00, or set `timezone`")
        found = first_instant(found, zone(content.zone_name))
    if found > datetime.now(UTC) + MAX_START:
        raise InvalidCampaign(f"start_at: {text[:64]!r} is more than two years ahead")
    return _ms(found)


def mistakes(content: Content) -> list[str]:
    """All that is wrong with the fields about time, each beginning with the field's name."""
    return [words for check in _CHECKS for words in _words(check, content)]


def _words(check: Callable[[Content], object], content: Content) -> list[str]:
    try:
        check(content)
    except InvalidCampaign as error:
        return [error.detail]
    return []


def _check_zone(content: Content) -> None:
    if content.zone_name is not None:
        zone(content.zone_name)


def _check_start(content: Content) -> None:
    if not _words(_check_zone, content):  # else one mistake would be named twice
        start_ms(content)


def _check_windows(content: Content) -> None:
    if content.sending_windows and content.zone_name is None:
        raise InvalidCampaign('windows: set `timezone` too, such as "Europe/Oslo"')
    for text in content.sending_windows:
        Window.parse(text)


def _check_zone_column(content: Content) -> None:
    if content.zone_column is not None:
        raise InvalidCampaign(
            "timezone_column: not supported yet: use one campaign per time zone, with `where`, `windows` and `timezone`"
        )


_CHECKS: Final = (_check_zone, _check_start, _check_windows, _check_zone_column)


def fields(content: Content, now_ms: int) -> dict[str, str]:
    """The fields about time that the scripts read; all empty without a schedule.

    Raises:
        InvalidCampaign
    """
    for words in mistakes(content):
        raise InvalidCampaign(words)
    start = start_ms(content)
    text = spec(content)
    return {
        "start_at": "" if start is None else str(start),
        "windows": text,
        "open_windows": stored(text, now_ms),
        "pause_after": "" if content.canary is None else str(content.canary),
    }
