"""The filters that read a cell for what it means: fallbacks, numbers, dates and names. Each is charged before it runs.

`mail.template_filters` has all other filters. What a conversion accepts stands in `mail.cell_numbers` and `mail.dates`.
"""

# ruff: noqa: D103 - each of these functions is the filter of that name

from __future__ import annotations

from types import BuiltinMethodType, MethodType
from typing import Any, Final

from jinja2 import Undefined, filters as plain
from jinja2.exceptions import SecurityError
from jinja2.utils import pass_context
from markupsafe import Markup

from mail import cell_numbers, dates
from mail.budget import SHORT, text_bytes
from mail.cell_numbers import MAX_DIGITS
from mail.cells import CellError, not_converted
from mail.template_methods import MAX_PRODUCT, OBJECT_BYTES, Format
from mail.title_case import title_case

Function = Any

#: An argument that the template does not give.
_NOT_GIVEN: Final = object()
_NUMBERS: Final = frozenset({int, float, bool})


def default(context: Any, value: Any, default_value: Any = "", boolean: bool = False) -> Any:
    """The fallback for a missing value, and for a text that is empty or blank."""
    if isinstance(value, str):
        if value and not value[0].isspace():
            return value
        context.budget.spend(100 + 5 * len(value))
        return default_value if not value or value.isspace() else value
    return default_value if isinstance(value, Undefined) or (boolean and not value) else value


def title(context: Any, value: Any) -> Any:
    if type(value) is str and len(value) < SHORT:
        return title_case(value)
    text = value if type(value) is str or type(value) is Markup else context.text(value)
    size = text_bytes(text)
    context.budget.spend(1_000 + 240 * size, OBJECT_BYTES + 140 * size)
    made = title_case(str(text))
    return made if type(text) is str else Markup(made)  # noqa: S704 - a change of case makes no tag


def to_int(context: Any, value: Any, default: Any = _NOT_GIVEN, base: int = 10) -> Any:
    """A whole number. A text that is none fails the row, unless the template gives a fallback."""
    if not isinstance(value, str):
        return plain.do_int(value, *_fallback(value, default, 0), base)
    context.budget.spend(len(value))
    try:
        return cell_numbers.to_int(value, base)
    except CellError:
        if default is _NOT_GIVEN:
            raise
        return default


def to_float(context: Any, value: Any, default: Any = _NOT_GIVEN) -> Any:
    """A number. A text that is none fails the row, unless the template gives a fallback."""
    if not isinstance(value, str):
        return plain.do_float(value, *_fallback(value, default, 0.0))
    context.budget.spend(len(value))
    try:
        return cell_numbers.to_float(value)
    except CellError:
        if default is _NOT_GIVEN:
            raise
        return default


def _fallback(value: Any, default: Any, zero: Any) -> tuple[Any]:
    if default is not _NOT_GIVEN:
        return (default,)
    if type(value) not in _NUMBERS and not isinstance(value, Undefined):
        raise TypeError(f"a {type(value).__name__} is not a number")
    return (zero,)


def number(context: Any, value: Any, decimal: Any = ".", thousands: Any = None) -> Any:
    """A number in the notation of a language: `|number(decimal=",")`."""
    context.budget.spend(3_000 + context.budget.weigh_each((decimal, thousands)))
    if not isinstance(value, str):
        return as_number(value)
    context.budget.spend(100 * min(len(value), MAX_DIGITS), 8 * min(len(value), MAX_DIGITS))
    return cell_numbers.number(value, decimal, thousands)


def as_number(value: Any) -> Any:
    """A value of which a template needs to be sure that it is a number.

    Raises:
        CellError: it is a text.
        TypeError: it is something else.
    """
    if isinstance(value, str):
        raise not_converted(value)
    if not isinstance(value, (int, float, Undefined)):
        raise TypeError(f"expected a number, not a {type(value).__name__}")
    return value


def not_a_text(value: Any) -> Any:
    """The operand of a comparison with a number.

    Raises:
        CellError: it is a text.
    """
    if isinstance(value, str):
        raise not_converted(value)
    return value


def refuse_mixture(left: Any, right: Any) -> None:
    """Refuse to compare a text with a number, which would be false whatever the text says.

    Raises:
        CellError: exactly one of the two is a text, and the other is a number.
    """
    if isinstance(left, str):
        if type(right) in _NUMBERS:
            raise not_converted(left)
    elif type(left) in _NUMBERS and isinstance(right, str):
        raise not_converted(right)


def number_format(context: Any, value: Any, decimals: int = 2, decimal: Any = ".", thousands: Any = "") -> str:
    """A number as text: `|number_format(2, ",", ".")` writes 1.234,50."""
    exact = as_number(value)
    if not isinstance(exact, (int, float)) or not isinstance(decimal, str) or not isinstance(thousands, str):
        raise TypeError("number_format takes a number, the number of decimals, and two signs")
    size = 2_000 + 4 * text_bytes(thousands) * 8 if isinstance(exact, float) else exact.bit_length() + 200
    context.budget.spend(20_000 + 10 * size, 8 * size)
    return cell_numbers.written(exact, decimals, decimal, thousands)


def date(context: Any, value: Any, pattern: Any = "medium", locale: Any = "en", input: Any = None) -> str:  # noqa: A002
    """A date as text: `|date("%d %B %Y", locale="de", input="%m/%d/%Y")`."""
    if not isinstance(value, str):
        if isinstance(value, Undefined):
            str(value)  # raises UndefinedError
        raise TypeError(f"expected a date as text, not a {type(value).__name__}")
    context.budget.spend(100_000, 10_000)
    if not dates.is_loaded(locale):
        context.budget.spend(dates.LOAD_NS, dates.LOAD_BYTES)
    return dates.written(dates.read(value, input), pattern, dates.language(locale))


def repeated(context: Any, text: str, count: Any) -> str:
    """`'-' * 40`: a text of the template, repeated."""
    if isinstance(count, str):
        raise not_converted(count)
    if isinstance(count, int) and len(text) * count > MAX_PRODUCT:
        raise SecurityError("this product is too large for a template")
    context.budget.spend(MAX_PRODUCT, OBJECT_BYTES + 4 * MAX_PRODUCT)
    return text * count  # type: ignore[no-any-return]


def value_of(value: Any) -> Any:
    """An attribute that a template uses without a call.

    Raises:
        TypeError: it is a method.
    """
    if isinstance(value, (BuiltinMethodType, MethodType, Format)):
        name = "format" if isinstance(value, Format) else value.__name__
        raise TypeError(f"{name} is a method: write .{name}() with brackets, or the filter of that name")
    return value


#: The names of filters that the compiler inserts. Their blanks keep templates from using them.
NOT_TEXT: Final = "number in"
REPEATED: Final = "repeats of"
VALUE: Final = "value of"

_WITH_CONTEXT: Final[dict[str, Function]] = {
    REPEATED: repeated,
    "d": default,
    "date": date,
    "default": default,
    "float": to_float,
    "int": to_int,
    "number": number,
    "number_format": number_format,
    "title": title,
}

CELL_FILTERS: Final[dict[str, Function]] = {
    NOT_TEXT: not_a_text,
    VALUE: value_of,
    **{name: pass_context(function) for name, function in _WITH_CONTEXT.items()},
}
