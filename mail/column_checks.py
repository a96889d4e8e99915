"""Checks of what templates and list make together: missing and empty columns, texts taken for numbers, failing rows."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from mail.check import Check, Level, place
from mail.known_list import KnownList
from mail.rendering import RenderError, Templates
from mail.similar_names import MAX_LOOKED_FOR, folded, similar
from mail.tags import blanked
from mail.template import Template
from mail.template_review import Use

#: The address with which rows of the sample are rendered.
SAMPLE_ADDRESS: Final = "ann@example.com"
#: The unsubscribe link with which they are rendered.
SAMPLE_LINK: Final = "https://example.com/u/" + "x" * 48
#: The CPU time after which no further row of the sample is rendered, in s.
SAMPLE_S: Final = 0.25
#: From this part of all rows on (one of so many), rows are many.
MANY_SHARE: Final = 4
#: From this number of rows on, a column can be empty in many of them.
MANY_EMPTY: Final = 10
#: The reason of a row, as `mail.rendering` writes it.
_REASON: Final = re.compile(r"(subject|html|text|headers\.[^:,]+)(?:, line (\d+))?: (.*)", re.DOTALL)
#: A name between the marks with which other systems write their tags; those that need no list are in `source_checks`.
_MARKED: Final = re.compile(
    r"(?<![\w{\[%])(?:[$#]?\{[$!]?|\[|<<|&lt;&lt;|«|%)\s*([^\W\d_][\w .-]{1,60}?)\s*"
    r"(?:\}|\]|>>|&gt;&gt;|»|%)(?![\w}\]%])"
)
#: The most characters of a template in which such names are looked for, and the most findings per template.
MAX_SEARCHED: Final = 1_000_000
MAX_EACH: Final = 20
#: The methods of texts of which there is a filter with the same name.
_ALSO_FILTERS: Final = frozenset({"capitalize", "center", "format", "join", "lower", "replace", "title", "upper"})


def uncalled(template: Template, source: str) -> Iterator[Check]:
    """The methods of columns that a template names without brackets."""
    for use in template.review.uncalled:
        written = f"{use.name}.{use.method}"
        by_filter = f"{{{{ {use.name}|{use.method} }}}} or " if use.method in _ALSO_FILTERS else ""
        message = f"{{{{ {written} }}}} is a method, not its result: write {by_filter}{{{{ {written}() }}}}"
        yield _check("method_without_call", message, Level.ERROR, template, _at(source, use, f".{use.method}"))


def calculated(template: Template, source: str) -> Iterator[Check]:
    """The columns that a template takes for numbers without a conversion."""
    for use in template.review.calculated:
        message = f"{use.name} is text, so every row would fail here: write {use.name}|int, |float or |number"
        yield _check("text_arithmetic", message, Level.ACKNOWLEDGE, template, _at(source, use))


def compared(template: Template, source: str) -> Iterator[Check]:
    """The columns whose order is compared with a number in quotes."""
    for use in template.review.compared:
        message = f"this compares letters, so that '12' comes before '5': write {use.name}|int, |float or |number, and"
        where = _at(source, use)
        yield _check("text_comparison", f"{message} the number without quotes", Level.ACKNOWLEDGE, template, where)


def missing(templates: Templates, columns: Sequence[str], sources: Mapping[str, str]) -> Iterator[Check]:
    """The names that the templates and `where` use and the list lacks."""
    for number, name in enumerate(templates.missing(columns)):
        near = similar(name, columns) if number < MAX_LOOKED_FOR else None
        hint = f"did you mean {near}?" if near else f"its columns are {_listed(columns)}"
        message = f"the list has no column {name}; {hint}"
        user = next((template for template in templates.each if name in template.names), None)
        if user is None:
            yield Check("missing_column", message, "where", None, None, Level.STOPS_START)
        else:
            yield _check("missing_column", message, Level.STOPS_START, user, _find(sources[user.field], name))


def _listed(columns: Sequence[str]) -> str:
    named = [column for column in columns if column]
    return ", ".join(named[:10]) + (", ..." if len(named) > 10 else "")


def unfilled(columns: Sequence[str], sources: Mapping[str, str]) -> Iterator[Check]:
    """The names of columns between the marks of other systems: `[First Name]`, `{first_name}`, `<<First Name>>`."""
    named = {folded(column): column for column in columns if column}
    for field, source in sources.items():
        found = (match for match in _MARKED.finditer(blanked(source[:MAX_SEARCHED])) if folded(match[1]) in named)
        for match in islice(found, MAX_EACH):
            column = named[folded(match[1])]
            message = f"{match[0]} would be sent as it is: write {{{{ {column} }}}} if you mean the column"
            yield Check("unfilled_column", message, field, *place(source, match.start()), Level.ACKNOWLEDGE)


def empty(templates: Templates, known: KnownList, sources: Mapping[str, str]) -> Iterator[Check]:
    """The columns that are empty in some rows although a template writes them without a fallback."""
    told: set[str] = set()
    for template in templates.each:
        for use in template.review.bare:
            count = known.empty.get(use.name, 0)
            if not count or use.name in told or use.name not in known.columns:
                continue
            told.add(use.name)
            are_many = count >= MANY_EMPTY and count * MANY_SHARE >= known.recipients
            level = Level.ACKNOWLEDGE if are_many else Level.HINT
            message = (
                f"{use.name} is empty in {count:,} of {known.recipients:,} rows: give a fallback, such as "
                f'{{{{ {use.name}|default("friend") }}}}'
            )
            yield _check("empty_column", message, level, template, _at(sources[template.field], use))


def failing(templates: Templates, known: KnownList) -> Iterator[Check]:
    """The rows of the sample that cannot be rendered: one finding with the first of them.

    A single row that fails beside others that do not is a hint, and so are few, since they cost those rows alone.
    """
    fields = templates.fields(known.columns)
    renderer = templates.renderer("sample", known.columns, lambda _row, _address: (SAMPLE_LINK, {}))
    end = time.thread_time() + SAMPLE_S
    failed: list[tuple[int, str]] = []
    tried = 0
    for number, row in known.rows:
        if time.thread_time() > end:
            break
        tried += 1
        try:
            renderer.message(number, SAMPLE_ADDRESS, [row[index] if index < len(row) else "" for index in fields])
        except RenderError as error:
            failed.append((number, error.reason))
    if failed:
        yield _row_fails(failed, tried)


def _row_fails(failed: Sequence[tuple[int, str]], tried: int) -> Check:
    number, reason = failed[0]
    match = _REASON.fullmatch(reason)
    field, line, words = match.groups() if match else ("subject", None, reason)
    others = f" ({len(failed)} of the first {tried} rows fail)" if len(failed) > 1 else ""
    message = f"row {number:,} would fail: {words}{others}"
    are_many = len(failed) * MANY_SHARE >= tried and (len(failed) > 1 or tried == 1)
    level = Level.ACKNOWLEDGE if are_many else Level.HINT
    return Check("row_fails", message, field, int(line) if line else None, None, level)


def _check(code: str, message: str, level: Level, template: Template, where: tuple[int | None, int | None]) -> Check:
    return Check(code, message, template.field, *where, level)


def _at(source: str, use: Use, suffix: str = "") -> tuple[int, int | None]:
    """The line of a use, and its column if the name stands on that line."""
    line = source.split("\n", use.line)[use.line - 1] if use.line else ""
    match = re.search(rf"(?<!\w){re.escape(use.name + suffix)}(?!\w)", line)
    return use.line, match.start() + 1 if match else None


def _find(source: str, name: str) -> tuple[int | None, int | None]:
    for match in re.finditer(rf"(?<![\w.]){re.escape(name)}(?!\w)", source):
        if source.rfind("{", 0, match.start()) > source.rfind("}", 0, match.start()):
            return place(source, match.start())
    return None, None
