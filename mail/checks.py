"""All checks of a campaign's content, at PUT, in a preview and at the start: one list of findings.

`mail.content` refuses what cannot be sent at all. What each check looks at stands in the modules beside this one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from campaigns.errors import InvalidCampaign
from campaigns.models import Content
from mail import column_checks, envelope_checks, html_checks, source_checks
from mail.check import Check, Level
from mail.header_templates import FIELD
from mail.html_outline import Outline, outline
from mail.known_list import KnownList
from mail.rendering import Templates
from mail.template import HTML, TEXT, Template

__all__ = ["Check", "Level", "checks", "checks_with_list", "to_accept"]

#: The most characters of HTML whose tags and links are checked; the time that this takes grows with them. Templates
#: with more characters together are not compiled one by one to find all mistakes.
MAX_HTML: Final = 300_000
#: The most characters of a template that are searched for tags of other systems.
MAX_SEARCHED: Final = 1_000_000

#: The codes of the findings about the content and its list together.
OF_LIST: Final = frozenset({"missing_column", "empty_column", "row_fails", "unfilled_column"})
_DETAIL: Final = re.compile(r"(subject|html|text|headers\.[^:,]+)(?:, line (\d+))?: (.*)", re.DOTALL)


class WithList(NamedTuple):
    """What a content and a list make together: the findings, and the columns that the list lacks."""

    found: list[Check]
    missing: list[str]


def checks(content: Content, known: KnownList | None = None) -> list[Check]:
    """Check a campaign's content, and its list as far as it is known.

    Args:
        content: the content. Its sizes and addresses are those that `mail.content.check` takes.
        known: its list; None: there is no list yet.

    Returns:
        The findings, the gravest first.
    """
    sources = sources_of(content)
    found = [finding for field, source in sources.items() for finding in source_checks.errors(field, source)]
    templates = None
    try:
        templates = Templates(content)
    except InvalidCampaign as error:
        found = found or [_invalid(error)]
    found += _without_list(content, sources, is_readable=not found)
    if templates:
        found += _of_templates(templates, sources)
        if known is not None:
            found += _with_list(templates, known, sources)
    return by_level(found)


def by_level(found: Iterable[Check]) -> list[Check]:
    """The findings, each once, the gravest first."""
    return sorted(dict.fromkeys(found), key=lambda finding: list(Level).index(finding.level))


def checks_with_list(content: Content, known: KnownList) -> WithList:
    """Only those findings of `checks` that are about the content and its list together."""
    try:
        templates = Templates(content)
    except InvalidCampaign:  # an earlier version has accepted it
        return WithList([], [])
    return WithList(list(_with_list(templates, known, sources_of(content))), templates.missing(known.columns))


def to_accept(found: Iterable[Check]) -> list[str]:
    """The codes of the findings that a person must accept before the campaign starts."""
    return sorted({finding.code for finding in found if finding.level is Level.ACKNOWLEDGE})


def _invalid(error: InvalidCampaign) -> Check:
    """A template that does not compile, from the words of its error: `html, line 3: ...`."""
    match = _DETAIL.fullmatch(error.detail)
    field, line, words = match.groups() if match else ("html", None, error.detail)
    return Check("invalid_template", words, field, int(line) if line else None, None, Level.ERROR)


def sources_of(content: Content) -> dict[str, str]:
    """The templates of a campaign by field."""
    given = {"subject": content.subject, "html": content.html, "text": content.text}
    headers = {FIELD + name: value for name, value in content.headers.items()}
    return {field: source for field, source in given.items() if source is not None} | headers


def refusals(content: Content) -> tuple[list[Check], Templates | None]:
    """The findings for which a campaign is refused: in the sources, or else in the templates; and the templates."""
    sources = sources_of(content)
    found = [finding for field, source in sources.items() for finding in source_checks.errors(field, source)]
    if found:
        return found, None
    templates, invalid = None, None
    try:
        templates = Templates(content)
    except InvalidCampaign as error:
        invalid = _invalid(error)
    if invalid or templates is None:
        each = _all_invalid(sources) if sum(map(len, sources.values())) <= MAX_HTML else []
        return each or ([invalid] if invalid else []), None
    found = [one for each in templates.each for one in column_checks.uncalled(each, sources[each.field])]
    return found, templates


def _all_invalid(sources: Mapping[str, str]) -> list[Check]:
    """The templates that do not compile, each on its own."""
    found: list[Check] = []
    for field, source in sources.items():
        try:
            Template(HTML if field == "html" else TEXT, field, source)
        except InvalidCampaign as error:
            found.append(_invalid(error))
    return found


def _without_list(content: Content, sources: Mapping[str, str], is_readable: bool) -> Iterator[Check]:
    for field, source in sources.items():
        yield from source_checks.foreign_tags(field, source[:MAX_SEARCHED])
    yield from envelope_checks.envelope(content)
    html = Outline()
    if content.html:
        yield from html_checks.size(content.html)
        html = outline(content.html[:MAX_HTML])
        if len(content.html) > MAX_HTML or not is_readable:
            # What is cut off, or in a comment by mistake, has no partner.
            html.mismatches.clear()
        yield from html_checks.markup(html)
    yield from _parts(content)
    links = [part for link in html.links for part in (link.href, link.text)]
    yield from envelope_checks.unsubscribing(content, links)


def _parts(content: Content) -> Iterator[Check]:
    """The findings about which of HTML and text are given."""
    if content.html and content.text is None:
        message = "there is no text for readers who see no HTML, and spam filters mind that: add one"
        yield Check("no_text", message, "text", None, None, Level.HINT)
    for field, source in (("html", content.html), ("text", content.text)):
        if source is not None and not source.strip():
            message = "it consists of blanks alone, so readers would see an empty email: fill it in, or leave it out"
            yield Check("blank_part", message, field, None, None, Level.ACKNOWLEDGE)


def _of_templates(templates: Templates, sources: Mapping[str, str]) -> Iterator[Check]:
    for template in templates.each:
        yield from column_checks.uncalled(template, sources[template.field])
        yield from column_checks.calculated(template, sources[template.field])
        yield from column_checks.compared(template, sources[template.field])


def _with_list(templates: Templates, known: KnownList, sources: Mapping[str, str]) -> Iterator[Check]:
    missing = list(column_checks.missing(templates, known.columns, sources))
    yield from missing
    yield from column_checks.unfilled(known.columns, sources)
    yield from column_checks.empty(templates, known, sources)
    # Otherwise another finding says already why every row fails.
    if not missing and not any(template.review.uncalled or template.review.calculated for template in templates.each):
        yield from column_checks.failing(templates, known)
