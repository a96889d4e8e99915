"""How numbers, dates and truth values of spreadsheets look as text."""

from __future__ import annotations

import datetime as dt

import pytest

from lists.cell_values import plain_number, shown_moment, shown_number


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        (1234, "General", "1234"),
        (1234.0, "General", "1234"),
        (4912345678901, "General", "4912345678901"),
        (4.912345678901e12, "General", "4912345678901"),
        (1e20, "General", "100000000000000000000"),
        (0.1 + 0.2, "General", "0.3"),
        (12.5, "General", "12.5"),
        (0.00001, "General", "0.00001"),
        (-0.5, "General", "-0.5"),
        (1234, "@", "1234"),
        (1234, "00000", "01234"),
        (-7, "000", "-007"),
        (123456789, "000-00-0000", "123-45-6789"),
        (12345, "000\\-00", "123-45"),
        (1234567, "00000", "1234567"),
        (12.5, "00000", "12.5"),
        (12.5, "0.00", "12.50"),
        (1234.5, "#,##0.00", "1234.50"),
        (1234.5, '"€" #,##0.00', "1234.50"),
        (1234.5, "#,##0.00 [$€-407]", "1234.50"),
        (-1234.5, "#,##0.00_);[Red](#,##0.00)", "-1234.50"),
        (2.345, "0.00", "2.35"),
        (2.5, "0", "3"),
        (0.25, "0%", "25%"),
        (0.125, "0.0%", "12.5%"),
        (12345, "0.00E+00", "12345"),
        (0.5, "# ?/?", "0.5"),
        (1e300, "0.00", "1" + "0" * 300),
    ],
)
def test_a_number(value: float, number_format: str, text: str) -> None:
    assert shown_number(value, number_format) == text


def test_a_plain_number() -> None:
    assert [plain_number(value) for value in (1.0, 1.50, 100.0, 0)] == ["1", "1.5", "100", "0"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (dt.datetime(2026, 11, 27), "2026-11-27"),  # noqa: DTZ001 - a sheet has no time zones
        (dt.datetime(2026, 11, 27, 9, 30), "2026-11-27 09:30"),  # noqa: DTZ001
        (dt.datetime(2026, 11, 27, 9, 30, 5), "2026-11-27 09:30:05"),  # noqa: DTZ001
        (dt.date(2026, 11, 27), "2026-11-27"),
        (dt.time(9, 30), "09:30"),
        (dt.timedelta(hours=30), "1 day, 6:00:00"),
    ],
)
def test_a_moment(value: dt.datetime | dt.date | dt.time | dt.timedelta, text: str) -> None:
    assert shown_moment(value) == text
