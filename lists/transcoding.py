"""Turns the bytes of a text in any encoding into UTF-8, as a stream. Does not recognise the encoding."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import Final

#: The character that stands for bytes that the encoding does not have.
REPLACEMENT: Final = "\ufffd"


class Transcoding:
    """An iterator over a text as UTF-8, without a byte order mark.

    Attributes:
        replaced: how many characters of the pieces so far stand for bytes that the encoding does not have.
    """

    def __init__(self, chunks: Iterable[bytes], encoding: str) -> None:
        self.replaced = 0
        self._pieces = self._converted(iter(chunks), codecs.getincrementaldecoder(encoding)("replace"))

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def _converted(self, chunks: Iterator[bytes], decoder: codecs.IncrementalDecoder) -> Iterator[bytes]:
        started = False
        for chunk in chunks:
            text = decoder.decode(chunk)
            if text and not started:
                started = True
                text = text.removeprefix("\ufeff")
            yield from self._encoded(text)
        yield from self._encoded(decoder.decode(b"", final=True))

    def _encoded(self, text: str) -> Iterator[bytes]:
        self.replaced += text.count(REPLACEMENT)
        if text:
            yield text.encode(errors="replace")
