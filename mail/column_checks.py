"""Checks of what templates and list make together: missing and empty columns, texts taken for numbers, failing rows."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from mail.check import Check, Level, place
from mail.rendering import RenderError, Templates
from mail.template import Template
from mail.template_review import Use

#: The address with which rows of the sample are rendered.
SAMPLE_ADDRESS: Final = "ann@example.com"
#: The unsubscribe link with which they are rendered.
SAMPLE_LINK: Final = "https://example.com/u/" + "x" * 48
#: The most rows of the sample that are rendered.
MAX_SAMPLE: Final = 5
#: The reason of a row, as `mail.rendering` writes it.
_REASON: Final = re.compile(r"(subject|html|text|headers\.[^:,]+)(?:, line (\d+))?: (.*)", re.DOTALL)
#: The methods of texts of which there is a filter with the same name.
_ALSO_FILTERS: Final = frozenset({"capitalize", "center", "format", "join", "lower", "replace", "title", "upper"})
#: How alike two names must be for "did you mean", from 0 to 1.
ALIKE: Final = 0.6


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


def missing(templates: Templates, columns: Sequence[str], sources: Mapping[str, str]) -> Iterator[Check]:
    """The names that the templates use and the list lacks."""
    folded = {_folded(column): column for column in columns if column}
    for name in templates.missing(columns):
        near = difflib.get_close_matches(_folded(name), folded, 1, ALIKE)
        hint = f"did you mean {folded[near[0]]}?" if near else f"its columns are {_listed(columns)}"
        message = f"the list has no column {name}; {hint}"
        for template in templates.each:
            if name in template.names:
                where = _find(sources[template.field], name)
                yield _check("missing_column", message, Level.STOPS_START, template, where)
                break


def _folded(name: str) -> str:
    bare = unicodedata.normalize("NFKD", name.casefold())
    return "".join(character for character in bare if character.isalnum())


def _listed(columns: Sequence[str]) -> str:
    named = [column for column in columns if column]
    return ", ".join(named[:10]) + (", ..." if len(named) > 10 else "")


def empty(
    templates: Templates, columns: Sequence[str], empty_counts: Mapping[str, int], sources: Mapping[str, str]
) -> Iterator[Check]:
    """The columns that are empty in some rows although a template writes them without a fallback."""
    told: set[str] = set()
    for template in templates.each:
        for use in template.review.bare:
            count = empty_counts.get(use.name, 0)
            if not count or use.name in told or use.name not in columns:
                continue
            told.add(use.name)
            rows = "1 row" if count == 1 else f"{count:,} rows"
            message = f'{use.name} is empty in {rows}: give a fallback, such as {{{{ {use.name}|default("friend") }}}}'
            yield _check("empty_column", message, Level.HINT, template, _at(sources[template.field], use))


def failing(templates: Templates, columns: Sequence[str], sample: Sequence[Sequence[str]]) -> Iterator[Check]:
    """The first row of the sample that cannot be rendered."""
    fields = templates.fields(columns)
    renderer = templates.renderer("sample", columns, lambda _row, _address: (SAMPLE_LINK, {}))
    for number, row in enumerate(sample[:MAX_SAMPLE], 1):
        try:
            renderer.message(number, SAMPLE_ADDRESS, [row[index] if index < len(row) else "" for index in fields])
        except RenderError as error:
            match = _REASON.fullmatch(error.reason)
            field, line, words = match.groups() if match else ("subject", None, error.reason)
            message = f"row {number} of the sample would fail: {words}"
            yield Check("row_fails", message, field, int(line) if line else None, None, Level.ACKNOWLEDGE)
            return


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
