"""The methods that a template may call and their costs: of texts, lists, dicts and numbers, also `%` and `format`.

A template cannot call a method that is not listed here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from string import Formatter
from types import BuiltinMethodType, MethodType
from typing import Any, Final

from jinja2 import Undefined
from jinja2.runtime import LoopContext
from jinja2.sandbox import SandboxedEscapeFormatter, SandboxedFormatter
from markupsafe import Markup

from mail.budget import SHORT, Budget, text_bytes
from mail.cells import not_converted

#: The largest width, in characters, as in `center`, `%99d` and `{:99}`; also the most decimals.
MAX_WIDTH: Final = 10_000
#: The largest product: bits of a number, or characters of a repeated string.
MAX_PRODUCT: Final = 10_000
#: The longest name of an attribute, in characters.
MAX_NAME: Final = 1_000
#: The most characters that escaping makes of one character, with a margin.
ESCAPED: Final = 6
#: The size of the object around a text, number or list, in bytes.
OBJECT_BYTES: Final = 64

#: One directive of a `%` format, after its key.
_DIRECTIVE: Final = re.compile(r"[#0\- +]*(\*|[0-9]*)(?:\.(\*|[0-9]*))?")
#: The directives of numbers.
_OF_NUMBERS: Final = frozenset("diouxXeEfFgG")
#: What writes a number at the end of a format of `str.format`.
_FORMAT_OF_NUMBERS: Final = frozenset("bdeEfFgGnoxX%")
_NUMBER: Final = re.compile(r"[0-9]+")

Estimate = Callable[[Budget, str, Sequence[Any]], int]


def search(budget: Budget, text: str, part: str, backward: bool = False) -> None:
    """Charge the search for a part of a text.

    Python's search is quadratic in the worst case for texts below 30,000 characters; backward search always is.
    """
    length = len(text)
    if backward or length < 30_000:
        budget.spend(100 + length + min(length, len(part)) * length // 4)
    else:
        budget.spend(100 + 6 * length)


def replaced(budget: Budget, text: str, old: str, new: str) -> int:
    """Charge a replacement; return the size of its result in bytes."""
    search(budget, text, old)
    count = text.count(old) if old else len(text) + 1
    wide = 1 if text.isascii() and new.isascii() else 4
    return wide * (len(text) + count * len(new))


def width(value: Any) -> int:
    """A width within the limit.

    Raises:
        ValueError: the width exceeds `MAX_WIDTH`.
    """
    number = int(value)
    if abs(number) > MAX_WIDTH:
        raise ValueError(f"a width of {str(number)[:20]} is more than {MAX_WIDTH:,}: use a smaller one")
    return number


def words(text: str) -> int:
    """An upper bound of the number of words in a text."""
    if not text.isascii():
        return len(text) // 2 + 1
    return 1 + sum(text.count(blank) for blank in " \n\t\r\v\f\x1c\x1d\x1e\x1f")


def lines(text: str) -> int:
    """An upper bound of the number of lines in a text."""
    return 1 + sum(text.count(end) for end in "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")


def _same(_budget: Budget, text: str, _args: Sequence[Any]) -> int:
    return text_bytes(text)


def cased(text: str) -> int:
    """The memory of a change of case, in bytes: Python may make a copy with three wide characters per character."""
    return 16 * len(text) if text.isascii() else 8 * text_bytes(text)


def _cased(_budget: Budget, text: str, _args: Sequence[Any]) -> int:
    return cased(text)


def _folded(_budget: Budget, text: str, _args: Sequence[Any]) -> int:
    return text_bytes(text) if text.isascii() else cased(text)


def _tested(_budget: Budget, _text: str, _args: Sequence[Any]) -> int:
    return 0


def _stripped(budget: Budget, text: str, args: Sequence[Any]) -> int:
    if args and isinstance(args[0], str):
        search(budget, text, args[0], backward=True)
    return text_bytes(text)


def _padded(_budget: Budget, text: str, args: Sequence[Any]) -> int:
    return text_bytes(text) + ESCAPED * 4 * abs(width(args[0] if args else 0))


def _found(budget: Budget, text: str, args: Sequence[Any]) -> int:
    if args and isinstance(args[0], str):
        search(budget, text, args[0])
    return 0


def _found_backward(budget: Budget, text: str, args: Sequence[Any]) -> int:
    if args and isinstance(args[0], str):
        search(budget, text, args[0], backward=True)
    return 2 * text_bytes(text)


def _parted(budget: Budget, text: str, args: Sequence[Any]) -> int:
    return _found(budget, text, args) + 2 * text_bytes(text)


def _split(budget: Budget, text: str, args: Sequence[Any]) -> int:
    parts = words(text)
    if args and isinstance(args[0], str) and args[0]:
        search(budget, text, args[0], backward=True)
        parts = text.count(args[0]) + 1
    budget.spend(100 * parts)
    return 2 * (text_bytes(text) + parts * OBJECT_BYTES)


def _split_lines(budget: Budget, text: str, _args: Sequence[Any]) -> int:
    budget.spend(100 * lines(text))
    return 2 * (text_bytes(text) + lines(text) * OBJECT_BYTES)


def _replaced(budget: Budget, text: str, args: Sequence[Any]) -> int:
    if len(args) < 2 or not isinstance(args[0], str) or not isinstance(args[1], str):
        return 0
    new = args[1]
    if type(text) is not str:
        budget.spend(0, ESCAPED * text_bytes(new))
        new = Markup.escape(new)
    return replaced(budget, text, args[0], new)


def _tabs(_budget: Budget, text: str, args: Sequence[Any]) -> int:
    return text_bytes(text) + 4 * text.count("\t") * abs(width(args[0] if args else 8))


def _joined(budget: Budget, text: str, args: Sequence[Any]) -> int:
    if args and isinstance(args[0], Undefined):
        return len(args[0])  # raises UndefinedError
    if not args or type(args[0]) not in {list, tuple, str, Markup, dict}:
        raise TypeError("join takes a list of texts")
    return joined(budget, text, args[0]) * (1 if type(text) is str else ESCAPED)


def joined(budget: Budget, separator: str, parts: Any) -> int:
    """Charge a join of texts; return the size of its result in bytes."""
    budget.spend(50 * len(parts))
    characters = len(separator) * len(parts)
    wide = 1 if separator.isascii() else 4
    for part in parts:
        if isinstance(part, str):
            characters += len(part)
            wide = wide if part.isascii() else 4
    budget.spend(characters)
    return wide * characters


_TEXT: Final[dict[str, Estimate]] = {
    **dict.fromkeys(("capitalize", "swapcase", "title"), _cased),
    **dict.fromkeys(("casefold", "lower", "upper"), _folded),
    **dict.fromkeys(("strip", "lstrip", "rstrip"), _stripped),
    **dict.fromkeys(("removeprefix", "removesuffix"), _same),
    **dict.fromkeys(("center", "ljust", "rjust", "zfill"), _padded),
    **dict.fromkeys(("count", "find", "index"), _found),
    **dict.fromkeys(("rfind", "rindex", "rpartition"), _found_backward),
    **dict.fromkeys(("split", "rsplit"), _split),
    **dict.fromkeys(
        (
            "endswith", "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier", "islower", "isnumeric",
            "isprintable", "isspace", "istitle", "isupper", "startswith",
        ),
        _tested,
    ),
    "expandtabs": _tabs,
    "join": _joined,
    "partition": _parted,
    "replace": _replaced,
    "splitlines": _split_lines,
}  # fmt: skip
#: The positions of arguments that a template may give by name.
_NAMED: Final = {"sep": 0, "tabsize": 0}
_OTHERS: Final[dict[type, frozenset[str]]] = {
    list: frozenset({"copy", "count", "index"}),
    tuple: frozenset({"count", "index"}),
    dict: frozenset({"copy", "get", "items", "keys", "values"}),
    int: frozenset({"bit_length"}),
    float: frozenset({"is_integer"}),
    LoopContext: frozenset({"changed", "cycle"}),
}


#: The names of all methods of texts, also those that a template cannot call.
TEXT_METHODS: Final = frozenset(name for name in dir(str) if not name.startswith("_"))
#: Methods that need no estimate for a short text with short arguments.
CHEAP: Final = frozenset(_TEXT) - {"center", "expandtabs", "join", "ljust", "replace", "rjust", "zfill"}


def is_cheap(method: BuiltinMethodType, args: Sequence[Any]) -> bool:
    """Whether this is a call of a cheap method on a short text, with at most one short text as its argument."""
    owner = method.__self__
    return (
        type(owner) is str
        and len(owner) < SHORT
        and method.__name__ in CHEAP
        and (not args or (len(args) == 1 and type(args[0]) is str and len(args[0]) < SHORT))
    )


def charge_call(budget: Budget, method: BuiltinMethodType | MethodType, args: Sequence[Any], named: Any) -> bool:
    """Charge the call of a method; return whether templates may call the method.

    Raises:
        OverBudget: the call exceeds the row's budget.
    """
    owner, name = method.__self__, method.__name__
    budget.spend(300)
    budget.spend(budget.weigh_each((*args, *named.values())))
    if isinstance(owner, str):
        return _charge_text(budget, owner, name, args, named)
    if name not in _OTHERS.get(type(owner), ()):
        return False
    if isinstance(owner, (list, tuple)):
        budget.spend(budget.weigh(owner), 8 * len(owner))
    elif isinstance(owner, dict):
        budget.spend(100, 100 * len(owner) if name == "copy" else 0)
    return True


def _charge_text(budget: Budget, owner: str, name: str, args: Sequence[Any], named: Mapping[str, Any]) -> bool:
    estimate = _TEXT.get(name)
    if estimate is None:
        return False
    positional = [*args, *(value for key, value in named.items() if key in _NAMED)]
    budget.spend(20 * len(owner))
    made = estimate(budget, owner, positional)
    # A Markup's methods escape their arguments and copy their result.
    budget.spend(made, OBJECT_BYTES + (made if type(owner) is str else 2 * made))
    return True


def charge_percent(budget: Budget, template: str, values: Any) -> None:
    """Charge `template % values`.

    Raises:
        CellError: a text stands where the template writes a number.
    """
    directives, padding, filled = 0, 0, 0
    position = template.find("%")
    while position >= 0:
        budget.spend(2_000)
        start = position + 1
        position = _behind_key(template, start)
        key = template[start + 1 : position - 1] if position > start else None
        match = _DIRECTIVE.match(template, position)
        assert match is not None  # noqa: S101 - the pattern also matches the empty text
        if "*" in match.groups():
            raise ValueError("a format takes its widths as numbers, not as *")
        padding += width(match.group(1) or 0) + width(match.group(2) or 0)
        if template[match.end() : match.end() + 1] in _OF_NUMBERS:
            value = _filled_in(values, key, filled)
            if isinstance(value, str):
                raise not_converted(value)
        filled += not template.startswith("%", match.end())
        directives += 1
        position = template.find("%", match.end() + 1)
    weight = budget.weigh(values)
    made = 4 * (len(template) + padding) + directives * (4 * weight + OBJECT_BYTES)
    budget.spend(made, made if type(template) is str else ESCAPED * made)


def _filled_in(values: Any, key: str | None, place: int) -> Any:
    """The value for a directive of a `%` format, by its key, or by its place among the directives; None: unknown."""
    if key is not None:
        return values.get(key) if isinstance(values, Mapping) else None
    if isinstance(values, tuple):
        return values[place] if place < len(values) else None
    return values if place == 0 else None


def _behind_key(template: str, position: int) -> int:
    """The position where a directive continues after its `(key)`, which may itself contain brackets."""
    if not template.startswith("(", position):
        return position
    depth = 0
    for match in re.compile(r"[()]").finditer(template, position):
        depth += 1 if match.group() == "(" else -1
        if not depth:
            return match.end()
    return len(template)


class _Charged(Formatter):
    """`str.format`, with each piece charged before it is made."""

    budget: Budget
    #: The most bytes that one character can become.
    factor = 4

    def convert_field(self, value: Any, conversion: Any) -> Any:
        if conversion is not None:
            made = 3 * self.factor * self.budget.weigh(value)
            self.budget.spend(made, made + OBJECT_BYTES)
        return super().convert_field(value, conversion)

    def format_field(self, value: Any, format_spec: str) -> Any:
        padding = sum(width(number) for number in _NUMBER.findall(format_spec))
        made = self.factor * (self.budget.weigh(value) + padding + len(format_spec))
        self.budget.spend(1_000 + made, made + OBJECT_BYTES)
        if isinstance(value, str) and format_spec[-1:] in _FORMAT_OF_NUMBERS:
            raise not_converted(value)
        return super().format_field(value, format_spec)


class _TextFormatter(_Charged, SandboxedFormatter):
    pass


class _MarkupFormatter(_Charged, SandboxedEscapeFormatter):
    factor = 4 * ESCAPED


class Format:
    """The method `format` or `format_map` of a text, in the form that a template gets."""

    __slots__ = ("_sandbox", "_template", "by_map")

    def __init__(self, sandbox: Any, template: str, by_map: bool) -> None:
        self._sandbox = sandbox
        self._template = template
        self.by_map = by_map

    def fill(self, budget: Budget, args: Sequence[Any], named: Mapping[str, Any]) -> str:
        """The formatted text.

        Raises:
            OverBudget: the result exceeds the row's budget. `str.format` may raise further errors.
        """
        if self.by_map:
            if named or len(args) != 1:
                raise TypeError("format_map() takes exactly one argument")
            (named,) = args
            args = ()
        template = self._template
        pieces = 1 + sum(template.count(sign) for sign in "{}.[")
        made = 2 * text_bytes(template) + pieces * OBJECT_BYTES
        budget.spend(made + 3_000 * pieces, made)
        formatter: _Charged
        if isinstance(template, Markup):
            formatter = _MarkupFormatter(self._sandbox, escape=template.escape)
        else:
            formatter = _TextFormatter(self._sandbox)
        formatter.budget = budget
        return type(template)(formatter.vformat(template, args, named))
