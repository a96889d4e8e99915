"""Finds what is no Jinja2 in a template's source: tags of other systems, encoded braces, comments that CSS opens."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterator
from typing import Final

from mail.check import Check, Level, place
from mail.tags import Kind, Tag, blanked, tags

#: The most characters of a foreign tag that are shown and looked for.
MAX_SHOWN: Final = 60
#: The most findings of one kind per field.
MAX_EACH: Final = 20

_ENCODED: Final = re.compile(r"%7[Bb](?:%7[Bb]|%25|%)")
_ENTITIES: Final = re.compile(r"(?:&#0*123;|&#[xX]0*7[bB];|&lbrace;|&lcub;){2}")
_HANDLEBARS: Final = re.compile(r"\{\{(?:\{\s*([\w.]{1,60})\s*\}|[#/&^>]\s*[\w.]{1,60}[^{}]{0,60})\}\}")
_FOREIGN: Final = {
    "Mailchimp": re.compile(r"\*\|[A-Za-z0-9_:]{1,60}\|\*"),
    "Salesforce": re.compile(r"%%=?[A-Za-z_][\w ().:-]{0,60}%%"),
    "SendGrid or another system": re.compile(r"\[\[\s*[A-Za-z_][\w .]{0,60}\]\]"),
    "Mailgun": re.compile(r"%(?:recipient|tag|unsubscribe)(?:\.\w{1,60}|_url)%"),
}
_STYLE: Final = re.compile(r"<(/?)style\b", re.IGNORECASE)


def errors(field: str, source: str) -> Iterator[Check]:
    """What keeps a template from being what its author means; takes time in proportion to the source."""
    for match in _each(_ENCODED, source):
        yield _check(
            "encoded_braces",
            "%7B stands for a brace that an editor has encoded in a link, so this tag would be sent as it is: write "
            "{{ and }} in the link",
            Level.ERROR, field, source, match.start(),
        )  # fmt: skip
    for match in _each(_HANDLEBARS, source):
        name = match.group(1)
        remedy = f"write {{{{ {name}|safe }}}}, or {{{{ {name} }}}} to have it escaped" if name else "use {% if %}"
        message = f"{match.group()[:MAX_SHOWN]} is a tag of Handlebars or Mustache, not of Jinja2: {remedy}"
        yield _check("foreign_tag", message, Level.ERROR, field, source, match.start())
    yield from _css_comments(field, source)


def _css_comments(field: str, source: str) -> Iterator[Check]:
    """Comments of Jinja2 that CSS has opened: a brace before `#id` within `<style>`."""
    if field != "html" or "{#" not in source:
        return
    styles = [(match.start(), not match.group(1)) for match in _STYLE.finditer(source)]
    for tag in tags(source):
        opened = bisect(styles, (tag.start, False))
        in_style = opened > 0 and styles[opened - 1][1]
        if tag.kind is Kind.COMMENT and in_style and _is_css(source, tag):
            message = (
                f"{source[tag.start : tag.start + 20]!r} begins a comment of Jinja2, which hides everything up to the "
                "next #}: write { # with a blank between the two"
            )
            yield _check("css_comment", message, Level.ERROR, field, source, tag.start)
            return


def _is_css(source: str, tag: Tag) -> bool:
    """Whether a comment within `<style>` begins with the name of an element, or does not end."""
    first = source[tag.start + 2 : tag.start + 3]
    return first.isalpha() or first in {"_", "\\"} or not source.endswith("#}", 0, tag.end)


def foreign_tags(field: str, source: str) -> Iterator[Check]:
    """The tags of other systems outside of this template's tags, and tags whose braces an editor has encoded."""
    text = blanked(source)
    for match in _each(_ENTITIES, text if field == "html" else ""):
        message = f"{match.group()} is shown as {{{{ and fills in nothing: write {{{{ and }}}} if you mean a tag"
        yield _check("encoded_braces", message, Level.ACKNOWLEDGE, field, source, match.start())
    for system, pattern in _FOREIGN.items():
        for match in _each(pattern, text):
            shown = match.group()[:MAX_SHOWN]
            name = re.sub(r"\W+", "_", shown).strip("_").lower()
            message = f"{shown} is a tag of {system} and would be sent as it is: write {{{{ {name} }}}}"
            yield _check("foreign_tag", message, Level.ACKNOWLEDGE, field, source, match.start())


def _each(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    for count, match in enumerate(pattern.finditer(text)):
        if count == MAX_EACH:
            return
        yield match


def _check(code: str, message: str, level: Level, field: str, source: str, offset: int) -> Check:  # noqa: PLR0917
    line, column = place(source, offset)
    return Check(code, message, field, line, column, level)
