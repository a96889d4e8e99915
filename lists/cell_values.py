"""How the values of a spreadsheet's cells look as text. Knows nothing of files and rows.

A number looks as its sheet shows it, except that digits are not grouped and a currency is not written, so that a
template can calculate with it: 1234.5 shown as "€ 1,234.50" is `1234.50`. Dates and times are ISO 8601.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Final, NamedTuple

#: The significant digits that spreadsheets keep: 0.1 + 0.2 is 0.3 there.
_DIGITS: Final = 15
#: The parts of a number format that are no placeholders: [conditions], _ and * with the character that they space by.
_SPACING: Final = re.compile(r"\[[^\]]*\]|[_*].")
_QUOTED: Final = re.compile(r'"([^"]*)"|\\(.)')
_MASK: Final = re.compile(r"[0()\- ]*0[()\- ]*0[0()\- ]*")
_FIXED: Final = re.compile(r"[#,]*0(?:\.(0*))?[^0#?Ee]*")


class _Look(NamedTuple):
    """What a number format asks for: a mask of zeros, or decimals and a percent sign. All None: as it is."""

    mask: str | None = None
    decimals: int | None = None
    percent: bool = False


def shown_number(value: float | Decimal, number_format: str) -> str:
    """A number as a sheet shows it.

    Leading zeros (`00000`), separators between them (`000-00-0000`), decimals and percent signs are kept. What other
    formats show (fractions, exponents, conditions) is not known here: such numbers come out as they are.

    Args:
        value: the number.
        number_format: the cell's format, as Excel writes it (ECMA-376, 18.8.30).
    """
    look = _look(number_format)
    number = _decimal(value)
    if look.mask is not None:
        return _filled(look.mask, number) if number == number.to_integral_value() else plain_number(value)
    if look.decimals is None:
        return plain_number(value)
    shift = 2 if look.percent else 0
    places = Decimal(1).scaleb(-look.decimals)
    rounded = number.scaleb(shift).quantize(places, ROUND_HALF_UP) if abs(number) < Decimal(10) ** _DIGITS else number
    return f"{rounded:f}" + ("%" if look.percent else "")


def plain_number(value: float | Decimal) -> str:
    """A number without exponent, and without `.0`."""
    number = _decimal(value)
    return f"{number:.0f}" if number == number.to_integral_value() else f"{number.normalize():f}"


def _decimal(value: float | Decimal) -> Decimal:
    if isinstance(value, float):
        return Decimal(f"{value:.{_DIGITS}g}")
    return Decimal(value)


@lru_cache(maxsize=512)
def _look(number_format: str) -> _Look:
    section = _SPACING.sub("", number_format.partition(";")[0])
    percent = "%" in _QUOTED.sub("", section)
    mask = _QUOTED.sub(lambda found: found[1] or found[2] or "", section)
    if _MASK.fullmatch(mask):
        return _Look(mask=mask)
    fixed = _FIXED.search(_QUOTED.sub("", section))
    if fixed is None or "/" in section or "E" in section.upper().replace("GENERAL", "E"):
        return _Look()
    return _Look(decimals=len(fixed[1] or ""), percent=percent)


def _filled(mask: str, number: Decimal) -> str:
    """The digits of a number in the zeros of a mask, from the right; digits too many stand before it."""
    digits = f"{abs(number):.0f}"
    zeros = mask.count("0")
    digits = digits.rjust(zeros, "0")
    first = digits[: len(digits) - zeros]
    rest = iter(digits[len(first) :])
    sign = "-" if number < 0 else ""
    return sign + first + "".join(next(rest) if char == "0" else char for char in mask).strip()


def shown_moment(value: dt.datetime | dt.date | dt.time | dt.timedelta) -> str:
    """A date as 2026-11-27, with a time as 2026-11-27 09:30, with seconds only where they are not 0."""
    if isinstance(value, dt.timedelta):
        return str(value)
    if isinstance(value, dt.datetime):
        day, time = value.date().isoformat(), value.time()
        return f"{day} {shown_moment(time)}" if time != dt.time() else day
    if isinstance(value, dt.time):
        return value.isoformat("seconds" if value.second else "minutes")
    return value.isoformat()


def shown_truth(*, value: bool) -> str:
    """TRUE or FALSE, as a sheet in English shows it."""
    return "TRUE" if value else "FALSE"
