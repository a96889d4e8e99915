"""Makes the text part of an email from its HTML, once per campaign: the result is a template with the same tags.

inscriptis lays the blocks out. Before that, tables become blocks, since emails use them for layout, and links and
images become texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import Final

from inscriptis import get_text
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig

from campaigns.errors import InvalidCampaign
from mail.html_tokens import Token, What, tokens
from mail.tags import Kind, replaced, tags
from mail.template import TEXT, Template

#: The longest HTML that is made into text, in characters; it takes up to 0.5 s.
MAX_HTML: Final = 150_000
#: The deepest nesting of elements that is kept.
MAX_DEPTH: Final = 100

#: Mark the number of a tag of Jinja2 while the HTML is laid out.
_MARKS: Final = "\ue000\ue001"
_MARK: Final = re.compile(f"{_MARKS[0]}([0-9]+){_MARKS[1]}")
_NO_MARKS: Final = str.maketrans("", "", _MARKS)
#: Elements of tables that become blocks, and elements that vanish while their content stays.
_BLOCKS: Final = frozenset({"caption", "center", "table", "tbody", "td", "tfoot", "th", "thead", "tr"})
_KEPT: Final = frozenset({
    "address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "figcaption", "figure", "footer",
    "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "ul",
})  # fmt: skip
_HIDDEN: Final = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)
_SCHEME: Final = re.compile(rf"(?:https?|mailto|tel|sms):|{_MARKS[0]}", re.IGNORECASE)
#: Filters that make or keep HTML, with what they become in a text.
_AS_TEXT: Final = (
    (re.compile(r"\|\s*safe\b"), "|striptags"),
    (re.compile(r"\|\s*(?:urlize\b(?:\s*\([^)]*\))?|(?:e|escape|forceescape)\b)"), ""),
)
#: Braces that were no tag in the HTML, and would be one in a template.
_BRACES: Final = re.compile(rf"\{{(?=[{{%#{_MARKS[0]}])")
_CONFIG: Final = ParserConfig(css=CSS_PROFILES["strict"])


def text_from_html(html: str) -> str:
    """The text part of an email, as a template, from the template of its HTML.

    Links are written behind their texts, images as their `alt`. Tags of Jinja2 stay where they are, except those in
    attributes that a text does not show.

    Raises:
        InvalidCampaign: it is too long, or conditions in it cross elements in a way that a text cannot follow.
    """
    if len(html) > MAX_HTML:
        raise InvalidCampaign(f"html: longer than {MAX_HTML:,} characters, so no text is made from it: give a text")
    html = html.translate(_NO_MARKS)
    found = list(tags(html))
    written = [_as_text(html[tag.start : tag.end], tag.kind) for tag in found]
    marked = replaced(html, lambda number, _tag: f"{number}".join(_MARKS))
    loops = bool(re.search(r"\{%[-+]?\s*for\b", html))
    statements = frozenset(number for number, tag in enumerate(found) if tag.kind is Kind.STATEMENT)
    laid_out = get_text("".join(_Simplifier(marked, loops, statements).pieces()), _CONFIG)
    text = _MARK.sub(lambda match: written[int(match.group(1))], _tidied(laid_out, written))
    try:
        Template(TEXT, "text", text)
    except InvalidCampaign as error:
        detail = f"html: no text can be made from it ({error.detail}): give a text"
        raise InvalidCampaign(detail) from None
    return text


def _as_text(source: str, kind: Kind) -> str:
    """A tag as it is written in a text: without the filters that make HTML."""
    if kind is Kind.COMMENT:
        return ""
    if kind is Kind.VARIABLE:
        for pattern, instead in _AS_TEXT:
            source = pattern.sub(instead, source)
    return source


class _Simplifier:
    """Writes HTML with blocks and texts alone."""

    def __init__(self, source: str, loops: bool, statements: frozenset[int]) -> None:
        self._source = source
        #: The numbers of the tags that are statements.
        self._statements = statements
        #: Whether the template has loops: a list may then be one item long, so its numbers would all be 1.
        self._loops = loops
        #: The addresses of open links, each with the texts that were written since.
        self._links: list[tuple[str, list[str]]] = []
        self._depth = 0
        #: How many elements are open within a hidden one, itself included, by its name.
        self._hidden = ("", 0)

    def pieces(self) -> Iterator[str]:
        """The pieces of the simplified HTML in order."""
        for token in tokens(self._source):
            for piece in self._piece(token):
                if self._links:
                    self._links[-1][1].append(piece)
                yield piece
        yield from self._end_links()

    def _piece(self, token: Token) -> Iterator[str]:
        if self._is_hidden(token):
            # Tags of Jinja2 stay, since conditions may begin or end here.
            yield from self._conditions(token)
        elif token.what is What.TEXT:
            yield from self._text(token)
        elif token.what is What.START:
            yield from self._start(token)
        elif token.what is What.END:
            yield from self._end(token.name)

    def _is_hidden(self, token: Token) -> bool:
        """Follow the elements that no reader sees, such as the preview text."""
        name, count = self._hidden
        if count:
            change = {What.START: 1, What.END: -1}.get(token.what, 0) if token.name == name else 0
            self._hidden = (name, count + change)
            return True
        if token.what is not What.START or token.self_closing or token.name not in _KEPT | _BLOCKS | {"span"}:
            return False
        style = next((one.value for one in token.attributes if one.name == "style"), None)
        if not style or not _HIDDEN.search(style):
            return False
        self._hidden = (token.name, 1)
        return True

    def _conditions(self, token: Token) -> Iterator[str]:
        if token.what is What.TEXT and not token.raw:
            for match in _MARK.finditer(self._source, token.start, token.end):
                if int(match.group(1)) in self._statements:
                    yield match.group()

    def _text(self, token: Token) -> Iterator[str]:
        if not token.raw or token.name == "textarea":
            yield self._source[token.start : token.end]

    def _start(self, token: Token) -> Iterator[str]:
        name = "div" if token.name in _BLOCKS else token.name
        if name == "ol" and self._loops:
            name = "ul"
        values = {one.name: one.value or "" for one in reversed(token.attributes)}
        if name == "img":
            yield escape(values.get("alt", "").strip())
        elif name == "a":
            yield from self._end_links()
            self._links.append((" ".join(values.get("href", "").split()), []))
        elif name == "br":
            yield "<br>"
        elif name == "hr":
            yield "<p>----------</p>"
        elif name in _KEPT:
            self._depth += 1
            if self._depth <= MAX_DEPTH:
                yield f"<{name}>"

    def _end(self, name: str) -> Iterator[str]:
        if name == "a":
            yield from self._end_links()
            return
        name = "div" if name in _BLOCKS else name
        if name == "ol" and self._loops:
            name = "ul"
        if name in _KEPT:
            if self._depth <= MAX_DEPTH:
                yield f"</{name}>"
            self._depth = max(0, self._depth - 1)

    def _end_links(self) -> Iterator[str]:
        """Write the address of the link that ends, unless its text is the address."""
        while self._links:
            href, texts = self._links.pop()
            text = " ".join(re.sub(r"<[^<>]*>", " ", "".join(texts)).split())
            if not _SCHEME.match(href) or text in {escape(href), href, escape(href.removeprefix("mailto:"))}:
                continue
            yield f" ({escape(href)})" if text else escape(href)


def _tidied(text: str, written: list[str]) -> str:
    """The text with statements before the line that follows them, and never two empty lines in a row."""
    lines: list[str] = []
    statements = ""
    for line in _BRACES.sub("{{ '{' }}", text).split("\n"):
        bare = line.strip()
        if bare and _is_statement(bare, written):
            statements += bare
            continue
        if not bare and (not lines or not lines[-1].strip()):
            continue
        lines.append(statements + line.rstrip())
        statements = ""
    while lines and not lines[-1].strip():
        lines.pop()
    return "\n".join([*lines, statements] if statements else [*lines, ""])


def _is_statement(line: str, written: list[str]) -> bool:
    """Whether a line has statements and comments alone, which write nothing themselves."""
    rest = _MARK.sub(lambda match: "" if written[int(match.group(1))][:2] in {"", "{%"} else "x", line)
    return not rest.strip()
