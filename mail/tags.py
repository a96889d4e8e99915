"""Finds the Jinja2 tags in a template's source, so that the text around them can be read or changed without them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Final, NamedTuple

#: A private-use character, which ordinary templates lack: it stands for each character of a tag that is blanked.
BLANK: Final = "\ue000"

_OPENING: Final = re.compile(r"\{\{|\{%|\{#")
_RAW: Final = re.compile(r"\{%[-+]?\s*raw\s*[-+]?%\}")
_ENDRAW: Final = re.compile(r"\{%[-+]?\s*endraw\s*[-+]?%\}")
#: What matters within a tag: strings, which may contain any mark, the tag's end, and brackets.
_PIECE: Final = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|{end}|[(\[{{]|[)\]}}]"""
_PIECE_OF_VARIABLE: Final = re.compile(_PIECE.format(end=r"\}\}"), re.DOTALL)
_PIECE_OF_STATEMENT: Final = re.compile(_PIECE.format(end=r"%\}"), re.DOTALL)
_VISIBLE: Final = re.compile(r"[^\r\n]")


class Kind(StrEnum):
    """What a tag is for."""

    VARIABLE = "variable"
    STATEMENT = "statement"
    COMMENT = "comment"
    #: `{% raw %}` with its text and its end: Jinja2 reads no tag in it.
    RAW = "raw"


class Tag(NamedTuple):
    """A tag in a source: its kind, and where it begins and ends."""

    kind: Kind
    start: int
    end: int


def tags(source: str) -> Iterator[Tag]:
    """The tags of a source in order. A tag that does not end reaches to the end of the source."""
    position = 0
    while opening := _OPENING.search(source, position):
        start = opening.start()
        if opening.group() == "{#":
            closing = source.find("#}", start + 2)
            tag = Tag(Kind.COMMENT, start, closing + 2 if closing >= 0 else len(source))
        elif raw := _RAW.match(source, start):
            last = _ENDRAW.search(source, raw.end())
            tag = Tag(Kind.RAW, start, last.end() if last else len(source))
        else:
            variable = opening.group() == "{{"
            tag = Tag(Kind.VARIABLE if variable else Kind.STATEMENT, start, _end(source, start + 2, variable))
        yield tag
        position = tag.end


def _end(source: str, position: int, variable: bool) -> int:
    """The end of a tag, which is the first mark of its end outside of strings and brackets."""
    piece_of_tag = _PIECE_OF_VARIABLE if variable else _PIECE_OF_STATEMENT
    closing, depth = "}}" if variable else "%}", 0
    while piece := piece_of_tag.search(source, position):
        text, position = piece.group(), piece.end()
        if text == closing and not depth:
            return position
        if text in {"(", "[", "{"}:
            depth += 1
        elif text[0] in ")]}" and depth:
            # Two brackets may look like the end of a tag, as in `{{ {'a': {}} }}`: go on after the first one.
            depth, position = depth - 1, piece.start() + 1
    return len(source)


def replaced(source: str, written: Callable[[int, Tag], str]) -> str:
    """A source with each tag replaced.

    Args:
        source: the template.
        written: what to write for a tag, given its number from 0.
    """
    pieces, position = [], 0
    for number, tag in enumerate(tags(source)):
        pieces += [source[position : tag.start], written(number, tag)]
        position = tag.end
    return "".join([*pieces, source[position:]])


def blanked(source: str) -> str:
    """A source in which `BLANK` stands for each character of a tag: every other character keeps line and column."""
    return replaced(source, lambda _number, tag: _VISIBLE.sub(BLANK, source[tag.start : tag.end]))
