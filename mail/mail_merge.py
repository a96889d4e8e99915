"""Mail merge: the texts that all recipients of a campaign share, with tags, and each recipient's values for the tags.

A provider that can replace tags sends one request to many recipients (`mail.providers.base.Merging`). Only templates of
texts and names can be merged. What a recipient gets through a merge equals what `Renderer.message` makes, byte for
byte; a row for which that is not certain goes alone.
"""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from mail.message import NO_ROW, Message
from mail.rendering import MAX_BODY, Renderer, RenderError
from mail.template import Template

#: The letters of a mark. It begins with `q` and has no other one, so that no two marks can overlap.
_FIRST: Final = "q"
_LETTERS: Final = string.ascii_lowercase.replace(_FIRST, "")
_MARK_CHARS: Final = 8

#: Finds what HTML escapes.
_ESCAPED: Final = re.compile("[&<>\"']").search


class Share(NamedTuple):
    """A recipient's share of a merged request.

    `subject`, `headers`: None if all recipients have those of the merged message. `substitutions`: the value of each
    tag.
    """

    row: int
    to: str
    subject: str | None
    headers: Mapping[str, str] | None
    substitutions: Mapping[str, str]


class _Tag(NamedTuple):
    """A name as it stands in one kind of template: HTML needs another value than text."""

    tag: str
    name: str
    template: Template


class MailMerge:
    """The mail merge of one campaign and list. Thread safe. `of` makes one.

    `message`: what all recipients share, for no row and no address; html and text hold tags.
    """

    def __init__(self, renderer: Renderer, parts: Sequence[Template], mark: str) -> None:
        self._renderer = renderer
        self._mark = mark
        self._tags: dict[tuple[str, bool], _Tag] = {}
        self._seams: list[str] = []
        self._slots: list[tuple[int, str]] = []
        #: The tags of each template that consists of tags alone, and may be empty for a row.
        self._bare: list[list[str]] = []
        texts = {id(template): self._read(template) for template in parts}
        subject = renderer.fixed_subject
        self._own_subject = subject is None
        self.message = Message(
            renderer.campaign_id,
            NO_ROW,
            "",
            renderer.sender,
            renderer.reply_to,
            subject or "",
            texts[id(renderer.html)] or None if renderer.html else None,
            texts[id(renderer.text)] or None if renderer.text else None,
            renderer.fixed_headers if renderer.shares_headers else {},
            tracks=renderer.tracks,
        )

    @classmethod
    def of(cls, renderer: Renderer) -> MailMerge | None:
        """The mail merge of a campaign; None: its emails cannot be merged."""
        if renderer.computes:
            return None
        parts = [template for template in (renderer.html, renderer.text) if template]
        pieces = [piece for template in (renderer.subject, *parts) if template.form for piece in template.form[0]]
        pieces += [str(renderer.sender), str(renderer.reply_to), *renderer.fixed_headers.values()]
        mark = _mark()
        while any(mark in piece for piece in pieces):
            mark = _mark()
        try:
            merge = cls(renderer, parts, mark)
        except RenderError:
            return None
        return merge if merge._is_usable() else None

    def _is_usable(self) -> bool:
        texts = [text for text in (self.message.html, self.message.text) if text]
        try:
            for text in texts:
                text.encode()
        except UnicodeEncodeError:
            return False
        return bool(texts) and max(map(len, texts)) <= MAX_BODY

    def share(self, row: int, email: str, values: Sequence[str]) -> Share | None:
        """A recipient's share; None: this row goes alone, because its email is unusual or cannot be sent.

        Args:
            row: the row's number, from 1.
            email: the recipient's checked address.
            values: the cells of `Templates.fields(columns)`, in that order.
        """
        cells = "".join(values)
        if len(cells) > self._renderer.room:
            return None
        try:
            if not cells.isascii():
                cells.encode()
            variables, subject, headers = self._renderer.personal(row, email, values)
            filled = self._filled(variables)
        except (RenderError, UnicodeEncodeError, KeyError):
            return None
        if self._is_ambiguous(filled, subject, headers) or (self._bare and self._lacks_a_part(filled)):
            return None
        own = None if self._renderer.shares_headers else headers
        return Share(row, email, subject if self._own_subject else None, own, filled)

    def _filled(self, variables: Mapping[str, str]) -> dict[str, str]:
        """The value of each tag."""
        filled = {}
        for tag, name, template in self._tags.values():
            value = variables[name]
            # Most values have nothing to escape, which this finds out in a quarter of the time.
            filled[tag] = str(template.escape(value)) if _ESCAPED(value) else value
        return filled

    def _lacks_a_part(self, filled: Mapping[str, str]) -> bool:
        """Whether a part is empty: an email of its own has no such part."""
        return not all(any(filled[tag] for tag in tags) for tags in self._bare)

    def _is_ambiguous(self, filled: Mapping[str, str], subject: str, headers: Mapping[str, str]) -> bool:
        """Whether anything but a tag could be taken for one, in what the tags are replaced in.

        The mark can neither overlap with itself nor with the rest of a tag. So any other occurrence lies in a cell, or
        where cells and texts meet; the texts are therefore cut to their ends.
        """
        seams = self._seams.copy()
        for position, tag in self._slots:
            seams[position] = filled[tag]
        return self._mark in "\n".join(("".join(seams), subject, *headers.values()))

    def _read(self, template: Template) -> str:
        """Give a template's names their tags; return its text with the tags."""
        pieces, slots = template.form or ([], [])
        texts = pieces.copy()
        start = len(self._seams)
        self._seams += [self._ends(piece) for piece in pieces] if slots else []
        self._seams.append("\n")
        for position, name in slots:
            texts[position] = tag = self._tag(template, name)
            self._slots.append((start + position, tag))
        if slots and not any(pieces):
            self._bare.append([texts[position] for position, _name in slots])
        return "".join(texts)

    def _ends(self, piece: str) -> str:
        """The parts of a text that can belong to a mark which begins or ends beside the text."""
        most = len(self._mark) - 1
        return piece if len(piece) <= 2 * most else f"{piece[:most]}\n{piece[-most:]}"

    def _tag(self, template: Template, name: str) -> str:
        key = name, template is self._renderer.html
        if key not in self._tags:
            # The hyphens see to it that no tag is a part of another one.
            self._tags[key] = _Tag(f"-{self._mark}{len(self._tags)}-", name, template)
        return self._tags[key].tag


def _mark() -> str:
    """A mark that no text is likely to contain."""
    return _FIRST + "".join(secrets.choice(_LETTERS) for _ in range(_MARK_CHARS - 1))
