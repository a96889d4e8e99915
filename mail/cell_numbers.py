"""Numbers that stand in cells as text: strict conversion in both directions.

Nothing here guesses: a text that is not a number in the given notation raises, and no text becomes 0.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from math import isfinite
from typing import Final, NoReturn

from mail.cells import CellError

#: The longest number that is read from a text, in characters; Python refuses to print many more digits.
MAX_DIGITS: Final = 1_000
#: The most decimals that a number is written with.
MAX_DECIMALS: Final = 100
#: The signs that can separate decimals or thousands.
_SEPARATORS: Final = frozenset(".,'_ \u2019\xb7\u066b\u066c")
#: Any of these may stand where `thousands=" "` is given: blank, no-break, thin and narrow no-break space.
_BLANKS: Final = " \xa0\u2009\u202f"

_COMMA: Final = re.compile(r"[+-]?(?:[0-9]+|[0-9]{1,3}(?:\.[0-9]{3})+),[0-9]+")
_GROUPED: Final = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")


def to_int(text: str, base: int = 10) -> int:
    """The whole number that a text is; decimals are cut off, as Jinja2's filter does.

    Raises:
        CellError: it is not a number.
    """
    try:
        if len(text) > MAX_DIGITS or "_" in text:
            _refuse(text)
        return int(text, base)
    except ValueError:
        return int(to_float(text)) if base == 10 else _refuse(text)


def to_float(text: str) -> float:
    """The number that a text is in the notation of programs: `12.50`.

    Raises:
        CellError: it is not a number, or not a finite one.
    """
    try:
        number = float(text) if len(text) <= MAX_DIGITS and "_" not in text else None
    except ValueError:
        number = None
    return number if number is not None and isfinite(number) else _refuse(text)


def _refuse(text: str) -> NoReturn:
    if not text.strip():
        raise CellError(text, 'is empty, not a number: give a fallback, such as |default("0") before the conversion')
    if _COMMA.fullmatch(text.strip()):
        raise CellError(text, 'is not a number; use |number(decimal=",")')
    if _GROUPED.fullmatch(text.strip()):
        raise CellError(text, "is not a number; use |number")
    raise CellError(text, "is not a number: correct the list")


def number(text: str, decimal: str = ".", thousands: str | None = None) -> int | float:
    """The number that a text is in the given notation.

    Args:
        text: the number; blanks around it are ignored.
        decimal: the sign before the decimals.
        thousands: the sign between groups of digits, or "" for none. Its default is `,`, or `.` if `decimal` is `,`.

    Returns:
        A float if the text has decimals, otherwise an int.

    Raises:
        CellError: it is not a number in this notation.
        ValueError: a separator is not one.
    """
    if thousands is None:
        thousands = "." if decimal == "," else ","
    pattern = _pattern(decimal, thousands)
    match = pattern.fullmatch(text.strip()) if len(text) <= MAX_DIGITS else None
    if match is None:
        raise CellError(text, f"is not a number with {decimal!r} for decimals and {thousands!r} for thousands")
    sign, whole, decimals = match.groups()
    digits = ("-" if sign in {"-", "\u2212"} else "") + "".join(filter(str.isdecimal, whole))
    return int(digits) if decimals is None else to_float(f"{digits}.{decimals}")


@lru_cache(maxsize=64)
def _pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    for sign in (decimal, thousands):
        if sign != "" and sign not in _SEPARATORS:
            raise ValueError(f"number: {sign[:20]!r} separates no digits: use one of . , ' or a blank")
    if not decimal or decimal == thousands:
        raise ValueError("number: give two different signs, decimal= and thousands=")
    group = f"[{_BLANKS}]" if thousands == " " else re.escape(thousands)
    whole = rf"[0-9]{{1,3}}(?:{group}[0-9]{{2,3}})*{group}[0-9]{{3}}|[0-9]+" if thousands else "[0-9]+"
    return re.compile(rf"([+\-\u2212]?)({whole})(?:{re.escape(decimal)}([0-9]+))?")


def written(value: float, decimals: int = 2, decimal: str = ".", thousands: str = "") -> str:
    """A number as text, rounded half up: `written(1234.5, 2, ",", ".")` is `1.234,50`.

    Args:
        value: the number.
        decimals: how many decimals it gets, 0 to `MAX_DECIMALS`.
        decimal: the sign before the decimals.
        thousands: the sign between groups of three digits.

    Raises:
        ValueError: it asks for too many decimals, or for a sign longer than 10 characters.
    """
    if not 0 <= decimals <= MAX_DECIMALS:
        raise ValueError(f"number_format writes 0 to {MAX_DECIMALS} decimals")
    if max(len(decimal), len(thousands)) > 10:
        raise ValueError("number_format takes signs of at most 10 characters")
    # A float as text is what the reader sees: 2.675 rounds to 2.68, although the float lies a little below.
    exact = Decimal(str(value))
    digits = max(28, len(str(exact)) + decimals + 400)
    step = Decimal(1).scaleb(-decimals)
    rounded = exact.quantize(step, ROUND_HALF_UP, Context(prec=digits))
    whole, _, rest = f"{rounded:,f}".partition(".")
    return whole.replace(",", thousands) + (decimal + rest if rest else "")
