"""Dates out of cells: read in a given notation, and written in a given language.

The names of months and days come from Babel (Unicode's CLDR).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, get_day_names, get_month_names

from mail.cells import CellError

#: The longest pattern and the longest text that is read, in characters.
MAX_PATTERN: Final = 100
#: The most languages that a process keeps: each takes about 1 MB, and Babel never lets one go.
MAX_LOCALES: Final = 60
#: How long it takes to load a language, in ns, and the memory that it takes, in bytes.
LOAD_NS: Final = 5_000_000
LOAD_BYTES: Final = 1_500_000

#: Babel's names for how a language writes a whole date.
STYLES: Final = ("short", "medium", "long", "full")

_READ: Final = {
    "d": r"(?P<day>[0-9]{1,2})",
    "m": r"(?P<month>[0-9]{1,2})",
    "Y": r"(?P<year>[0-9]{4})",
    "y": r"(?P<short_year>[0-9]{2})",
    "H": r"(?P<hour>[0-9]{1,2})",
    "M": r"(?P<minute>[0-9]{1,2})",
    "S": r"(?P<second>[0-9]{1,2})",
}
_WRITTEN: Final[dict[str, Callable[[datetime, Locale], str]]] = {
    "d": lambda moment, _locale: f"{moment.day:02}",
    "e": lambda moment, _locale: str(moment.day),
    "m": lambda moment, _locale: f"{moment.month:02}",
    "Y": lambda moment, _locale: f"{moment.year:04}",
    "y": lambda moment, _locale: f"{moment.year % 100:02}",
    "H": lambda moment, _locale: f"{moment.hour:02}",
    "M": lambda moment, _locale: f"{moment.minute:02}",
    "S": lambda moment, _locale: f"{moment.second:02}",
    "B": lambda moment, locale: str(get_month_names("wide", "format", locale)[moment.month]),
    "b": lambda moment, locale: str(get_month_names("abbreviated", "format", locale)[moment.month]),
    "A": lambda moment, locale: str(get_day_names("wide", "format", locale)[moment.weekday()]),
    "a": lambda moment, locale: str(get_day_names("abbreviated", "format", locale)[moment.weekday()]),
    "%": lambda _moment, _locale: "%",
}
_DIRECTIVE: Final = re.compile(r"%(.?)", re.DOTALL)

_loaded: Final[dict[str, Locale]] = {}


def read(text: str, notation: str | None = None) -> datetime:
    """The date, perhaps with a time, that a text is.

    Args:
        text: the date.
        notation: how it is written, such as `%d.%m.%Y`; None: ISO 8601, such as `2026-03-05`.

    Raises:
        CellError: it is not a date in this notation.
        ValueError: the notation has an unknown or repeated directive.
    """
    pattern = None if notation is None else _reader(notation)
    try:
        if len(text) > MAX_PATTERN:
            raise CellError(text, "is not a date: correct the list")
        return datetime.fromisoformat(text.strip()) if pattern is None else _matched(pattern, text.strip())
    except ValueError:
        if not text.strip():
            raise CellError(text, "is empty, not a date: use the date inside {% if %}") from None
        if notation is None:
            words = 'is not a date like 2026-12-31; say how it is written, such as |date(input="%d.%m.%Y")'
            raise CellError(text, words) from None
        raise CellError(text, f"is not a date written {notation}") from None


def _matched(pattern: re.Pattern[str], text: str) -> datetime:
    match = pattern.fullmatch(text)
    if match is None:
        raise ValueError(text)
    parts = {name: int(digits) for name, digits in match.groupdict().items()}
    if "short_year" in parts:
        # As POSIX reads two digits: 69 to 99 are of the last century.
        short = parts.pop("short_year")
        parts["year"] = short + (1900 if short >= 69 else 2000)
    return datetime(**parts)  # type: ignore[arg-type]  # noqa: DTZ001 - a cell names no time zone


@lru_cache(maxsize=64)
def _reader(notation: str) -> re.Pattern[str]:
    _check_length(notation)
    pieces, end = [], 0
    directives = [match.group(1) for match in _DIRECTIVE.finditer(notation)]
    for match in _DIRECTIVE.finditer(notation):
        if match.group(1) not in _READ:
            raise ValueError(f"date: {match.group()} is unknown in input=: use %d, %m, %Y, %y, %H, %M and %S")
        pieces += [re.escape(notation[end : match.start()]), _READ[match.group(1)]]
        end = match.end()
    if len(set(directives)) < len(directives) or {"Y", "y"} <= set(directives):
        raise ValueError("date: a directive of input= occurs twice: write each part of the date once")
    if not {"d", "m"} <= set(directives) or not {"Y", "y"} & set(directives):
        raise ValueError("date: input= needs a day, a month and a year, such as %d.%m.%Y")
    return re.compile("".join([*pieces, re.escape(notation[end:])]))


def _check_length(pattern: Any) -> None:
    if not isinstance(pattern, str) or len(pattern) > MAX_PATTERN:
        raise ValueError(f"date: a pattern is a text of at most {MAX_PATTERN} characters, such as %d.%m.%Y")


def written(moment: datetime, pattern: str, locale: Locale) -> str:
    """A date as text.

    Args:
        moment: the date.
        pattern: one of `STYLES`, or a text with directives such as `%d %B %Y`; `%e` is the day without a zero.
        locale: the language.

    Raises:
        ValueError: the pattern has an unknown directive.
    """
    _check_length(pattern)
    if pattern in STYLES:
        return format_date(moment, pattern, locale)
    return _DIRECTIVE.sub(lambda match: _part(match.group(1), moment, locale), pattern)


def _part(directive: str, moment: datetime, locale: Locale) -> str:
    if directive not in _WRITTEN:
        raise ValueError(f"date: %{directive} is unknown: use {', '.join(f'%{name}' for name in _WRITTEN)}")
    return _WRITTEN[directive](moment, locale)


def is_loaded(locale: Any) -> bool:
    """Whether a language is ready, so that no time is needed to load it."""
    return locale in _loaded


def language(locale: Any) -> Locale:
    """A language by its name, such as `de`, `pt-BR` or `nb_NO`.

    Raises:
        TypeError: it is no text.
        ValueError: it is unknown, or this process keeps too many.
    """
    if not isinstance(locale, str):
        raise TypeError('date: locale= is the name of a language, such as "de"')
    if locale in _loaded:
        return _loaded[locale]
    if len(_loaded) >= MAX_LOCALES:
        raise ValueError(f"date: more than {MAX_LOCALES} languages are in use: write the months in the template")
    try:
        made = Locale.parse(locale[:40].strip().replace("-", "_"))
        get_month_names("wide", "format", made)
    except (ValueError, UnknownLocaleError):
        raise ValueError(f'date: {locale[:40]!r} is no language: use a name such as "de" or "pt_BR"') from None
    return _loaded.setdefault(locale, made)


def check(pattern: Any = "medium", locale: Any = "en", notation: Any = None) -> None:
    """Check the arguments of the filter `date`, and load the language.

    Raises:
        TypeError: one of them has the wrong type.
        ValueError: one of them is invalid.
    """
    written(datetime(2000, 1, 1), pattern, language(locale))  # noqa: DTZ001 - any date will do
    if notation is not None:
        _reader(notation)
