"""The filters and tests of templates: those of Jinja2, each charged for the size of its input before it runs.

Filters that return an iterator in Jinja2 return a list here, so that their result is charged at once. `pprint` is
missing, because its cost cannot be estimated in advance.
"""

# ruff: noqa: D103, PLR0917 - each of these functions is Jinja2's filter of that name, with its arguments

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import wraps
from typing import Any, Final

from jinja2 import Undefined, filters as plain, tests as plain_tests
from jinja2.utils import pass_context, pass_environment
from markupsafe import Markup, escape, soft_str

from mail.budget import NODE_BYTES, NODE_NS, SHORT, SIZED, text_bytes
from mail.cell_filters import CELL_FILTERS, as_number, refuse_mixture, to_float
from mail.cells import not_converted
from mail.template_methods import (
    ESCAPED,
    MAX_NAME,
    MAX_WIDTH,
    OBJECT_BYTES,
    cased,
    charge_percent,
    joined,
    lines,
    replaced,
    search,
    width,
    words,
)

#: The widest indentation of JSON, in blanks.
MAX_JSON_INDENT: Final = 16

_WORD: Final = re.compile(r"\w+")

Function = Any


def each(context: Any, value: Any, nodes: int = 1) -> Any:
    """The value that a loop iterates over, charged for all iterations.

    Args:
        context: the row's rendering.
        value: the value to iterate over.
        nodes: the number of template nodes per iteration.

    Raises:
        OverBudget: the loop exceeds the row's budget.
        TypeError: the value is not iterable.
    """
    if type(value) is list:  # nearly always
        nodes *= len(value)
        context.budget.spend(nodes * NODE_NS, nodes * NODE_BYTES)
        return value
    if type(value) not in SIZED and not isinstance(value, tuple):
        if isinstance(value, Undefined):
            iter(value)
        raise TypeError(f"{type(value).__name__!r} object is not iterable")
    rounds = len(value)
    context.budget.spend(rounds * nodes * NODE_NS, rounds * nodes * NODE_BYTES)
    if isinstance(value, str) and not value.isascii():
        context.budget.spend(0, rounds * OBJECT_BYTES)
    return value


def capitalize(context: Any, value: Any) -> Any:
    if type(value) is str and len(value) < SHORT:
        return value.capitalize()
    text = value if type(value) is str or type(value) is Markup else context.text(value)
    context.budget.spend(500 + 20 * len(text), OBJECT_BYTES + cased(text))
    return text.capitalize()


def upper(context: Any, value: Any) -> Any:
    if type(value) is str and len(value) < SHORT:
        return value.upper()
    text = value if type(value) is str or type(value) is Markup else context.text(value)
    size = text_bytes(text) if text.isascii() else cased(text)
    context.budget.spend(200 + 10 * size, OBJECT_BYTES + size)
    return text.upper()


def lower(context: Any, value: Any) -> Any:
    if type(value) is str and len(value) < SHORT:
        return value.lower()
    text = value if type(value) is str or type(value) is Markup else context.text(value)
    size = text_bytes(text) if text.isascii() else cased(text)
    context.budget.spend(200 + 10 * size, OBJECT_BYTES + size)
    return text.lower()


def escaped(context: Any, value: Any) -> Markup:
    return context.escaped(value)  # type: ignore[no-any-return]


def safe(context: Any, value: Any) -> Markup:
    text = value if isinstance(value, str) else context.text(value)
    context.budget.spend(200 + len(text), OBJECT_BYTES + text_bytes(text))
    return Markup(text)  # noqa: S704 - this is the purpose of `safe`


def string(context: Any, value: Any) -> Any:
    return value if isinstance(value, str) else context.text(value)


def forceescape(context: Any, value: Any) -> Markup:
    return context.escaped(context.text(value))  # type: ignore[no-any-return]


def trim(context: Any, value: Any, chars: Any = None) -> Any:
    text = value if isinstance(value, str) else context.text(value)
    if isinstance(chars, str):
        search(context.budget, text, chars, backward=True)
    context.budget.spend(200 + len(text), OBJECT_BYTES + 2 * text_bytes(text))
    return text.strip(chars)


def filesizeformat(context: Any, value: Any, binary: bool = False) -> str:
    return plain.do_filesizeformat(to_float(context, value) if isinstance(value, str) else value, binary)


def abs_(value: Any) -> Any:
    return abs(as_number(value))


def round_(context: Any, value: Any, precision: int = 0, method: Any = "common") -> Any:
    context.budget.spend(1_000)
    if abs(precision) > 100:
        raise ValueError("round takes at most 100 decimals")
    return plain.do_round(as_number(value), precision, weighed(context, method))


def sum_(context: Any, value: Any, attribute: Any = None, start: Any = 0) -> Any:
    items = each(context, value, 10)
    if attribute is not None:
        items = map(_getter(context, attribute), items)
    total = start
    for item in items:
        total = context.environment.call_binop(context, "+", total, item)
    return total


def center(context: Any, value: Any, columns: Any = 80) -> Any:
    text = value if isinstance(value, str) else context.text(value)
    size = 2 * (text_bytes(text) + 4 * abs(width(columns)))
    context.budget.spend(200 + size, OBJECT_BYTES + size)
    return text.center(columns)


def indent(context: Any, value: Any, columns: Any = 4, first: bool = False, blank: bool = False) -> Any:
    text = value if isinstance(value, str) else context.text(value)
    step = text_bytes(columns) if isinstance(columns, str) else abs(width(columns))
    context.budget.spend(1_000 + 20 * len(text))
    count = lines(text) + 1
    wide = 1 if text.isascii() and (not isinstance(columns, str) or columns.isascii()) else 4
    size = 3 * (wide * len(text) + count * (step * wide + OBJECT_BYTES))
    context.budget.spend(size, size)
    return plain.do_indent(text, columns, first, blank)


def truncate(
    context: Any, value: Any, length: int = 255, killwords: bool = False, end: Any = "...", leeway: Any = None
) -> Any:
    text = value if isinstance(value, str) else context.text(value)
    end = end if isinstance(end, str) else context.text(end)
    size = 2 * (text_bytes(text) + text_bytes(end))
    context.budget.spend(500 + 2 * size, OBJECT_BYTES + size)
    return plain.do_truncate(context.environment, text, length, killwords, end, leeway)


def replace(context: Any, value: Any, old: Any, new: Any, count: Any = None) -> Any:
    value, old, new = (part if isinstance(part, str) else context.text(part) for part in (value, old, new))
    html = context.eval_ctx.autoescape
    if html:
        context.budget.spend(0, ESCAPED * (text_bytes(value) + text_bytes(new)))
    text, insert = (escape(value), escape(new)) if html else (value, new)
    size = replaced(context.budget, text, old, insert) + text_bytes(text)
    size = 2 * size if html else size
    context.budget.spend(500 + size, OBJECT_BYTES + size)
    return plain.do_replace(context.eval_ctx, value, old, new, count)


def format_(context: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
    text = value if isinstance(value, str) else context.text(value)
    charge_percent(context.budget, text, kwargs or args)
    return plain.do_format(text, *args, **kwargs)


def join(context: Any, value: Any, d: Any = "", attribute: Any = None) -> Any:
    items = list(each(context, value, 2))
    if attribute is not None:
        items = list(map(_getter(context, attribute), items))
    items = [item if isinstance(item, str) else context.text(item) for item in items]
    separator = d if isinstance(d, str) else context.text(d)
    size = joined(context.budget, separator, items)
    if context.eval_ctx.autoescape:
        size *= ESCAPED
    context.budget.spend(500 + size, OBJECT_BYTES + size)
    return plain.sync_do_join(context.eval_ctx, items, separator)


def urlencode(context: Any, value: Any) -> str:
    size = context.budget.weigh(value)
    # A character has up to four bytes, each of which becomes three characters; a list holds the pieces meanwhile.
    context.budget.spend(2_000 + 200 * size, 12 * size + OBJECT_BYTES)
    return plain.do_urlencode(value)


def wordcount(context: Any, value: Any) -> int:
    text = value if isinstance(value, str) else context.text(value)
    context.budget.spend(500 + 100 * len(text))
    return sum(1 for _ in _WORD.finditer(soft_str(text)))


def striptags(context: Any, value: Any) -> Any:
    text = value if isinstance(value, str) else context.text(value)
    count = text.count("<") + text.count("&") + words(text)
    # Some versions of Jinja2 copy the text once per tag.
    context.budget.spend(1_000 + 50 * len(text) + text.count("<") * len(text) // 8 + 300 * count)
    context.budget.spend(0, 6 * text_bytes(text) + count * OBJECT_BYTES)
    return plain.do_striptags(text)


def wordwrap(
    context: Any,
    value: Any,
    columns: int = 79,
    break_long_words: bool = True,
    wrapstring: Any = None,
    break_on_hyphens: bool = True,
) -> Any:
    text = value if isinstance(value, str) else context.text(value)
    context.budget.spend(2_000 + 400 * len(text), words(text) * OBJECT_BYTES)
    wrapstring = wrapstring if wrapstring is None or isinstance(wrapstring, str) else context.text(wrapstring)
    longest = max(map(len, text.split()), default=0)
    # Python copies the rest of a long word for each line, and searches hyphens from each character on.
    context.budget.spend(longest * longest)
    most = words(text) + lines(text) + len(text) // max(1, columns)
    size = 3 * text_bytes(text) + most * (OBJECT_BYTES + text_bytes(wrapstring or "\n"))
    context.budget.spend(1_000 * most, size)
    return plain.do_wordwrap(context.environment, text, columns, break_long_words, wrapstring, break_on_hyphens)


def urlize(context: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
    text = value if isinstance(value, str) else context.text(value)
    context.budget.spend(5_000 + 30 * len(text), 3 * words(text) * OBJECT_BYTES)
    around = context.budget.weigh_each((*args, *kwargs.values()))
    size = 0
    for word in text.split():
        longest = len(escape(word))
        context.budget.spend(10_000 + longest * longest + 1_000 * around)
        size += 3 * text_bytes(word) * ESCAPED + around + 2 * OBJECT_BYTES
    context.budget.spend(size, size + 6 * text_bytes(text))
    return plain.do_urlize(context.eval_ctx, text, *args, **kwargs)


def tojson(context: Any, value: Any, indent: Any = None) -> Markup:
    if indent is not None and not 0 <= indent <= MAX_JSON_INDENT:
        raise ValueError(f"tojson indents by 0 to {MAX_JSON_INDENT} blanks")
    before = context.budget.work
    size = ESCAPED * context.budget.weigh(value) + ESCAPED * (before - context.budget.work)
    size += (before - context.budget.work) // 100 * 20 * (indent or 0)
    context.budget.spend(5_000 + 10 * size, 2 * size)
    return plain.do_tojson(context.eval_ctx, value, indent)


def xmlattr(context: Any, value: Any, autospace: bool = True) -> str:
    size = 4 * ESCAPED * (context.budget.weigh(value) + 100)
    context.budget.spend(2_000 + 10 * size, size)
    return plain.do_xmlattr(context.eval_ctx, value, autospace)


def _parts(attribute: Any) -> int:
    """The number of lookups in an attribute: two in `a.b`.

    Raises:
        TypeError: it is not a name, or too long.
    """
    if attribute is None or isinstance(attribute, int):
        return 1
    if not isinstance(attribute, str) or len(attribute) > MAX_NAME:
        raise TypeError(f"an attribute is named by a text of at most {MAX_NAME:,} characters")
    return 1 + attribute.count(".") + attribute.count(",")


def _getter(context: Any, attribute: Any) -> Function:
    """A function that looks an attribute up in an item, for the argument `attribute=` of many filters."""
    parts = _parts(attribute)
    getter = plain.make_attrgetter(context.environment, attribute)

    def get(item: Any) -> Any:
        context.budget.spend(2_000 * parts, NODE_BYTES)
        return getter(item)

    return get


def _ordering(context: Any, value: Any, attribute: Any = None) -> None:
    """Charge a sort: its comparisons, and the lookups of the attribute that it compares."""
    if type(value) not in SIZED and not isinstance(value, tuple):
        each(context, value)
    count = len(value)
    weight = context.budget.weigh(value)
    parts = _parts(attribute)
    context.budget.spend((count * 200 + weight // 4) * count.bit_length() + 2_000 * count * parts, weight + 120 * count)


def sort(
    context: Any, value: Any, reverse: bool = False, case_sensitive: bool = False, attribute: Any = None
) -> list[Any]:
    _ordering(context, value, attribute)
    return plain.do_sort(context.environment, value, reverse, case_sensitive, attribute)


def dictsort(
    context: Any, value: Any, case_sensitive: bool = False, by: Any = "key", reverse: bool = False
) -> list[Any]:
    _ordering(context, value)
    return plain.do_dictsort(value, case_sensitive, by, reverse)


def unique(context: Any, value: Any, case_sensitive: bool = False, attribute: Any = None) -> list[Any]:
    _ordering(context, value, attribute)
    return list(plain.sync_do_unique(context.environment, value, case_sensitive, attribute))


def groupby(context: Any, value: Any, attribute: Any, default: Any = None, case_sensitive: bool = False) -> list[Any]:
    _ordering(context, value, attribute)
    context.budget.spend(1_000 * len(value), 200 * len(value))
    return plain.sync_do_groupby(context.environment, value, attribute, default, case_sensitive)


def min_(context: Any, value: Any, case_sensitive: bool = False, attribute: Any = None) -> Any:
    _ordering(context, value, attribute)
    return plain.do_min(context.environment, value, case_sensitive, attribute)


def max_(context: Any, value: Any, case_sensitive: bool = False, attribute: Any = None) -> Any:
    _ordering(context, value, attribute)
    return plain.do_max(context.environment, value, case_sensitive, attribute)


def batch(context: Any, value: Any, linecount: int, fill_with: Any = None) -> list[Any]:
    each(context, value, 3)
    if fill_with is not None and not 1 <= linecount <= MAX_WIDTH:
        raise ValueError(f"batch fills 1 to {MAX_WIDTH:,} places")
    context.budget.spend(1_000, 8 * linecount if fill_with is not None else 0)
    return list(plain.do_batch(value, linecount, fill_with))


def slice_(context: Any, value: Any, slices: int, fill_with: Any = None) -> list[Any]:
    each(context, value, 1)
    context.budget.spend(1_000 + 500 * abs(slices), 150 * abs(slices))
    return list(plain.sync_do_slice(value, slices, fill_with))


def list_(context: Any, value: Any) -> list[Any]:
    return list(each(context, value))


def items(context: Any, value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        each(context, value, 2)
    return list(plain.do_items(value))


def reverse(context: Any, value: Any) -> Any:
    if isinstance(value, str):
        context.budget.spend(200 + len(value), OBJECT_BYTES + 2 * text_bytes(value))
        return value[::-1]
    return list(plain.do_reverse(each(context, value)))


def attr(context: Any, value: Any, name: Any) -> Any:
    context.budget.spend(10_000)
    _parts(name)
    return plain.do_attr(context.environment, value, name)


def random(context: Any, value: Any) -> Any:
    context.budget.spend(2_000)
    return plain.do_random(context, value)


def map_(context: Any, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
    if not value:
        return []
    for argument in (*args, *kwargs.values()):
        weighed(context, argument)
    if "attribute" in kwargs:
        context.budget.spend(2_000 * len(value) * _parts(kwargs["attribute"]))
    function = plain.prepare_map(context, args, kwargs)
    return [function(item) for item in each(context, value, 20)]


def _selecting(name: str) -> Function:
    function = getattr(plain, f"sync_do_{name}")

    def charged(context: Any, value: Any, *args: Any) -> list[Any]:
        for argument in args:
            weighed(context, argument)
        if name.endswith("attr") and args:
            context.budget.spend(2_000 * len(value) * _parts(args[0]))
        return list(function(context, each(context, value, 30), *args))

    return charged


def weighed(context: Any, value: Any) -> Any:
    """A value to compare or hash, charged for its size."""
    if type(value) is not int and not (type(value) is str and len(value) < 100):
        weight = context.budget.weigh(value)
        context.budget.spend(weight)
    return value


def part_of(context: Any, value: Any, start: Any, stop: Any, step: Any) -> Any:
    """`value[start:stop:step]`."""
    if isinstance(value, str):
        context.budget.spend(
            200 + len(value) // 4, OBJECT_BYTES + 2 * text_bytes(value[start:stop] if step is None else value)
        )
    elif type(value) in SIZED or isinstance(value, tuple):
        context.budget.spend(200, OBJECT_BYTES + 8 * len(value))
    return value[start:stop:step]


def charge(context: Any, _value: Any, nodes: int) -> None:
    """Charge a macro's body, once per call."""
    context.budget.spend(nodes * NODE_NS, nodes * NODE_BYTES)


#: The names of filters that the compiler inserts. Their blanks keep templates from using them.
EACH: Final = "each of"
WEIGHED: Final = "weight of"
PART_OF: Final = "part of"
CHARGE: Final = "charge for"

FILTERS: Final[dict[str, Function]] = {
    **CELL_FILTERS,
    # The time and the result size of these are constant.
    **{name: plain.FILTERS[name] for name in ("count", "first", "last", "length")},
    "abs": abs_,
    **{
        name: pass_context(function)
        for name, function in {
            EACH: each, WEIGHED: weighed, PART_OF: part_of, CHARGE: charge,
            "attr": attr, "batch": batch, "capitalize": capitalize, "center": center,
            "dictsort": dictsort, "e": escaped, "escape": escaped,
            "filesizeformat": filesizeformat, "forceescape": forceescape, "format": format_,
            "groupby": groupby, "indent": indent, "items": items, "join": join, "list": list_,
            "lower": lower, "map": map_, "max": max_, "min": min_, "random": random, "replace": replace,
            "reverse": reverse, "round": round_, "safe": safe, "slice": slice_, "sort": sort, "string": string,
            "striptags": striptags, "sum": sum_, "tojson": tojson, "trim": trim,
            "truncate": truncate, "unique": unique, "upper": upper, "urlencode": urlencode, "urlize": urlize,
            "wordcount": wordcount, "wordwrap": wordwrap, "xmlattr": xmlattr,
            **{name: _selecting(name) for name in ("reject", "rejectattr", "select", "selectattr")},
        }.items()
    },
}  # fmt: skip


def _comparing(function: Function) -> Function:
    def charged(context: Any, left: Any, right: Any) -> Any:
        refuse_mixture(left, right)
        return function(weighed(context, left), weighed(context, right))

    return pass_context(charged)


def _inside(context: Any, value: Any, holder: Any) -> bool:
    if isinstance(holder, range):
        # Python compares a value that is not an int with each number of the range.
        refuse_mixture(value, 0)
        context.budget.spend(300 if type(value) is int else 60 * len(holder) + context.budget.weigh(value))
    elif isinstance(value, str) and isinstance(holder, str):
        search(context.budget, holder, value)
    elif type(holder) in SIZED or isinstance(holder, tuple):
        weighed(context, value)
        weighed(context, holder)
        if isinstance(value, str) and holder and all(type(item) in {int, float} for item in holder):
            raise not_converted(value)
    elif not isinstance(holder, Undefined):
        raise TypeError(f"argument of type {type(holder).__name__!r} is not iterable")
    return value in holder


def _named(function: Function) -> Function:
    def checked(environment: Any, value: Any) -> bool:
        return isinstance(value, str) and bool(function(environment, value))

    return pass_environment(checked)


def _numeric(function: Function) -> Function:
    @wraps(function)
    def checked(value: Any, *args: Any) -> bool:
        return bool(function(as_number(value), *map(as_number, args)))

    return checked


def _text_test(function: Function) -> Function:
    def charged(context: Any, value: Any) -> bool:
        text = context.text(value)
        context.budget.spend(200 + 20 * len(text))
        return bool(function(text))

    return pass_context(charged)


TESTS: Final[dict[str, Function]] = {
    **plain_tests.TESTS,
    **{
        name: _comparing(plain_tests.TESTS[name])
        for name in (
            "!=", "<", "<=", "==", ">", ">=", "eq", "equalto", "ge", "greaterthan", "gt", "le", "lessthan", "lt", "ne",
        )
    },
    **{name: _numeric(plain_tests.TESTS[name]) for name in ("divisibleby", "even", "odd")},
    **{name: _text_test(plain_tests.TESTS[name]) for name in ("lower", "upper")},
    **{name: _named(plain_tests.TESTS[name]) for name in ("filter", "test")},
    "in": pass_context(_inside),
}  # fmt: skip
