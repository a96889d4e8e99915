"""Splits HTML into tags, texts and comments, by the rules of the HTML standard's tokenizer, in linear time.

https://html.spec.whatwg.org/multipage/parsing.html#tokenization. Python's own `html.parser` takes quadratic time for
tags that do not end, and a parser that builds a tree repairs what the checks look for.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final, NamedTuple

#: Elements that hold text alone, up to their end tag.
RAW_TEXT: Final = frozenset({"iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp"})

_TAG: Final = re.compile(r"<(?:(!--)|([!?])|(/?)([a-zA-Z][^\s/>]*)|(/)(?=[^a-zA-Z]))")
_ATTRIBUTE: Final = re.compile(
    r"""[\s/]*([^\s/>=][^\s/>=]*|=[^\s/>=]*)(?:\s*=\s*(?:"([^"]*)(?:"|\Z)|'([^']*)(?:'|\Z)|([^\s>"'][^\s>]*)|(?=>)))?"""
)
_TAG_END: Final = re.compile(r"[\s/]*(>|\Z)")
_COMMENT_END: Final = re.compile(r"--!?>")


class What(Enum):
    """What a token is."""

    START = auto()
    END = auto()
    TEXT = auto()
    #: A comment, a doctype, or anything else that shows nothing.
    COMMENT = auto()


class Attribute(NamedTuple):
    """An attribute: its name in lower case, its value with entities decoded (None: none), and where it begins."""

    name: str
    value: str | None
    start: int


class Token(NamedTuple):
    """A piece of HTML: `source[start:end]`. `name` is the element's in lower case; `raw`: a text in a raw element."""

    what: What
    start: int
    end: int
    name: str = ""
    attributes: tuple[Attribute, ...] = ()
    self_closing: bool = False
    raw: bool = False


def tokens(source: str) -> Iterator[Token]:
    """The tokens of a source in order; together they are the whole source."""
    position = text = 0
    while match := _TAG.search(source, position):
        start = match.start()
        if start > text:
            yield Token(What.TEXT, text, start)
        token = _comment(source, match) if match.group(4) is None else _tag(source, match)
        yield token
        position = text = token.end
        if token.what is What.START and token.name in RAW_TEXT:
            position = _raw_end(source, token)
            if position > text:
                yield Token(What.TEXT, text, position, token.name, raw=True)
            text = position
    if text < len(source):
        yield Token(What.TEXT, text, len(source))


def _comment(source: str, match: re.Match[str]) -> Token:
    if match.group(1):
        # `<!-->` is a whole comment.
        closing = _COMMENT_END.search(source, match.end() - 2)
        end = closing.end() if closing else len(source)
    else:
        end = source.find(">", match.end()) + 1 or len(source)
    return Token(What.COMMENT, match.start(), end)


def _tag(source: str, match: re.Match[str]) -> Token:
    attributes, position = [], match.end()
    while not (closing := _TAG_END.match(source, position)):
        found = _ATTRIBUTE.match(source, position)
        if found is None:
            # A quote alone where no attribute can begin: skip it.
            position += 1
            continue
        name, *values = found.groups()
        value = next((html.unescape(value) for value in values if value is not None), None)
        attributes.append(Attribute(name.lower(), value, found.start(1)))
        position = found.end()
    what = What.END if match.group(3) else What.START
    closes_itself = closing.group().endswith("/>")
    return Token(what, match.start(), closing.end(), match.group(4).lower(), tuple(attributes), closes_itself)


def _raw_end(source: str, token: Token) -> int:
    """Where the text of a raw element ends: at its end tag, or at the end of the source."""
    closing = re.compile(rf"</{re.escape(token.name)}(?=[\s/>])", re.IGNORECASE).search(source, token.end)
    return closing.start() if closing else len(source)
