"""Finds where an address may stand in a stored list, without reading it as CSV. Decides nothing: the rows do.

It finds every cell that holds the address in plain characters, in any case, as well as `mailto:` with a percent-encoded
`@` or with other encoded special characters. It does not find letters or digits that are percent-encoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

#: Runs of characters that no CSV quotes and no URI encodes (RFC 3986, 2.3).
_RUN: Final = re.compile(r"[a-z0-9._~-]+")
#: The bytes of local parts before which a local part cannot begin.
_INSIDE: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789._+-")
#: The length of `%20`, which can stand before a local part.
_ESCAPE: Final = 3


def candidates(chunks: Iterable[bytes], folded: str) -> Iterator[int]:
    """The offsets, in bytes, of places that may hold an address; those of one place may come twice.

    Args:
        chunks: the list, in an encoding that contains ASCII.
        folded: the address as `lists.addresses.folded` returns it.
    """
    pattern, begins = _pattern(folded)
    overlap, end, tail = len(folded) * _ESCAPE + _ESCAPE, 0, b""
    for chunk in chunks:
        text = tail + chunk.lower()
        end += len(chunk)
        for hit in pattern.finditer(text):
            if not (begins and _is_inside(text, hit.start())):
                yield end - len(text) + hit.start()
        tail = text[-overlap:]


def _pattern(folded: str) -> tuple[re.Pattern[bytes], bool]:
    """What to search for, and whether it begins where the address does: the longest plain run of the local part."""
    local = folded.rpartition("@")[0]
    run = max(_RUN.finditer(local), key=lambda found: len(found[0]), default=None)
    if run is None:
        return re.compile(rb"@|%40"), False
    at = rb"(?:@|%40)" if run.end() == len(local) else b""
    return re.compile(re.escape(run[0].encode()) + at), run.start() == 0


def _is_inside(text: bytes, place: int) -> bool:
    """Whether the place is inside a longer local part."""
    if place < _ESCAPE:
        return False  # the text before it may be in an earlier chunk
    return text[place - 1] in _INSIDE and text[place - _ESCAPE] != ord("%")
