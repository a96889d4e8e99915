"""Starts and sending windows as instants, also where clocks are put forward or back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns import schedule
from campaigns.errors import InvalidCampaign
from campaigns.models import Content
from campaigns.schedule import MOST_INTERVALS, Window, Windows

#: 2026: clocks in Oslo are put forward on 29 March at 02:00, and back on 25 October at 03:00.
OSLO = "Europe/Oslo"


def content(**more: Any) -> Content:
    return Content(from_="a@shop.test", subject="s", text="t", **more)


def utc(text: str) -> int:
    """An instant in UTC, in ms."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def opened(windows: tuple[str, ...], from_: str, days: int = 7, timezone: str = OSLO) -> list[tuple[str, str]]:
    """The open intervals of some days, in UTC."""
    found = Windows.parse(windows, timezone).intervals(utc(from_), timedelta(days=days))
    return [
        (f"{datetime.fromtimestamp(a / 1000, UTC):%m-%d %H:%M}", f"{datetime.fromtimestamp(b / 1000, UTC):%m-%d %H:%M}")
        for a, b in found
    ]


@pytest.mark.parametrize(
    ("text", "days", "begin", "end"),
    [
        ("Mon-Fri 09:00-18:00", range(5), 540, 1080),
        ("mon,WED,Fri-Sun 00:00-24:00", [0, 2, 4, 5, 6], 0, 1440),
        ("Sat-Mon 22:00-02:00", [5, 6, 0], 1320, 120),
        ("  09:30-10:00 ", range(7), 570, 600),
        ("Sun 10:00-11:00", [6], 600, 660),
    ],
)
def test_a_window_is_read(text: str, days: list[int], begin: int, end: int) -> None:
    assert Window.parse(text) == Window(frozenset(days), begin, end)


@pytest.mark.parametrize(
    "text",
    ["", "Mon", "Mon 9-18", "Mon 9:00-18:00", "Mon 09:00-18:60", "Mon 09:00-25:00", "Mon 24:00-10:00", "Mo 09:00-10:00",
     "Mon 24:30-10:00", "Mon 09:00-24:01", "Mon 09:00-09:00", "Mon-Fri,09:00-10:00", "Mon 09:00-10:00 UTC"],
)  # fmt: skip
def test_a_window_that_says_nothing_clear_is_refused(text: str) -> None:
    with pytest.raises(InvalidCampaign, match="windows: "):
        Window.parse(text)


def test_windows_are_those_of_the_local_clock() -> None:
    # In the week in which clocks are put forward: 09:00 in Oslo is 08:00 in UTC before, and 07:00 after
    found = opened(("Fri-Mon 09:00-18:00",), "2026-03-27 00:00", 3)
    assert found == [
        ("03-27 08:00", "03-27 17:00"),
        ("03-28 08:00", "03-28 17:00"),
        ("03-29 07:00", "03-29 16:00"),
        ("03-30 07:00", "03-30 16:00"),
    ]


@pytest.mark.parametrize(
    ("text", "day", "expected"),
    [
        # 02:00 to 03:00 does not exist: the window is empty, and one that begins or ends then begins or ends at 03:00
        ("Sun 02:00-03:00", "2026-03-29", []),
        ("Sun 02:30-05:00", "2026-03-29", [("03-29 01:00", "03-29 03:00")]),
        ("Sun 00:30-02:30", "2026-03-29", [("03-28 23:30", "03-29 01:00")]),
        # 02:00 to 03:00 occurs twice: open only while both readings agree
        ("Sun 02:30-05:00", "2026-10-25", [("10-25 01:30", "10-25 04:00")]),
        ("Sun 00:30-02:30", "2026-10-25", [("10-24 22:30", "10-25 00:30")]),
        ("Sun 01:00-04:00", "2026-10-25", [("10-24 23:00", "10-25 03:00")]),
    ],
)
def test_no_window_is_open_outside_of_its_time_when_clocks_change(
    text: str, day: str, expected: list[tuple[str, str]]
) -> None:
    assert [one for one in opened((text,), f"{day} 00:00", 1) if one[0] < f"{day[5:]} 24"] == expected


def test_windows_over_midnight_and_those_that_touch_are_one() -> None:
    assert opened(("Mon 22:00-02:00", "Tue 02:00-03:00"), "2026-05-04 12:00", 3, "UTC") == [
        ("05-04 22:00", "05-05 03:00")
    ]
    assert len(opened(("00:00-24:00",), "2026-05-04 12:00", 9, "UTC")) == 1
    # And a window that began yesterday is still open
    assert opened(("Mon 22:00-02:00",), "2026-05-05 01:00", 1, "UTC")[0] == ("05-04 22:00", "05-05 02:00")


def test_what_is_stored_is_bounded_and_is_renewed_before_it_ends() -> None:
    now = utc("2026-05-04 12:00")
    many = content(timezone=OSLO, windows=tuple(f"{hour:02}:00-{hour:02}:30" for hour in range(20)))
    renew_at, intervals = schedule.stored(schedule.spec(many), now).split(";")
    assert len(intervals.split(",")) == MOST_INTERVALS
    assert now < int(renew_at) < int(intervals.split("-")[-1])
    assert schedule.stored("", now) == ""


@pytest.mark.parametrize(
    ("start_at", "timezone", "expected"),
    [
        ("2026-05-04T09:00:00+02:00", None, "2026-05-04 07:00"),
        ("2026-05-04T09:00Z", OSLO, "2026-05-04 09:00"),
        ("2026-05-04T09:00", OSLO, "2026-05-04 07:00"),
        ("2026-05-04 09:00:00", "America/New_York", "2026-05-04 13:00"),
        ("2026-03-29T02:30", OSLO, "2026-03-29 01:00"),  # does not exist: the instant of the change
        ("2026-10-25T02:30", OSLO, "2026-10-25 00:30"),  # occurs twice: the first one
    ],
)
def test_a_start_is_an_instant(start_at: str, timezone: str | None, expected: str) -> None:
    assert schedule.start_ms(content(start_at=start_at, timezone=timezone)) == utc(expected)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"start_at": "tomorrow"}, "start_at: 'tomorrow': expected a time such as"),
        ({"start_at": "2026-05-04"}, "start_at: '2026-05-04': expected"),
        ({"start_at": "2026-05-04T09:00"}, "start_at: '2026-05-04T09:00' has no offset: add one"),
        ({"start_at": "2099-05-04T09:00Z"}, "more than two years ahead"),
        ({"timezone": "Europe/Olso"}, "timezone: 'Europe/Olso' is not a time zone .* did you mean Europe/Oslo?"),
        ({"timezone": "../../etc/passwd"}, "timezone: "),
        ({"timezone": ""}, "timezone: "),
        ({"windows": ("Mon 09:00-10:00",)}, "windows: set `timezone` too"),
        ({"windows": ("Mon",), "timezone": OSLO}, "windows: 'Mon': expected"),
        ({"timezone_column": "tz"}, "timezone_column: not supported yet"),
    ],
)
def test_a_wrong_schedule_is_refused_with_what_to_do(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidCampaign, match=words):
        schedule.fields(content(**fields), 0)


def test_the_time_left_counts_open_time_only() -> None:
    spec = schedule.spec(content(timezone="UTC", windows=("Mon-Fri 09:00-10:00",)))
    hour = 3_600_000
    friday = utc("2026-05-08 09:30")
    assert schedule.eta_ms(spec, friday, hour // 4) == hour // 4
    assert schedule.eta_ms(spec, friday, hour) == utc("2026-05-11 09:30") - friday
    assert schedule.eta_ms(spec, friday, 1000 * hour) is None
    assert schedule.opens_ms(spec, utc("2026-05-08 10:00")) == utc("2026-05-11 09:00")
