"""Reads the HTML of a template: its links, images, and tags that do not match. It judges nothing.

It follows the tags with a stack of open elements. Parsers that follow the whole HTML standard repair what they read,
and of those that were tried (lxml, justhtml, tinyhtml5) none names an element that is never closed.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from dataclasses import dataclass, field
from html import unescape
from typing import Final, NamedTuple

from mail.html_tokens import Token, What, tokens
from mail.tags import Kind, blanked, tags

#: Elements without an end tag.
_VOID: Final = frozenset({
    "area", "base", "basefont", "bgsound", "br", "col", "command", "embed", "frame", "hr", "image", "img", "input",
    "link", "meta", "param", "source", "track", "wbr",
})  # fmt: skip
#: Elements whose end tag may be left out.
_OPTIONAL: Final = frozenset({
    "body", "caption", "colgroup", "dd", "dt", "head", "html", "li", "optgroup", "option", "p", "rp", "rt", "tbody",
    "td", "tfoot", "th", "thead", "tr",
})  # fmt: skip

_LINE_END: Final = re.compile(r"\n")
#: The first word of a statement.
_WORD: Final = re.compile(r"\{%[-+]?\s*(\w+)")
#: The most elements in one another, and the most mismatches; beyond them no more mismatches are looked for.
MAX_OPEN: Final = 200
MAX_MISMATCHES: Final = 20


class Place(NamedTuple):
    """Where an element begins: line and column, both from 1."""

    line: int
    column: int


class Link(NamedTuple):
    """A link: its address as the template has it, its text, and where it begins."""

    href: str
    text: str
    place: Place


class Mismatch(NamedTuple):
    """A tag without its partner; `within`: the element that an end tag crosses, or ""."""

    name: str
    is_end: bool
    within: str
    place: Place


@dataclass(slots=True)
class Outline:
    """What the checks need of a template's HTML. An address shows `mail.tags.BLANK` where a tag of Jinja2 stands."""

    links: list[Link] = field(default_factory=list)
    #: Images without `alt`: their `src`.
    images: list[tuple[str, Place]] = field(default_factory=list)
    #: The `src` of all images.
    sources: list[tuple[str, Place]] = field(default_factory=list)
    mismatches: list[Mismatch] = field(default_factory=list)


def outline(source: str) -> Outline:
    """Read the HTML of a template, in time proportional to its length."""
    reader = _Reader(source)
    text = blanked(source)
    for token in tokens(text):
        reader.take(token, text)
    reader.finish()
    return reader.found


_Open = list[tuple[str, Place]]


class _Reader:
    def __init__(self, source: str) -> None:
        self.found = Outline()
        self._open: _Open = []
        self._links: list[tuple[str, list[str], Place]] = []
        self._starts = [0, *(match.end() for match in _LINE_END.finditer(source))]
        self._statements = [
            (tag.start, match.group(1))
            for tag in tags(source)
            if tag.kind is Kind.STATEMENT and (match := _WORD.match(source, tag.start))
        ]
        self._next = 0
        #: For each `{% if %}` that is open: the elements open at its start, and those at the end of its first branch.
        self._branches: list[tuple[_Open, _Open | None]] = []

    def take(self, token: Token, text: str) -> None:
        """Read the next token of a text."""
        self._pass_statements(token.start)
        match token.what:
            case What.START:
                self._start(token)
            case What.END:
                self._end(token.name, self._place(token.start))
            case What.TEXT if self._links:
                self._links[-1][1].append(text[token.start : token.end])

    def _place(self, offset: int) -> Place:
        line = bisect_right(self._starts, offset)
        return Place(line, offset - self._starts[line - 1] + 1)

    def _pass_statements(self, offset: int) -> None:
        """Follow the conditions up to an offset: each branch begins with the elements that were open before it."""
        while self._next < len(self._statements) and self._statements[self._next][0] < offset:
            word = self._statements[self._next][1]
            self._next += 1
            if word == "if":
                self._branches.append((self._open.copy(), None))
            elif word in {"elif", "else"} and self._branches:
                before, first = self._branches.pop()
                self._branches.append((before, first if first is not None else self._open))
                self._open = before.copy()
            elif word == "endif" and self._branches:
                _before, first = self._branches.pop()
                self._open = first if first is not None else self._open

    def _start(self, token: Token) -> None:
        place = self._place(token.start)
        values = {attribute.name: attribute.value or "" for attribute in reversed(token.attributes)}
        if token.name == "img" and "src" in values:
            self.found.sources.append((values["src"], place))
        if token.name == "img" and "alt" not in values:
            self.found.images.append((values.get("src", ""), place))
        if token.name == "a" and "href" in values:
            self._links.append((values["href"], [], place))
        if token.name not in _VOID and not token.self_closing and self._is_matching():
            self._open.append((token.name, place))

    def _is_matching(self) -> bool:
        return len(self._open) <= MAX_OPEN and len(self.found.mismatches) < MAX_MISMATCHES

    def _end(self, tag: str, place: Place) -> None:
        if tag == "a" and self._links:
            self._end_link()
        if tag in _VOID or not self._is_matching():
            return
        position = next((at for at in range(len(self._open) - 1, -1, -1) if self._open[at][0] == tag), None)
        if position is None:
            if tag not in _OPTIONAL:
                self.found.mismatches.append(Mismatch(tag, True, "", place))
            return
        crossed = next((name for name, _place in self._open[:position:-1] if name not in _OPTIONAL), "")
        if crossed:
            self.found.mismatches.append(Mismatch(tag, True, crossed, place))
            # As browsers do for formatting: the other element stays open.
            del self._open[position]
        else:
            del self._open[position:]

    def _end_link(self) -> None:
        href, texts, place = self._links.pop()
        self.found.links.append(Link(href, " ".join(unescape("".join(texts)).split()), place))

    def finish(self) -> None:
        """Take what is still open at the end."""
        self._pass_statements(sys.maxsize)
        while self._links:
            self._end_link()
        if self._is_matching():
            self.found.mismatches += [
                Mismatch(name, False, "", place) for name, place in self._open if name not in _OPTIONAL
            ]
        self.found.mismatches.sort(key=lambda mismatch: mismatch.place)
